//! The daemon: scheduling, admission, runs, reload, recovery. Data flows one way: clock → scheduler → admission →
//! run → step → room → verdict → ledger → journal and status. How a process is run it does not know: rooms do.

pub mod accept;
pub mod admission;
pub mod args;
pub mod boot;
pub mod control;
pub mod dispatcher;
pub mod holds;
pub mod notify;
pub mod probes;
pub mod recorder;
pub mod room;
pub mod run;
pub mod schedule;
pub mod state_dir;
pub mod tell;
mod watchdog;

//! One step as a process tree, and the rooms' side of the protocol. Knows nothing of schedules or the ledger.

pub mod bracket;
pub mod codec;
pub mod door;
pub mod environment;
pub mod exec;
mod flush;
pub mod guard;
pub mod output;
pub mod probe;
pub(crate) mod proof;
pub mod protocol;
pub mod redact;
mod requires;
pub mod room;
pub mod saved;
pub mod step_dir;
pub mod systemctl;
pub mod verdict;

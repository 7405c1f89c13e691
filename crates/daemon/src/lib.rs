//! The daemon's parts: scheduling, admission, runs, reload, recovery.

pub mod schedule;

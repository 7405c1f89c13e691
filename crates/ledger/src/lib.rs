//! Runs and steps in SQLite: what was begun, what became of it, what is still owed. Calls block; the daemon makes
//! them from one thread of its own.
//!
//! What a call acknowledged survives a power cut (WAL with `synchronous=FULL`), except [`Ledger::journaled`], which
//! survives a crash of the daemon only: what it saves is a repeated line.
//!
//! A row that holds a word of a newer version is left out of every listing and counted
//! ([`Ledger::unreadable_rows`]); it is no damage.
//!
//! Ends are final: the first [`Ledger::end_step`] or [`Ledger::end_run`] wins and a repeated one changes nothing, so
//! that adoption may report again what was already recorded.

mod approvals;
mod backups;
mod error;
mod findings;
mod forget;
mod holds;
mod incidents;
mod open;
mod read;
mod records;
mod restore;
mod rows;
mod schema;
mod tellings;
mod write;

pub use backups::Verified;
pub use error::{FindError, LedgerError};
pub use incidents::Incident;
pub use open::{Opened, set_aside};
pub use records::{
    Approval, Forgotten, HandHold, Mark, NewRun, Pause, PlannedRetry, Restore, RunRecord, RunWithSteps,
    SpaceTrend, StepEnd, StepRecord, StepStart,
};

pub use tellings::OwedMessage;

/// The record of runs, steps and what is owed. One process at a time: the daemon's state lock sees to that.
#[derive(Debug)]
pub struct Ledger {
    path: std::path::PathBuf,
    conn: rusqlite::Connection,
    skipped: std::cell::RefCell<std::collections::BTreeSet<u64>>,
    /// Since the log was last written back.
    changes: u32,
}

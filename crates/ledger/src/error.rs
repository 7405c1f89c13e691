//! What can go wrong with the ledger, each with what to do. A failed call changed nothing. `Full` and `ReadOnly`
//! pass when their cause does; `Corrupt` needs [`crate::set_aside`]; `NewerSchema` needs a person.

use jiff::Timestamp;
use mastmaint_words::{JobName, RunId, StepKey};
use rusqlite::{ErrorCode, ffi};
use std::{io, path::Path, path::PathBuf};

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No space.
    #[error("ledger {}: no space left to record in; runs go on unrecorded until there is: see `df {}`", .path.display(), .path.display())]
    Full {
        /// The ledger.
        path: PathBuf,
    },
    /// It can be read at best.
    #[error("ledger {}: cannot be written ({why}); runs go on unrecorded: check mount, owner and mode of its directory", .path.display())]
    ReadOnly {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// It is damaged.
    #[error("ledger {}: damaged ({what}); set it aside and begin a new one, then look at the disk", .path.display())]
    Corrupt {
        /// The ledger.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A newer mastmaintd wrote it.
    #[error("ledger {}: written by mastmaintd {written_by} with schema {found}, this is {} which knows up to {known}; install that version again, or move the file away to begin a new ledger", .path.display(), env!("CARGO_PKG_VERSION"))]
    NewerSchema {
        /// The ledger.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest that this build knows.
        known: i64,
        /// Version of the program that wrote it, `(unknown)` if it does not say.
        written_by: String,
    },
    /// Another process uses it.
    #[error("ledger {}: another process holds it locked; end that one (`fuser -v {}`)", .path.display(), .path.display())]
    Busy {
        /// The ledger.
        path: PathBuf,
    },
    /// The slot has its run.
    #[error("job {job} already has a run for its slot {slot}; it is not run twice")]
    DuplicateSlot {
        /// The job.
        job: JobName,
        /// Its slot.
        slot: Timestamp,
    },
    /// A run that was never recorded (or is forgotten).
    #[error("run {run} is not in the ledger; its making could not be recorded")]
    UnknownRun {
        /// Which.
        run: RunId,
    },
    /// A step that was never recorded.
    #[error("step {key} is not in the ledger; its start could not be recorded")]
    UnknownStep {
        /// Which.
        key: StepKey,
    },
    /// A row holds a word that this version does not know.
    #[error("ledger {}: a row cannot be read ({what}); a newer mastmaintd may have written it: install that version again to see it", .path.display())]
    Unreadable {
        /// The ledger.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Anything else.
    #[error("ledger {}: {what}; see whether its disk is well (`journalctl -k`)", .path.display())]
    Other {
        /// The ledger.
        path: PathBuf,
        /// What was said.
        what: String,
    },
}

impl LedgerError {
    /// Stable code in kebab-case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Full { .. } => "ledger-full",
            Self::ReadOnly { .. } => "ledger-read-only",
            Self::Corrupt { .. } => "ledger-corrupt",
            Self::NewerSchema { .. } => "ledger-newer-schema",
            Self::Busy { .. } => "ledger-busy",
            Self::DuplicateSlot { .. } => "duplicate-slot",
            Self::UnknownRun { .. } => "run-not-recorded",
            Self::UnknownStep { .. } => "step-not-recorded",
            Self::Unreadable { .. } => "ledger-row-unreadable",
            Self::Other { .. } => "ledger-error",
        }
    }

    /// Whether the ledger cannot record at all just now, as opposed to this one call being refused.
    pub const fn stops_recording(&self) -> bool {
        !matches!(
            self,
            Self::DuplicateSlot { .. }
                | Self::UnknownRun { .. }
                | Self::UnknownStep { .. }
                | Self::Unreadable { .. }
        )
    }

    pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let what = error.to_string();
        match error {
            rusqlite::Error::SqliteFailure(code, _) => match (code.code, code.extended_code) {
                // The wal-index cannot grow: that is a full disk too.
                (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Self::Full { path },
                (ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => Self::ReadOnly { path, why: what },
                (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Self::Corrupt { path, what },
                (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Busy { path },
                (ErrorCode::CannotOpen | ErrorCode::SystemIoFailure, _) => Self::by_trying(path, what),
                _ => Self::Other { path, what },
            },
            // A newer version may have more words: that is one row, not the ledger.
            unread if is_unreadable(unread) => Self::Unreadable { path, what },
            _ => Self::Other { path, what },
        }
    }

    /// SQLite says "unable to open" or "disk I/O error" for many things; a small write beside the file tells which.
    fn by_trying(path: PathBuf, what: String) -> Self {
        let beside = path.with_extension("probe");
        let tried = std::fs::write(&beside, [0_u8; 4096]);
        // Gone or never there: either way nothing is left to do about it.
        let _ = std::fs::remove_file(&beside);
        match tried {
            Ok(()) => match std::fs::OpenOptions::new().append(true).open(&path) {
                Err(e) if is_read_only(&e) => Self::ReadOnly { path, why: e.to_string() },
                _ => Self::Other { path, what },
            },
            Err(e) if is_full(&e) => Self::Full { path },
            Err(e) if is_read_only(&e) => Self::ReadOnly { path, why: e.to_string() },
            Err(e) => Self::Other { path, what: format!("{what} ({e})") },
        }
    }

    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error {
            e if is_full(e) => Self::Full { path },
            e if is_read_only(e) => Self::ReadOnly { path, why: e.to_string() },
            e => Self::Other { path, what: e.to_string() },
        }
    }
}

/// Whether it is about what one row holds.
pub(crate) const fn is_unreadable(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    )
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Why a text does not name a run.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing like it.
    #[error(
        "{text:?} is neither a run, the beginning of one, nor a job that ever ran; see `mastmaintctl history`"
    )]
    NotFound {
        /// What was given.
        text: String,
    },
    /// More than one.
    #[error("{text:?} begins {}: {}", more_than(.candidates.len()), list(.candidates))]
    Ambiguous {
        /// What was given.
        text: String,
        /// The newest runs that it could be, at most ten.
        candidates: Vec<RunId>,
    },
    /// It could not be looked up.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

fn more_than(count: usize) -> String {
    if count < 10 { format!("{count} runs") } else { "many runs".to_owned() }
}

fn list(runs: &[RunId]) -> String {
    runs.iter().map(RunId::as_str).collect::<Vec<_>>().join(", ")
}

//! Why a verification could not be done at all. What is wrong with a backup is a finding, not an error.

use crate::wire::Unanswered;
use std::{io, path::PathBuf};

/// A verification that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file or directory of the backup.
    #[error("{}: {source}", path.display())]
    Backup {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store of proofs.
    #[error("the store of proofs in {}: {source}; the backup was not verified", path.display())]
    Store {
        /// Its directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another verification of the same backup is at work.
    #[error("another verification of this backup is at work (lock {})", path.display())]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// The place in which dumps are brought to life.
    #[error("the place of drills in {}: {source}; nothing was brought to life", path.display())]
    Drill {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Who brings dumps to life does not answer as it should.
    #[error("the drill ended without a result: {0}")]
    Room(io::Error),
    /// Somebody asked for the end.
    #[error("ended before it was done; what is proved stays proved, and the next start goes on from there")]
    Cancelled,
}

impl VerifyError {
    /// Stable code for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup-unreachable",
            Self::Store { .. } => "proof-store",
            Self::Busy { .. } => "already-verifying",
            Self::Drill { .. } => "drill-place",
            Self::Room(_) => "drill-room",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn backup(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Backup { path, source }
    }

    pub(crate) fn store(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Store { path, source }
    }

    pub(crate) fn drill(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Drill { path, source }
    }

    pub(crate) fn room(source: io::Error) -> Self {
        Self::Room(source)
    }
}

impl From<Unanswered> for VerifyError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Cancelled => Self::Cancelled,
            Unanswered::Room(source) => Self::Room(source),
        }
    }
}

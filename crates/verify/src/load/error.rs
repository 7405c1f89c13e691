//! Why a dump was not loaded: what, where, and what to do.

use crate::{error::VerifyError, finding::Finding, verify::NotPicked, wire::Unanswered};
use std::io;

/// Why a dump was not loaded. Today's database is as it was.
#[derive(Debug, thiserror::Error)]
pub enum NotLoaded {
    /// The backup cannot be looked into.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Something is wrong with the dump.
    #[error("{}{}. {}", .0.what, evidence(.0), .0.advice)]
    Found(Box<Finding>),
    /// There is no dump, or none of the name.
    #[error("there is no such dump in the backup; there are: {there}")]
    NoDump {
        /// Some of those that there are.
        there: String,
    },
    /// Nothing speaks for it.
    #[error(
        "{backup} is not proved: {why}; verify it first (mastmaintctl verify {backup}), or restore with --unproved"
    )]
    NotProved {
        /// Which backup.
        backup: String,
        /// Why.
        why: String,
    },
    /// A variable that the step names is not there.
    #[error("the variable {0}, which the step sets, did not come along; see its `environment`")]
    Variable(String),
    /// Who has the database refuses.
    #[error("{why}")]
    Refused {
        /// Stable word for machines.
        code: String,
        /// What, where, and what to do.
        why: String,
    },
    /// Who has the database does not answer as it should.
    #[error(
        "the database room ended without a result: {0}; see journalctl -u 'mastmaintd-database@*', then try again"
    )]
    Room(io::Error),
    /// Something of our own cannot be read or kept.
    #[error("{what}: {source}")]
    Kept {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Somebody asked for the end.
    #[error("ended before it was loaded; nothing is left of the new database")]
    Cancelled,
}

fn evidence(finding: &Finding) -> String {
    finding.evidence.first().map_or_else(String::new, |line| format!(" ({line})"))
}

impl NotLoaded {
    /// Stable code for machines.
    pub fn code(&self) -> String {
        match self {
            Self::Verify(error) => error.code().to_owned(),
            Self::Found(finding) => finding.code.name(),
            Self::NoDump { .. } => "no-dump".to_owned(),
            Self::NotProved { .. } => "not-proved".to_owned(),
            Self::Variable(_) => "no-variable".to_owned(),
            Self::Refused { code, .. } => code.clone(),
            Self::Room(_) => "database-room".to_owned(),
            Self::Kept { .. } => "io".to_owned(),
            Self::Cancelled => "cancelled".to_owned(),
        }
    }
}

impl From<NotPicked> for NotLoaded {
    fn from(why: NotPicked) -> Self {
        match why {
            NotPicked::Found(finding) => Self::Found(finding),
            NotPicked::None(there) if there.is_empty() => Self::NoDump { there: "none".to_owned() },
            NotPicked::None(there) => Self::NoDump { there: there.join(", ") },
            NotPicked::Error(VerifyError::Cancelled) => Self::Cancelled,
            NotPicked::Error(error) => Self::Verify(error),
        }
    }
}

impl From<Unanswered> for NotLoaded {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Cancelled => Self::Cancelled,
            Unanswered::Room(source) => Self::Room(source),
        }
    }
}

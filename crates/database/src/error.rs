//! Why something is not done: what, where, and what to do.

use mastmaint_config::StoreError;
use mastmaint_verify::{Finding, VerifyError};
use std::io;

/// Why a verb ends.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The environment files cannot be read or make no sense.
    #[error("the instance's settings cannot be read: {0}")]
    Settings(String),
    /// The accepted configuration cannot be read.
    #[error(transparent)]
    NotAccepted(#[from] StoreError),
    /// No program of PostgreSQL fits.
    #[error("{what}. {advice}")]
    NoProgram {
        /// What is missing.
        what: String,
        /// What to do.
        advice: String,
    },
    /// The server does not let us in.
    #[error(
        "the database at {at} does not let us in: {why}; see whether PostgreSQL runs, and its pg_hba.conf"
    )]
    Silent {
        /// Where.
        at: String,
        /// What it says.
        why: String,
    },
    /// It is no server but something before one.
    #[error(
        "{at} is a pooler, not PostgreSQL itself: databases cannot be renamed behind it. Give the direct way at the step: environment: {{DB_HOST: …, DB_PORT: \"5432\"}}"
    )]
    Pooler {
        /// Where.
        at: String,
    },
    /// The role may not.
    #[error("{what}; nothing was done. As a superuser: {line}")]
    NoRight {
        /// What is lacking.
        what: String,
        /// The exact line that gives it.
        line: String,
    },
    /// Not enough space.
    #[error("{what}; nothing is left of the new database. Make room there, then try again")]
    NoSpace {
        /// Where, how much is needed and free.
        what: String,
    },
    /// Sessions of others.
    #[error(
        "others are connected to {database}: {sessions}; nothing was done. End them, or have their owners do it"
    )]
    ForeignSessions {
        /// To which database.
        database: String,
        /// Which.
        sessions: String,
    },
    /// Sessions of the own role that are at work.
    #[error(
        "somebody works in {database}: {sessions}; nothing was done. Stop Mastodon's services and close consoles first"
    )]
    SessionsAtWork {
        /// In which database.
        database: String,
        /// Which.
        sessions: String,
    },
    /// The verb does not fit how far the restore is.
    #[error("{what}")]
    NotNow {
        /// Stable code.
        code: &'static str,
        /// What, and what to do.
        what: String,
    },
    /// The dump does not come back.
    #[error("{}{}. {}", .0.what, evidence(.0), .0.advice)]
    Dump(Box<Finding>),
    /// Another verb is at work on the same database.
    #[error("another restore of {0} is at work; wait for its end")]
    Busy(String),
    /// The server refuses.
    #[error("{doing}: PostgreSQL says: {why}")]
    Sql {
        /// What was to be done.
        doing: String,
        /// What it says.
        why: String,
    },
    /// Something went wrong, and what there is of the new database could not be dropped.
    #[error("{source}. What there is of it stays as {name}; the next load drops it")]
    Left {
        /// What went wrong.
        source: Box<Self>,
        /// The database.
        name: String,
    },
    /// A program could not be run.
    #[error("{doing}: {source}")]
    Io {
        /// What was to be done.
        doing: String,
        /// Why it was not.
        source: io::Error,
    },
    /// Somebody asked for the end.
    #[error("ended before it was done; today's database is as it was, and nothing is left of the new one")]
    Cancelled,
    /// Code, secrets and database do not belong together.
    #[error("{what}")]
    NoMatch {
        /// Stable code.
        code: &'static str,
        /// What does not fit, and what to do.
        what: String,
    },
}

fn evidence(finding: &Finding) -> String {
    finding.evidence.first().map_or_else(String::new, |line| format!(" ({line})"))
}

impl DatabaseError {
    /// Stable code for machines.
    pub fn code(&self) -> String {
        let code = match self {
            Self::Settings(_) => "settings",
            Self::NotAccepted(error) => error.code(),
            Self::NoProgram { .. } => "no-program",
            Self::Silent { .. } => "database-silent",
            Self::Pooler { .. } => "pooler",
            Self::NoRight { .. } => "no-right",
            Self::NoSpace { .. } => "no-space",
            Self::ForeignSessions { .. } => "foreign-sessions",
            Self::SessionsAtWork { .. } => "sessions-at-work",
            Self::NotNow { code, .. } | Self::NoMatch { code, .. } => code,
            Self::Dump(finding) => return finding.code.name(),
            Self::Busy(_) => "busy",
            Self::Sql { .. } => "database-refused",
            Self::Left { source, .. } => return source.code(),
            Self::Io { .. } => "io",
            Self::Cancelled => "cancelled",
        };
        code.to_owned()
    }

    /// Says what was to be done when a program failed.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

impl From<VerifyError> for DatabaseError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Cancelled => Self::Cancelled,
            error => Self::Io { doing: "the new database".to_owned(), source: io::Error::other(error) },
        }
    }
}

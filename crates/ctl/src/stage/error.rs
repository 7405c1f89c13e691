//! Why nothing is staged.

use mastmaint_words::BackupName;
use std::{io, path::PathBuf};

/// What keeps a backup from being staged, or ended it.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// It is no dump with a drill that starts Mastodon.
    #[error("{0} cannot be staged: {1}; see the manual, \"Mastodon itself\"")]
    NoBoot(BackupName, &'static str),
    /// It lies on another host, where only a room with the keys reaches it.
    #[error(
        "{0} cannot be staged: it, or its file backup, lies on another host; only what lies on this one is staged"
    )]
    Elsewhere(BackupName),
    /// Only root reads backups.
    #[error("only root may stage a backup; try with sudo")]
    NotRoot,
    /// The room's user is not there.
    #[error("there is no user {0}; is the package of mastmaintd installed as a whole?")]
    NoUser(&'static str),
    /// Somebody else listens there.
    #[error("cannot listen on 127.0.0.1 port {port}: {source}; name another one with --port")]
    Port {
        /// Which.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// It did not come up, or not to its time.
    #[error("{what}")]
    Refused {
        /// The code of what was found.
        code: String,
        /// What was found.
        what: String,
    },
    /// The other end went away without a word.
    #[error("the room ended before the time was over; see journalctl -u 'mastmaintd-boot@*'")]
    Ended,
    /// Somebody has ended it before it was up.
    #[error("ended before it was up; nothing of it is left")]
    ByHand,
    /// It does not come to its end.
    #[error("the room does not say that it has ended; see `systemctl list-units 'mastmaintd-boot@*'`")]
    Left,
    /// Without rooms, who stages is who starts PostgreSQL.
    #[error(
        "without its rooms a stage runs as whoever types it, and PostgreSQL does not as root; type it as somebody else"
    )]
    IsRoot,
    /// The process that browsers speak to has ended by itself.
    #[error(
        "nothing passes on any more what browsers ask; see journalctl -u 'mastmaint-stage-*' and try again"
    )]
    NoRelay,
    /// Who reads what a browser sends could do harm with it.
    #[error(
        "reads nothing of what browsers send: it may more than others ({0}); start it by `mastmaintctl stage`"
    )]
    Privileged(String),
    /// What is to be reached is not what it should be.
    #[error("{}: {why}; it is not connected to", path.display())]
    Door {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl StageError {
    /// Stable code for machines.
    pub fn code(&self) -> &str {
        match self {
            Self::NoBoot(..) => "no-boot",
            Self::Elsewhere(_) => "elsewhere",
            Self::NotRoot => "not-root",
            Self::NoUser(_) => "no-room",
            Self::Port { .. } => "port-taken",
            Self::Refused { code, .. } => code,
            Self::Ended => "stage-ended",
            Self::ByHand => "cancelled",
            Self::Left => "stage-left",
            Self::IsRoot => "is-root",
            Self::NoRelay => "relay-ended",
            Self::Privileged(_) => "privileged",
            Self::Door { .. } => "not-the-room",
        }
    }
}

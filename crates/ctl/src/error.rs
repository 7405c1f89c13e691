//! Everything that can go wrong in `mastmaintctl`. An error is printed once, by `main`, as one line: what happened,
//! what to do, and its stable code in brackets; [`CtlError::exit_code`] is its exit status.

use crate::{exit, stage::StageError};
use mastmaint_control::ClientError;
use mastmaint_words::RunId;
use std::{io, path::PathBuf};

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// The daemon did not answer.
    #[error("{inner} [{code}]", inner = .0, code = code_of(.0))]
    Daemon(#[from] ClientError),
    /// The daemon went away while a run was followed. The run goes on without it.
    #[error(
        "mastmaintd went away and did not come back; the run goes on: see `systemctl status mastmaintd`, then `mastmaintctl show {0}` [lost]"
    )]
    Lost(RunId),
    /// The daemon said no.
    #[error("{message} [{code}]")]
    Refused {
        /// The daemon's code.
        code: String,
        /// The daemon's sentence.
        message: String,
    },
    /// The daemon answered something that does not fit the question.
    #[error(
        "mastmaintd gave an answer that this mastmaintctl does not understand; are both of the same version ({})? [bad-reply]",
        env!("CARGO_PKG_VERSION")
    )]
    BadReply,
    /// What was typed does not fit together.
    #[error("{0} [usage]")]
    Usage(String),
    /// The configuration has mistakes; they were printed already.
    #[error("{0} [bad-config]")]
    BadConfig(String),
    /// A file could not be read or written.
    #[error("{what} {}: {source}; {advice} [file]", path.display())]
    File {
        /// What was tried: `cannot write`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// Something stands in the way that is not ours to remove.
    #[error("{what} {}; {advice} [in-the-way]", path.display())]
    InTheWay {
        /// What it is: `there is already a configuration at`.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
    },
    /// The rooms cannot be fitted to this configuration.
    #[error("{0} [rooms]")]
    Rooms(String),
    /// A command lies where its room does not see it.
    #[error("{0} [hidden-from-room]")]
    Hidden(String),
    /// A program did not do what it was asked.
    #[error("`{command}` did not work: {why} [command]")]
    Command {
        /// As typed.
        command: String,
        /// What it said.
        why: String,
    },
    /// Nothing could be staged, or it ended before its time.
    #[error("{inner} [{code}]", inner = .0, code = .0.code())]
    Stage(#[from] StageError),
    /// The kernel refused something small.
    #[error("{what}: {source} [system]")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0} [output]")]
    Print(#[from] io::Error),
}

impl CtlError {
    /// The exit status that this error ends in.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Daemon(ClientError::Unreachable { .. } | ClientError::Protocol { .. })
            | Self::Lost(_)
            | Self::BadReply => exit::UNREACHABLE,
            Self::BadConfig(_) => exit::BAD_CONFIG,
            Self::Usage(_) => exit::USAGE,
            Self::Daemon(ClientError::PermissionDenied { .. })
            | Self::Refused { .. }
            | Self::File { .. }
            | Self::InTheWay { .. }
            | Self::Rooms(_)
            | Self::Hidden(_)
            | Self::Command { .. }
            | Self::Stage(_)
            | Self::System { .. }
            | Self::Print(_) => exit::NOT_FINE,
        }
    }
}

const fn code_of(error: &ClientError) -> &'static str {
    match error {
        ClientError::Unreachable { .. } => "unreachable",
        ClientError::PermissionDenied { .. } => "not-allowed",
        ClientError::Protocol { .. } => "bad-reply",
    }
}

//! Where dumps are brought to life: a room of systemd behind a socket, or the same program started here.

use super::{Drilled, Order, ask};
use crate::{error::VerifyError, prove::Tell};
use std::{
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    process::{Child, Command},
};

/// How who brings dumps to life is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// Behind this socket.
    Socket(PathBuf),
    /// As a process of our own.
    Program {
        /// `mastmaint-drill`.
        program: PathBuf,
        /// Where it works.
        place: PathBuf,
    },
}

impl Door {
    /// Has a dump brought to life.
    pub fn ask(&self, order: &Order, handed: &[OwnedFd], tell: &dyn Tell) -> Result<Drilled, VerifyError> {
        let (room, program) = self.open().map_err(VerifyError::room)?;
        let handed: Vec<_> = handed.iter().map(OwnedFd::as_fd).collect();
        let drilled = ask(room, order, &handed, tell);
        if let Some(mut program) = program {
            // It ends by itself: it has answered, or it sees that nobody waits any more.
            program.wait().map_err(VerifyError::room)?;
        }
        drilled
    }

    fn open(&self) -> io::Result<(UnixStream, Option<Child>)> {
        match self {
            Self::Socket(path) => Ok((UnixStream::connect(path)?, None)),
            Self::Program { program, place } => {
                let (ours, theirs) = UnixStream::pair()?;
                let mut command = Command::new(program);
                command.arg("--place").arg(place);
                // Without walls Ruby may be where whoever runs this keeps it.
                if let Some(home) = std::env::home_dir() {
                    command.arg("--rubies").arg(home.join(".rbenv/versions"));
                }
                let child = command.stdin(OwnedFd::from(theirs)).spawn()?;
                Ok((ours, Some(child)))
            }
        }
    }
}

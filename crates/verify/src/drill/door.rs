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
    pub fn ask(&self, order: &Order, dump: &OwnedFd, tell: &dyn Tell) -> Result<Drilled, VerifyError> {
        let (room, program) = self.open().map_err(VerifyError::room)?;
        let drilled = ask(room, order, dump.as_fd(), tell);
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
                let child = command.arg("--place").arg(place).stdin(OwnedFd::from(theirs)).spawn()?;
                Ok((ours, Some(child)))
            }
        }
    }
}

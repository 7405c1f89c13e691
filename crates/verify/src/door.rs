//! Where dumps are brought to life: a room of systemd behind a socket, or the same program started here.

use crate::{
    prove::Tell,
    wire::{self, Unanswered, Wait},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    ffi::OsString,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// How who brings dumps to life is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// Behind this socket.
    Socket(PathBuf),
    /// As a process of our own, whose descriptor 0 is the connection.
    Program {
        /// Which.
        program: PathBuf,
        /// With what.
        arguments: Vec<OsString>,
    },
}

impl Door {
    /// `mastmaint-drill`, which works at this place. No room takes the network of the host away from it, so it leaves that.
    pub fn drill(program: PathBuf, place: PathBuf) -> Self {
        let mut arguments = vec!["--own-network".into(), "--place".into(), place.into()];
        // Without walls Ruby may be where whoever runs this keeps it.
        if let Some(home) = std::env::home_dir() {
            arguments.extend(["--rubies".into(), home.join(".rbenv/versions").into()]);
        }
        Self::Program { program, arguments }
    }

    /// `mastmaint-database`, which looks the instance up in what is accepted here.
    pub fn database(program: PathBuf, accepted: &Path) -> Self {
        Self::Program { program, arguments: vec!["--accepted".into(), accepted.into(), "load".into()] }
    }

    /// Has something done behind it.
    pub fn ask<O: Serialize, T: DeserializeOwned>(
        &self,
        order: &O,
        handed: &[OwnedFd],
        wait: Wait,
        tell: &dyn Tell,
    ) -> Result<T, Unanswered> {
        let (room, program) = self.open()?;
        let handed: Vec<_> = handed.iter().map(OwnedFd::as_fd).collect();
        let done = wire::ask(room, order, &handed, wait, tell);
        if let Some(mut program) = program {
            // It ends by itself: it has answered, or it sees that nobody waits any more.
            program.wait()?;
        }
        done
    }

    fn open(&self) -> io::Result<(UnixStream, Option<Child>)> {
        match self {
            Self::Socket(path) => Ok((UnixStream::connect(path)?, None)),
            Self::Program { program, arguments } => {
                let (ours, theirs) = UnixStream::pair()?;
                let mut command = Command::new(program);
                // What came of it is said by who asked.
                command.args(arguments).stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
                let child = command.spawn()?;
                Ok((ours, Some(child)))
            }
        }
    }
}

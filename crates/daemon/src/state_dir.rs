//! The state directory and the lock on it: whoever holds it is the only daemon. The lock is taken on the directory
//! itself, so that it also works where nothing can be written any more, and the kernel gives it back whatever
//! becomes of the daemon.

use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// The locked state directory.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Why it cannot be ours.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another daemon has it.
    #[error("{}: another mastmaintd holds this state directory; use \"mastmaintctl run JOB\" to ask it, or stop it first", .path.display())]
    Held {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be made or opened.
    #[error("{}: the state directory cannot be used: {source}; make it, or name another with --state-dir", .path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateDir {
    /// Makes the directory if it is missing, and takes the lock.
    ///
    /// # Errors
    /// See [`StateDirError`].
    pub fn lock(path: &Path) -> Result<Self, StateDirError> {
        let unusable = |source| StateDirError::Unusable { path: path.to_owned(), source };
        if !path.is_dir() {
            std::fs::create_dir_all(path).map_err(unusable)?;
        }
        let directory = File::open(path).map_err(unusable)?;
        match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(StateDirError::Held { path: path.to_owned() }),
            Err((_, errno)) => Err(unusable(errno.into())),
        }
    }

    /// Where the ledger is.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.sqlite")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_daemon_a_state_directory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let held = StateDir::lock(&path).unwrap();
        assert!(matches!(StateDir::lock(&path), Err(StateDirError::Held { .. })));
        drop(held);
        assert!(StateDir::lock(&path).is_ok());
    }
}

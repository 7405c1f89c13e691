//! The state directory and the lock on it: whoever holds it is the only daemon. The lock is taken on the directory
//! itself, so that it also works where nothing can be written any more, and the kernel gives it back whatever
//! becomes of the daemon.

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
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

/// A child that a killed daemon was just starting holds the lock until it has become its program.
const LINGERS: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(50);

impl StateDir {
    /// Makes the directory if it is missing, and takes the lock.
    ///
    /// # Errors
    /// See [`StateDirError`].
    pub fn lock(path: &Path) -> Result<Self, StateDirError> {
        let unusable = |source| StateDirError::Unusable { path: path.to_owned(), source };
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o750).create(path).map_err(unusable)?;
        }
        let begin = Instant::now();
        let mut directory = File::open(path).map_err(unusable)?;
        loop {
            directory = match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Self { path: path.to_owned(), _lock: lock }),
                Err((held, Errno::EWOULDBLOCK)) if begin.elapsed() < LINGERS => held,
                Err((_, Errno::EWOULDBLOCK)) => return Err(StateDirError::Held { path: path.to_owned() }),
                Err((_, errno)) => return Err(unusable(errno.into())),
            };
            sleep(LOOK);
        }
    }

    /// Whether the host has been up since the last daemon that held this directory; notes the boot for the next one.
    /// `boot` is what tells this boot from others ([`this_boot`]); where that is not known the answer is no.
    pub fn same_boot(&self, boot: Option<&str>) -> bool {
        let note = self.path.join("boot-id");
        let Some(now) = boot else { return false };
        let same = std::fs::read_to_string(&note).is_ok_and(|before| before.trim() == now);
        if !same {
            // Without a note the next daemon is as careful as after a reboot.
            let _ = std::fs::write(&note, now);
        }
        same
    }

    /// Where the ledger is.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.sqlite")
    }
}

/// The kernel's id of this boot. The unit hands it over (`%b`), since its sandbox hides the kernel's own file
/// (`ProcSubset=pid`); without systemd the file is read.
pub fn this_boot() -> Option<String> {
    let known = std::env::var("MASTMAINT_BOOT_ID")
        .or_else(|_| std::fs::read_to_string("/proc/sys/kernel/random/boot_id"));
    // systemd's specifier leaves the dashes out that the kernel writes.
    known.ok().map(|id| id.trim().replace('-', "")).filter(|id| !id.is_empty())
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
        let next = StateDir::lock(&path).unwrap();
        assert!(!next.same_boot(Some("a")), "nobody was here before");
        assert!(next.same_boot(Some("a")));
        assert!(!next.same_boot(Some("b")));
        assert!(!next.same_boot(None), "not known is not the same");
    }
}

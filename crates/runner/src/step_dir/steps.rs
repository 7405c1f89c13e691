//! All steps of a room: which of them are known, who works on which, what is thrown away by age.

use super::{
    Begun, OUTCOME, STARTED, StepDir, TRASH,
    dir::{lock, through},
};
use mastmaint_words::StepKey;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The steps of a room.
#[derive(Debug)]
pub struct Steps {
    root: PathBuf,
}

/// What is known of a step.
#[derive(Debug)]
pub enum Known {
    /// Nothing; with a claim the directory is there, locked and empty.
    Fresh(StepDir),
    /// Nothing, and nothing was made.
    Unknown,
    /// Another runner holds its lock.
    Working,
    /// It is over.
    Finished(StepDir),
    /// It was begun and nobody works on it: its runner died.
    Died(StepDir),
}

impl Steps {
    /// The steps below a room's state directory; makes `steps/` if need be.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(state: &Path) -> io::Result<Self> {
        let root = state.join("steps");
        DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
        // However the state directory is written: a step's directory is also its mark.
        Ok(Self { root: fs::canonicalize(root)? })
    }

    /// The steps below a directory in which there have been some; makes nothing.
    ///
    /// # Errors
    /// If there have been none.
    pub fn there(state: &Path) -> io::Result<Self> {
        Ok(Self { root: fs::canonicalize(state.join("steps"))? })
    }

    /// What is known of a step; makes nothing.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn look(&self, key: &StepKey) -> io::Result<Known> {
        match self.known(key, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Known::Unknown),
            other => other,
        }
    }

    /// What is known of a step; one of which nothing is known is claimed ([`Known::Fresh`]). Of any number of
    /// callers at most one gets the claim.
    ///
    /// # Errors
    /// If the directory cannot be made, read or locked.
    pub fn claim(&self, key: &StepKey) -> io::Result<Known> {
        match DirBuilder::new().mode(0o700).create(self.path(key)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        self.known(key, true)
    }

    /// Connects to the runner that works on a step.
    ///
    /// # Errors
    /// If there is none (any more, or not yet).
    pub fn connect(&self, key: &StepKey) -> io::Result<UnixStream> {
        let handle = File::open(self.path(key))?;
        UnixStream::connect(through(&handle))
    }

    /// Removes what was over (or begun by a runner that died) longer ago than `age`, and what a crash left of
    /// earlier removals. What cannot be removed stays for the next sweep.
    pub fn sweep(&self, age: Duration) {
        let Ok(entries) = fs::read_dir(&self.root) else { return };
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            if name.to_string_lossy().starts_with(TRASH) {
                let _ = fs::remove_dir_all(path);
            } else if is_older(&path.join(OUTCOME), age) || is_older(&path.join(STARTED), age) {
                let Ok(handle) = File::open(&path) else { continue };
                if let Ok(Some(lock)) = lock(&path, true)
                    && (is_older(&path.join(OUTCOME), age) || !path.join(OUTCOME).exists())
                {
                    let _ = StepDir::locked(path, handle, lock).remove();
                }
            }
        }
    }

    /// Every step that was begun, and whether a runner works on it.
    pub fn list(&self) -> Vec<(Begun, bool)> {
        let Ok(entries) = fs::read_dir(&self.root) else { return Vec::new() };
        let begun = entries.flatten().filter_map(|entry| {
            let text = fs::read(entry.path().join(STARTED)).ok()?;
            let begun: Begun = serde_json::from_slice(&text).ok()?;
            // A look at the lock must not make one, nor hold it for longer than the look.
            let working = matches!(lock(&entry.path(), false), Ok(None));
            Some((begun, working))
        });
        begun.collect()
    }

    pub(super) fn path(&self, key: &StepKey) -> PathBuf {
        self.root.join(key.to_string())
    }

    fn known(&self, key: &StepKey, claim: bool) -> io::Result<Known> {
        let path = self.path(key);
        let handle = File::open(&path)?;
        let Some(lock) = lock(&path, claim)? else { return Ok(Known::Working) };
        let dir = StepDir::locked(path, handle, lock);
        Ok(if dir.has(OUTCOME) {
            Known::Finished(dir)
        } else if dir.has(STARTED) {
            Known::Died(dir)
        } else if claim {
            Known::Fresh(dir)
        } else {
            Known::Unknown
        })
    }
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|passed| passed > age))
}

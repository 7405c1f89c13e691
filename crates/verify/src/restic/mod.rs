//! Repositories of restic, through restic itself. Nothing is ever locked: tonight's backup goes first.

mod check;
mod index;
mod snapshot;

pub(crate) use check::{Checked, Pack, next_part};
pub(crate) use snapshot::{Listed, Snapshot, choose, of_anybody};

use crate::{
    away,
    backup::{self, Backup},
    look::Wanted,
    prove::{Tell, Untold},
    reach::{log, sftp, with_environment},
    repository::{Locker, Locks, Refusal, host_name},
    rsnapshot::is_alive,
    tool::{Ran, Said, Tool, last_line},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// What a check that was killed leaves in the cache, and after what time it is surely dead.
const LEFT: &str = "restic-check-cache-";
const DEAD_AFTER: Duration = Duration::from_hours(48);
/// restic renews its locks every five minutes and takes one for dead after this time.
const LOCK_GOOD_FOR: Duration = Duration::from_mins(30);

/// A repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    tool: Tool,
    at: String,
    /// Its directory, if it lies on this host.
    directory: Option<PathBuf>,
}

/// A lock as `restic cat lock` shows it.
#[derive(Debug, Deserialize)]
struct LockFile {
    time: Timestamp,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    pid: i32,
}

impl Repository {
    /// Makes restic ready for it. Nothing is asked of the repository yet.
    pub(crate) fn new(place: &backup::Restic, scratch: &Path) -> Result<Self, Refusal> {
        DirBuilder::new().recursive(true).mode(0o700).create(scratch)?;
        let tool = Tool::find("restic", scratch).ok_or(Refusal::NoProgram("restic"))?;
        let tool = tool
            .with("RESTIC_REPOSITORY", &place.repository)
            .with("RESTIC_PASSWORD_FILE", &place.password_file)
            .word("--no-lock");
        let path = place.repository.strip_prefix("local:").unwrap_or(&place.repository);
        let directory = path.starts_with('/').then(|| PathBuf::from(path));
        let tool = if directory.is_some() {
            // Reading it twice costs less than a copy of its index, and a disk that says no will say no again: restic
            // 0.14 would ask for three quarters of a minute, for each pack.
            tool.word("--no-cache").hopeless("retrying after")
        } else {
            let cache = scratch.join("restic");
            sweep(&cache);
            with_environment(tool.with("RESTIC_CACHE_DIR", cache), &place.reach)?
        };
        let log = log(scratch);
        let tool = match sftp(&place.repository, &place.reach, &log) {
            Some(command) => {
                tool.word("-o").word(format!("sftp.command={command}")).log(log).hopeless(away::LOST)
            }
            None => tool,
        };
        if let Some(directory) = &directory
            && !directory.join("config").exists()
        {
            let says = format!("there is no file {}", directory.join("config").display());
            return Err(Refusal::NoRepository { at: place.repository.clone(), says });
        }
        Ok(Self { tool, at: place.repository.clone(), directory })
    }

    fn run(&self, words: &[&str], tell: &dyn Tell) -> Result<Said, Refusal> {
        match self.tool.run(words, None, tell)? {
            Ran::Ended(said) if said.status.success() => Ok(said),
            Ran::Ended(said) => Err(self.refused(&said)),
            Ran::TooLong | Ran::Cancelled => Err(Refusal::Cancelled),
        }
    }

    /// Why restic said no. Newer versions have exit statuses for it, older ones only words.
    fn refused(&self, said: &Said) -> Refusal {
        refused(&self.at, said.status.code(), &said.complaints)
    }

    /// All snapshots, the oldest first, and what restic says of those that cannot be read.
    pub(crate) fn snapshots(&self) -> Result<(Vec<Snapshot>, Vec<String>), Refusal> {
        let said = self.run(&["snapshots", "--json"], &Untold)?;
        let list: Option<Vec<Snapshot>> = serde_json::from_slice(&said.out)
            .map_err(|error| Refusal::Unreadable { at: self.at.clone(), says: error.to_string() })?;
        let mut list = list.unwrap_or_default();
        list.sort_by_key(|s| s.time);
        let unreadable = said.complaints.lines().filter(|l| l.contains("could not load snapshot"));
        Ok((list, unreadable.map(str::to_owned).collect()))
    }

    /// Who has locked it.
    pub(crate) fn locks(&self, now: Timestamp) -> Result<Locks, Refusal> {
        let mut lockers = Vec::new();
        for id in self.lock_ids()? {
            // A lock that went away since it was listed is none.
            let Ok(said) = self.run(&["cat", "lock", &id], &Untold) else { continue };
            if let Ok(lock) = serde_json::from_slice::<LockFile>(&said.out) {
                lockers.push(Locker { host: lock.hostname, pid: lock.pid, at: Some(lock.time) });
            }
        }
        Ok(Locks::of(lockers, LOCK_GOOD_FOR, &host_name(), now, is_alive))
    }

    fn lock_ids(&self) -> Result<Vec<String>, Refusal> {
        let Some(directory) = &self.directory else {
            let said = self.run(&["list", "locks"], &Untold)?;
            return Ok(String::from_utf8_lossy(&said.out).lines().map(str::to_owned).collect());
        };
        match fs::read_dir(directory.join("locks")) {
            Ok(entries) => {
                Ok(entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why the way to a repository on another host ends.
fn elsewhere(at: &str, complaints: &str) -> Option<Refusal> {
    (!at.starts_with('/')).then(|| away::refused(at, complaints)).flatten()
}

fn refused(at: &str, status: Option<i32>, complaints: &str) -> Refusal {
    let fatal = complaints.lines().find(|l| l.starts_with("Fatal"));
    let says = fatal.map_or_else(|| last_line(complaints), str::to_owned);
    if let Some(refusal) = elsewhere(at, complaints) {
        return refusal;
    }
    let at = at.to_owned();
    let has = |words: &[&str]| words.iter().any(|w| complaints.contains(w));
    match status {
        Some(10) => Refusal::NoRepository { at, says },
        Some(12) => Refusal::WrongPassword { at, says },
        _ if has(&["wrong password", "no key found", "Resolving password failed"]) => {
            Refusal::WrongPassword { at, says }
        }
        _ if has(&["Is there a repository at the following location", "repository does not exist"]) => {
            Refusal::NoRepository { at, says }
        }
        _ if has(&[
            "ciphertext verification failed",
            "invalid data returned",
            "hash",
            "invalid character",
        ]) =>
        {
            Refusal::Damaged { at, says }
        }
        _ => Refusal::Unreadable { at, says },
    }
}

/// Removes what checks that were killed have left.
fn sweep(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let is_old = || entry.metadata().ok()?.modified().ok()?.elapsed().ok().map(|age| age > DEAD_AFTER);
        if entry.file_name().to_string_lossy().starts_with(LEFT) && is_old() == Some(true) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The newest snapshot that holds what the backup is for, with all that is in it.
pub(crate) fn newest(
    place: &backup::Restic,
    backup: &Backup,
    scratch: &Path,
    wanted: Option<&Wanted>,
) -> Result<Option<Listed>, Refusal> {
    let repository = Repository::new(place, scratch)?;
    let (snapshots, _) = repository.snapshots()?;
    let Some(newest) = choose(&snapshots, place, backup) else { return Ok(None) };
    Listed::of(&repository, newest, wanted, &Untold).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_restic_says_no_has_its_word() {
        let of = |status, text: &str| refused("/b", Some(status), text);
        let old = "Fatal: unable to open config file: stat /b/config: no such file or directory\n\
                   Is there a repository at the following location?\n/b\n";
        assert!(matches!(of(1, old), Refusal::NoRepository { .. }));
        assert!(matches!(of(10, "Fatal: repository does not exist"), Refusal::NoRepository { .. }));
        assert!(matches!(of(1, "Fatal: wrong password or no key found\n"), Refusal::WrongPassword { .. }));
        let no_file = "Resolving password failed: Fatal: /p does not exist";
        assert!(matches!(of(1, no_file), Refusal::WrongPassword { .. }));
        assert!(matches!(of(12, "Fatal: wrong"), Refusal::WrongPassword { .. }));
        let damaged = "Fatal: config cannot be loaded: ciphertext verification failed";
        assert!(matches!(of(1, damaged), Refusal::Damaged { .. }));
        assert!(matches!(of(1, "dial tcp: no route to host"), Refusal::Unreadable { .. }));
        let away = refused("s3:host/x", Some(1), "Fatal: dial tcp: no route to host");
        assert!(matches!(away, Refusal::NoAnswer { .. }));
    }
}

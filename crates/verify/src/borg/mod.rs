//! Repositories of Borg, through borg itself; the segments of one on this host are read here. Nothing is ever locked:
//! tonight's backup goes first.

mod archive;
mod lock;
mod segment;

pub(crate) use archive::{Archive, Listed, choose};
pub(crate) use segment::{Reading, Segment, read_segment, segments};

use crate::{
    away, backup,
    look::Wanted,
    prove::{Tell, Untold},
    reach::{log, quoted, ssh, with_environment},
    repository::{Locks, Refusal},
    tool::{Ran, Said, Tool, last_line},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// A repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    tool: Tool,
    at: String,
    /// Its directory, if it lies on this host.
    pub(crate) directory: Option<PathBuf>,
    scratch: PathBuf,
}

#[derive(Debug, Deserialize)]
struct List {
    archives: Vec<Archive>,
}

impl Repository {
    /// Makes borg ready for it. Nothing is asked of the repository yet.
    pub(crate) fn new(place: &backup::Borg, scratch: &Path) -> Result<Self, Refusal> {
        DirBuilder::new().recursive(true).mode(0o700).create(scratch)?;
        let tool = Tool::find("borg", scratch).ok_or(Refusal::NoProgram("borgbackup"))?;
        let mut tool = tool
            .with("BORG_BASE_DIR", scratch.join("borg"))
            .with("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes")
            .with("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
        tool = match &place.password_file {
            Some(file) => tool.with("BORG_PASSCOMMAND", format!("cat {}", quoted(file))),
            None => tool.with("BORG_PASSPHRASE", ""),
        };
        if let Some(key) = &place.key_file {
            tool = tool.with("BORG_KEY_FILE", key);
        }
        let path = place.repository.strip_prefix("file://").unwrap_or(&place.repository);
        let directory = path.starts_with('/').then(|| PathBuf::from(path));
        if directory.is_none() {
            let log = log(scratch);
            tool = with_environment(tool.with("BORG_RSH", ssh(&place.reach, &log)), &place.reach)?.log(log);
        }
        if let Some(directory) = &directory
            && !directory.join("config").exists()
        {
            let says = format!("there is no file {}", directory.join("config").display());
            return Err(Refusal::NoRepository { at: place.repository.clone(), says });
        }
        Ok(Self { tool, at: place.repository.clone(), directory, scratch: scratch.to_owned() })
    }

    fn of(&self, archive: &str) -> String {
        format!("{}::{archive}", self.at)
    }

    /// All whole archives, the oldest first. What was being made when borg broke off is none.
    pub(crate) fn archives(&self) -> Result<Vec<Archive>, Refusal> {
        let said = match self.tool.run(&["list", "--bypass-lock", "--json", &self.at], None, &Untold)? {
            Ran::Ended(said) if said.status.success() => said,
            Ran::Ended(said) => return Err(refused(&self.at, &said.complaints)),
            Ran::TooLong | Ran::Cancelled => return Err(Refusal::Cancelled),
        };
        let list: List = serde_json::from_slice(&said.out)
            .map_err(|error| Refusal::Unreadable { at: self.at.clone(), says: error.to_string() })?;
        let mut archives: Vec<Archive> = list.archives.into_iter().filter(|a| !a.is_checkpoint()).collect();
        archives.sort_by_key(|a| a.start);
        Ok(archives)
    }

    /// Who has locked it, as far as that can be seen from here.
    pub(crate) fn locks(&self, now: Timestamp) -> Result<Locks, Refusal> {
        match &self.directory {
            Some(directory) => Ok(lock::look(directory, now)?),
            None => Ok(Locks::default()),
        }
    }

    /// When something was last written for good: the time of its index.
    pub(crate) fn written(&self) -> Option<SystemTime> {
        let entries = fs::read_dir(self.directory.as_ref()?).ok()?.flatten();
        let indexes = entries.filter(|e| e.file_name().to_string_lossy().starts_with("index."));
        indexes.filter_map(|e| e.metadata().ok()?.modified().ok()).max()
    }

    /// Reads files of an archive to their end, decrypts them and compares them with their names, without writing them
    /// anywhere: all of them, or those that a file of patterns names.
    pub(crate) fn read(
        &self,
        archive: &Archive,
        patterns: Option<&Path>,
        time: Option<Duration>,
        tell: &dyn Tell,
    ) -> Result<Option<Vec<String>>, Refusal> {
        let name = self.of(&archive.name);
        let patterns = patterns.map(|p| p.display().to_string());
        let mut words = vec!["extract", "--bypass-lock", "--dry-run"];
        words.extend(patterns.iter().flat_map(|p| ["--patterns-from", p.as_str()]));
        words.push(&name);
        self.complaints(&words, time, tell)
    }

    /// A file in the scratch directory.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// What borg complains about; nothing if all is well.
    fn complaints(
        &self,
        words: &[&str],
        time: Option<Duration>,
        tell: &dyn Tell,
    ) -> Result<Option<Vec<String>>, Refusal> {
        match self.tool.run(words, time, tell)? {
            Ran::Ended(said) if said.status.success() => Ok(Some(Vec::new())),
            Ran::Ended(said) => match elsewhere(&self.at, &said.complaints) {
                Some(refusal) => Err(refusal),
                None => Ok(Some(lines(&said))),
            },
            Ran::TooLong => Ok(None),
            Ran::Cancelled => Err(Refusal::Cancelled),
        }
    }
}

/// The lines that say something, without the report on the program itself that follows an error.
fn lines(said: &Said) -> Vec<String> {
    let text =
        said.complaints.lines().take_while(|l| !l.starts_with("Traceback") && !l.starts_with("Platform:"));
    let mut lines: Vec<String> = text.map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        lines.push(last_line(&said.complaints));
    }
    lines
}

/// Why the way to a repository on another host ends.
fn elsewhere(at: &str, complaints: &str) -> Option<Refusal> {
    (!at.starts_with('/')).then(|| away::refused(at, complaints)).flatten()
}

fn refused(at: &str, complaints: &str) -> Refusal {
    if let Some(refusal) = elsewhere(at, complaints) {
        return refusal;
    }
    let spoken = complaints.lines().take_while(|l| !l.starts_with("Traceback"));
    let says = spoken.last().map_or_else(|| last_line(complaints), str::to_owned);
    let at = at.to_owned();
    let has = |words: &[&str]| words.iter().any(|w| complaints.contains(w));
    match () {
        () if has(&[
            "passphrase supplied",
            "passphrase is incorrect",
            "No passphrase",
            "No key file",
            "Can not acquire a passphrase",
            "passcommand",
        ]) =>
        {
            Refusal::WrongPassword { at, says }
        }
        () if has(&["does not exist"]) => Refusal::NoRepository { at, says },
        () if has(&[
            "integrity",
            "Integrity",
            "not a valid repository",
            "not a borg repository",
            "invalid config",
            "Inconsistency",
            "Checksum",
            "checksum",
            "not found in repository",
            "has no manifest",
        ]) =>
        {
            Refusal::Damaged { at, says }
        }
        () => Refusal::Unreadable { at, says },
    }
}

/// The newest archive, with all that is in it.
pub(crate) fn newest(
    place: &backup::Borg,
    scratch: &Path,
    wanted: Option<&Wanted>,
) -> Result<Option<Listed>, Refusal> {
    let repository = Repository::new(place, scratch)?;
    let archives = repository.archives()?;
    let Some(newest) = choose(&archives, place) else { return Ok(None) };
    Listed::of(&repository, newest, wanted, &Untold).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_borg_says_no_has_its_word() {
        let of = |text: &str| refused("/b", text);
        let wrong = "passphrase supplied in BORG_PASSPHRASE, by BORG_PASSCOMMAND or via BORG_PASSPHRASE_FD is incorrect.";
        assert!(matches!(of(wrong), Refusal::WrongPassword { .. }));
        assert!(matches!(of("Repository /b does not exist."), Refusal::NoRepository { .. }));
        let damaged = "Data integrity error: Segment entry checksum mismatch [segment 1, offset 8]\nTraceback (most recent call last):\n  x";
        let Refusal::Damaged { says, .. } = of(damaged) else { panic!("not damaged") };
        assert!(says.contains("segment 1, offset 8"), "{says}");
        assert!(matches!(of("Connection closed by remote host."), Refusal::Unreadable { .. }));
        let away = refused("ssh://b@host/b", "Connection closed by remote host.");
        assert!(matches!(away, Refusal::NoAnswer { .. }));
    }
}

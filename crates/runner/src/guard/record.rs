//! What a change may be put back to: one directory a change in the state of the change room, with copies of what is kept
//! and a record that is written when all of them are on the disk, before anything is changed. A directory without a
//! record is one of a change that never began.

use jiff::Timestamp;
use mastmaint_words::{BackupName, JobName, RunId};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const CHANGES: &str = "changes";
const RECORD: &str = "record.json";
/// How long it is remembered how a change ended.
const KEEP: Duration = Duration::from_hours(30 * 24);

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The run that makes it.
    pub(super) run: RunId,
    /// Its job.
    pub(super) job: JobName,
    /// When it began.
    pub(super) begun: Timestamp,
    /// The boot in which it began: after another one web has started on whatever it found.
    pub(super) boot: String,
    /// The Rails root by device and inode.
    pub(super) live: (u64, u64),
    /// What is kept, in the order of the copies.
    pub(super) kept: Vec<Kept>,
    /// Whether it was said that the database would be migrated.
    pub(super) migrates: bool,
    /// The dump that the run has verified before it.
    #[serde(default)]
    pub(super) dump: Option<BackupName>,
    /// The migrations that the database had seen; nothing if it could not be asked.
    pub(super) migrations: Option<BTreeSet<String>>,
    /// How far it is.
    pub(super) phase: Phase,
}

/// A path that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// It, below the Rails root.
    pub(super) path: PathBuf,
    /// Whether something was there.
    pub(super) was_there: bool,
}

/// How far a change is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub(super) enum Phase {
    /// Commands run, or it is looked at what they did.
    Begun,
    /// It stays.
    Kept,
    /// It was put back.
    PutBack {
        /// What was, for people.
        how: String,
        /// What was changed beside it and was not, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not: Option<String>,
        /// Whether web may have started on the change.
        owes_restart: bool,
    },
}

/// The directory of a change.
#[derive(Debug, Clone)]
pub(super) struct Change {
    directory: PathBuf,
}

impl Change {
    pub(super) fn of(state: &Path, run: &RunId) -> Self {
        Self { directory: state.join(CHANGES).join(run.as_str()) }
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        self.directory.display().to_string()
    }

    /// Where copies are.
    pub(super) fn files(&self) -> PathBuf {
        self.directory.join("files")
    }

    /// Where the list of all files is.
    pub(super) fn listing(&self) -> PathBuf {
        self.directory.join("listing")
    }

    /// Makes it anew.
    pub(super) fn make(&self) -> io::Result<()> {
        self.forget()?;
        DirBuilder::new().recursive(true).mode(0o700).create(self.files())
    }

    /// Its record, if it began.
    pub(super) fn record(&self) -> io::Result<Option<Record>> {
        match fs::read(self.directory.join(RECORD)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a record durable.
    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        let path = self.directory.join(RECORD);
        let draft = path.with_extension("new");
        let options = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            options
        };
        let written = options()
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(&serde_json::to_vec(record)?)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(&self.directory)?.sync_all());
        if written.is_err() {
            // A full disk: do not leave the half of it behind.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Removes the copies: the change stays, or was put back.
    pub(super) fn drop_copies(&self) -> io::Result<()> {
        remove(&self.files())?;
        remove(&self.listing())
    }

    /// Removes all of it.
    pub(super) fn forget(&self) -> io::Result<()> {
        remove(&self.directory)
    }

    /// A change of another run that is not over, with its place.
    pub(super) fn unfinished(state: &Path, run: &RunId) -> io::Result<Option<(Record, String)>> {
        for change in Self::all(state)? {
            // One that cannot be read may be unfinished: an error, not none.
            if let Some(record) =
                change.record()?.filter(|record| record.run != *run && record.phase == Phase::Begun)
            {
                return Ok(Some((record, change.place())));
            }
        }
        Ok(None)
    }

    /// Throws away what is over for long.
    pub(super) fn sweep(state: &Path) {
        for change in Self::all(state).unwrap_or_default() {
            let is_over = !matches!(change.record(), Ok(Some(Record { phase: Phase::Begun, .. })) | Err(_));
            let modified = fs::metadata(&change.directory).and_then(|meta| meta.modified());
            let is_old = |at| SystemTime::now().duration_since(at).is_ok_and(|age| age > KEEP);
            if is_over && modified.is_ok_and(is_old) {
                // What stays is the next one's.
                let _ = change.forget();
            }
        }
    }

    fn all(state: &Path) -> io::Result<Vec<Self>> {
        match fs::read_dir(state.join(CHANGES)) {
            Ok(entries) => Ok(entries.flatten().map(|entry| Self { directory: entry.path() }).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// The state directory is the room's own: nobody else has names in it.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(run: &str) -> Record {
        Record {
            run: run.parse().unwrap(),
            job: "theme".parse().unwrap(),
            begun: Timestamp::UNIX_EPOCH,
            boot: "1".into(),
            live: (1, 2),
            kept: vec![Kept { path: "config/themes.yml".into(), was_there: true }],
            migrates: false,
            dump: None,
            migrations: Some(["20260101000000".to_owned()].into()),
            phase: Phase::Begun,
        }
    }

    #[test]
    fn a_change_is_unfinished_until_it_is_kept_or_put_back() {
        let state = tempfile::tempdir().unwrap();
        let (one, other) = (record("20261123T003000Z-7k3f9q"), record("20261124T003000Z-7k3f9q"));
        let change = Change::of(state.path(), &one.run);
        assert_eq!(Change::unfinished(state.path(), &other.run).unwrap(), None);
        change.make().unwrap();
        assert_eq!(change.record().unwrap(), None);
        assert_eq!(Change::unfinished(state.path(), &other.run).unwrap(), None, "it never began");
        change.write(&one).unwrap();
        assert_eq!(change.record().unwrap().as_ref(), Some(&one));
        assert_eq!(Change::unfinished(state.path(), &one.run).unwrap(), None, "its own");
        assert_eq!(
            Change::unfinished(state.path(), &other.run).unwrap().map(|found| found.0),
            Some(one.clone())
        );
        change.write(&Record { phase: Phase::Kept, ..one }).unwrap();
        change.drop_copies().unwrap();
        assert_eq!(Change::unfinished(state.path(), &other.run).unwrap(), None);
        assert!(change.record().unwrap().is_some(), "how it ended is remembered");
    }
}

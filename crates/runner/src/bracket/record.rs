//! What is stopped, by whom, and how it stood before: one file a bracket in the state of the systemctl room, owned by
//! root and durable before anything is stopped. Whoever acts on brackets holds their lock: they are about the same
//! services.

use super::held;
use jiff::Timestamp;
use mastmaint_words::{Digest, JobName, RunId, Span, UnitName};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

const OPEN: &str = "brackets";
const CLOSED: &str = "brackets-closed";
const LOCK: &str = "lock";
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// What nobody asks for any more is thrown away.
const KEEP_CLOSED: Duration = Duration::from_hours(30 * 24);

/// A bracket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The run that stopped the services.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// The configuration that it follows.
    pub digest: Digest,
    /// When it was opened.
    pub opened: Timestamp,
    /// The boot in which it was last acted on: after another one systemd has started Mastodon by itself.
    pub boot: String,
    /// Whether the host has been restarted since it was opened.
    #[serde(default)]
    pub rebooted: bool,
    /// Services that somebody had started when they were to be started, so that steps ran beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub early: Vec<UnitName>,
    /// What runs may be no matching set of code, database and secrets until the run itself has looked: nobody else starts
    /// it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub must_match: bool,
    /// When a daemon last said that it goes on with the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Timestamp>,
    /// How long a started service must stay up, unchanged.
    pub settle: Span,
    /// How far it is.
    pub phase: Phase,
    /// What ran and is owed, in the order in which it is started.
    pub services: Vec<Service>,
    /// What did not run: nobody is owed its start, but where nothing may run it must not, either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub down: Vec<UnitName>,
}

/// How far a bracket is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Phase {
    /// The stop was about to be asked for.
    Stopping,
    /// All is stopped; steps run.
    Stopped,
    /// Being started again. No further step may rely on the stop.
    Starting,
    /// Started in vain so far.
    NotConfirmed {
        /// What is wrong.
        why: String,
    },
    /// Left stopped for a person: there is no whole set of code, database and secrets that it could run on.
    KeptDown {
        /// What is wrong.
        why: String,
    },
    /// Over; the file is about to be put away.
    Closed {
        /// When.
        at: Timestamp,
        /// By whom and how, for people.
        how: String,
        /// How the services stood.
        #[serde(default)]
        seen: Seen,
    },
}

/// How services stood when their bracket was closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Seen up and unchanged for long enough.
    pub up: Vec<UnitName>,
    /// Of these, what could not be asked whether it answers, each with the reason.
    pub not_asked: Vec<String>,
    /// Started by somebody else and left to them.
    pub theirs: Vec<UnitName>,
    /// Stopped, masked or removed by somebody and left as it is.
    pub left: Vec<UnitName>,
    /// Started by somebody while steps of the run relied on it being stopped.
    pub early: Vec<UnitName>,
}

/// A service of a bracket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its unit.
    pub unit: UnitName,
    /// The start that was stopped.
    pub before: String,
    /// Id of our newest start of it that was seen to bring it up, in this boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
}

/// The brackets of a systemctl room, their lock held.
#[derive(Debug)]
pub struct Brackets {
    state: PathBuf,
    _lock: Flock<File>,
}

impl Brackets {
    /// Takes the lock; makes what is missing. `None` if somebody else holds it for all of `patience`.
    ///
    /// # Errors
    /// If the state directory cannot be used.
    pub fn lock(state: &Path, patience: Duration) -> io::Result<Option<Self>> {
        for name in [OPEN, CLOSED] {
            DirBuilder::new().recursive(true).mode(0o700).create(state.join(name))?;
        }
        let path = state.join(OPEN).join(LOCK);
        // Only for reading if it is there: a bracket can be closed on a disk that has become read-only.
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?,
            other => other?,
        };
        let begin = Instant::now();
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Some(Self { state: state.to_owned(), _lock: lock })),
                Err((back, nix::errno::Errno::EWOULDBLOCK)) if begin.elapsed() < patience => file = back,
                Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, errno)) => return Err(errno.into()),
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Every open bracket; what cannot be read is named. Needs no lock: a record is replaced as a whole.
    pub fn list(state: &Path) -> (Vec<Record>, Vec<PathBuf>) {
        let entries = fs::read_dir(state.join(OPEN)).into_iter().flatten().flatten();
        let files =
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json"));
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        for path in files {
            match read(&path) {
                Ok(record) => records.push(record),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => damaged.push(path),
            }
        }
        records.sort_by(|a, b| a.run.cmp(&b.run));
        (records, damaged)
    }

    /// The open bracket of a run.
    ///
    /// # Errors
    /// If there is one that cannot be read.
    pub fn of_run(&self, run: &RunId) -> io::Result<Option<Record>> {
        match read(&self.path(OPEN, run)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// How the bracket of a run was closed, if it was and is still remembered.
    pub fn closed(&self, run: &RunId) -> Option<Record> {
        read(&self.path(CLOSED, run)).ok()
    }

    /// Makes a record durable.
    ///
    /// # Errors
    /// If it cannot be written; then the one before it stands.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        let path = self.path(OPEN, &record.run);
        let draft = path.with_extension("new");
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(&serde_json::to_vec(record)?)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| self.sync(OPEN));
        if written.is_err() {
            // A full disk: do not leave the half of it behind.
            let _ = fs::remove_file(&draft);
        }
        written
    }

    /// Puts a closed bracket away. How it was closed is kept if there is room for it; that it was, always.
    ///
    /// # Errors
    /// If it cannot be moved: then it is closed again by whoever looks next.
    pub fn put_away(&self, record: &Record) -> io::Result<()> {
        let kept = self.write(record);
        held::release(&record.run);
        self.sweep();
        fs::rename(self.path(OPEN, &record.run), self.path(CLOSED, &record.run))?;
        self.sync(OPEN)?;
        self.sync(CLOSED)?;
        kept
    }

    fn sweep(&self) {
        for entry in fs::read_dir(self.state.join(CLOSED)).into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|meta| meta.modified());
            let is_old = |at| SystemTime::now().duration_since(at).is_ok_and(|age| age > KEEP_CLOSED);
            if modified.is_ok_and(is_old) {
                // What stays is the next one's.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, which: &str, run: &RunId) -> PathBuf {
        self.state.join(which).join(format!("{run}.json"))
    }

    fn sync(&self, which: &str) -> io::Result<()> {
        File::open(self.state.join(which))?.sync_all()
    }
}

fn read(path: &Path) -> io::Result<Record> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn record() -> Record {
        Record {
            run: "20261123T003000Z-7k3f9q".parse().unwrap(),
            job: "rebuild".parse().unwrap(),
            digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            opened: Timestamp::UNIX_EPOCH,
            boot: "1".into(),
            rebooted: false,
            early: vec![],
            must_match: false,
            resumed: None,
            settle: Span::from_secs(10),
            phase: Phase::Stopping,
            services: vec![Service { unit: "mastodon-web".parse().unwrap(), before: "a".into(), ours: None }],
            down: vec![],
        }
    }

    #[test]
    fn a_record_is_there_until_it_is_put_away_and_remembered_after() {
        let state = tempfile::tempdir().unwrap();
        let brackets = Brackets::lock(state.path(), Duration::ZERO).unwrap().unwrap();
        assert!(Brackets::lock(state.path(), Duration::ZERO).unwrap().is_none(), "the lock is held");
        let mut record = record();
        brackets.write(&record).unwrap();
        assert_eq!(Brackets::list(state.path()), (vec![record.clone()], vec![]));
        assert_eq!(brackets.of_run(&record.run).unwrap(), Some(record.clone()));
        record.phase = Phase::Closed { at: Timestamp::UNIX_EPOCH, how: "x".into(), seen: Seen::default() };
        brackets.put_away(&record).unwrap();
        assert_eq!(Brackets::list(state.path()), (vec![], vec![]));
        assert_eq!(brackets.of_run(&record.run).unwrap(), None);
        assert_eq!(brackets.closed(&record.run), Some(record));
        drop(brackets);
        assert!(Brackets::lock(state.path(), Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_named_and_not_passed_over() {
        let state = tempfile::tempdir().unwrap();
        let brackets = Brackets::lock(state.path(), Duration::ZERO).unwrap().unwrap();
        fs::write(brackets.path(OPEN, &record().run), "{").unwrap();
        let (records, damaged) = Brackets::list(state.path());
        assert_eq!((records.len(), damaged.len()), (0, 1));
        assert!(brackets.of_run(&record().run).is_err());
    }
}

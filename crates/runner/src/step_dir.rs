//! What a room keeps of a step until it is forgotten: `steps/RUN.STEP/` with a lock that is held while it works, the
//! record of its start and its outcome. Both records are durable (file, rename, directory synced) before anybody
//! relies on them, so that no crash makes a step run twice or lose its outcome.

use crate::codec;
use crate::protocol::{Event, StepReport};
use jiff::Timestamp;
use mastmaint_words::{Digest, JobName, StepKey};
use nix::fcntl::{Flock, FlockArg, posix_fallocate};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const LOCK: &str = "lock";
const SOCKET: &str = "sock";
const STARTED: &str = "started.json";
const CHILD: &str = "child.json";
const EVENTS: &str = "events.jsonl";
const COPY: &str = "copy.gz";
const OUTCOME: &str = "outcome.json";
const RESERVE: &str = "reserve";
/// Kept free for the outcome, so that a disk that fills up while a step runs does not lose it.
const RESERVED: i64 = 128 * 1024;
/// Names of directories that are being removed begin with it; no step key does.
const TRASH: &str = ".trash-";

/// The steps of a room.
#[derive(Debug)]
pub struct Steps {
    root: PathBuf,
}

/// One step's directory with its lock held.
#[derive(Debug)]
pub struct StepDir {
    path: PathBuf,
    handle: File,
    _lock: Flock<File>,
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

/// The record of a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Run and step.
    pub key: StepKey,
    /// Its job.
    pub job: JobName,
    /// The configuration that it is looked up in.
    pub digest: Digest,
    /// When.
    pub at: Timestamp,
}

/// The process of a step, told apart from a later one with the same number by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its number.
    pub pid: i32,
    /// Clock ticks from boot to its start, as in `/proc/PID/stat`.
    pub start_ticks: u64,
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
                    let _ = StepDir { path, handle, _lock: lock }.remove();
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

    fn path(&self, key: &StepKey) -> PathBuf {
        self.root.join(key.to_string())
    }

    fn known(&self, key: &StepKey, claim: bool) -> io::Result<Known> {
        let path = self.path(key);
        let handle = File::open(&path)?;
        let Some(lock) = lock(&path, claim)? else { return Ok(Known::Working) };
        let dir = StepDir { path, handle, _lock: lock };
        Ok(if dir.path.join(OUTCOME).exists() {
            Known::Finished(dir)
        } else if dir.path.join(STARTED).exists() {
            Known::Died(dir)
        } else if claim {
            Known::Fresh(dir)
        } else {
            Known::Unknown
        })
    }
}

impl StepDir {
    /// Makes the start durable and sets room aside for the outcome.
    ///
    /// # Errors
    /// If it cannot be written; then nothing may be started.
    pub fn begin(&self, begun: &Begun) -> io::Result<()> {
        // Blocks that are assigned to the file are not lost to others; what is in them nobody reads.
        posix_fallocate(create(&self.path.join(RESERVE))?, 0, RESERVED)?;
        let parent = File::open(self.path.join(".."))?;
        // The name first, and then the record, its name and the directory's name at once: a file system with a journal
        // makes that one wait instead of three. A power cut in between can leave a torn record; nothing ran by then,
        // and that it is there is what counts ([`Known::Died`]).
        let new = self.path.join(format!("{STARTED}.new"));
        let mut record = create(&new)?;
        record.write_all(&serde_json::to_vec(begun)?)?;
        fs::rename(&new, self.path.join(STARTED))?;
        sync_together(&record, [&self.handle, &parent])
    }

    /// Notes the process; needs not survive a crash of the host, since the process does not either.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note_child(&self, child: Child) -> io::Result<()> {
        create(&self.path.join(CHILD))?.write_all(&serde_json::to_vec(&child)?)
    }

    /// Makes the outcome durable, and as far as there is room the bounded share of events and the copy.
    ///
    /// # Errors
    /// If the outcome cannot be written.
    pub fn finish(&self, report: &StepReport, events: &[u8], copy: &[u8]) -> io::Result<()> {
        let extras = self.put(EVENTS, events).and_then(|()| self.put(COPY, copy));
        if extras.is_err() {
            // Half a share would look like a whole one.
            let _ = fs::remove_file(self.path.join(EVENTS));
            let _ = fs::remove_file(self.path.join(COPY));
        }
        let _ = fs::remove_file(self.path.join(RESERVE));
        self.put(OUTCOME, &serde_json::to_vec(report)?)
    }

    /// What its processes carry to be found by: the directory.
    pub fn mark(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// The record of the start, if it can be read.
    pub fn begun(&self) -> Option<Begun> {
        self.get(STARTED).ok()
    }

    /// The process, if it got as far.
    pub fn child(&self) -> Option<Child> {
        self.get(CHILD).ok()
    }

    /// The outcome.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn outcome(&self) -> io::Result<StepReport> {
        self.get(OUTCOME)
    }

    /// The numbered events after `after`; none where there was no room for them.
    pub fn events(&self, after: u64) -> Vec<Event> {
        let lines = fs::read(self.path.join(EVENTS)).unwrap_or_default();
        let events = lines.split(|byte| *byte == b'\n').filter_map(|line| codec::decode::<Event>(line).ok());
        events.filter(|event| event.seq > after).collect()
    }

    /// The kept copy of the output, gzip; empty if there is none.
    pub fn copy(&self) -> Vec<u8> {
        fs::read(self.path.join(COPY)).unwrap_or_default()
    }

    /// Listens for further clients. The path of the socket may be longer than a socket's address can be, so the
    /// address goes through the open directory.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn listen(&self) -> io::Result<UnixListener> {
        UnixListener::bind(through(&self.handle))
    }

    /// Throws everything away; after a crash in the middle nothing or all of it is left under the step's name.
    ///
    /// # Errors
    /// If the directory cannot be moved away; then it is as it was.
    pub fn remove(self) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let trash = self.path.with_file_name(format!("{TRASH}{name}"));
        fs::rename(&self.path, &trash)?;
        // Whatever stays of it is the next sweep's.
        let _ = fs::remove_dir_all(&trash);
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        let written = create(&new).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        if let Err(error) = written {
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        fs::rename(&new, self.path.join(name))?;
        self.handle.sync_all()
    }

    fn get<T: DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        Ok(serde_json::from_slice(&fs::read(self.path.join(name))?)?)
    }
}

/// `None` if somebody else holds it.
fn lock(dir: &Path, create: bool) -> io::Result<Option<Flock<File>>> {
    let path = dir.join(LOCK);
    // Only for reading if it is there: outcomes can be reported from a disk that has become read-only.
    let file = match File::open(&path) {
        Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?
        }
        other => other?,
    };
    let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Ok(None),
        Err((_, errno)) => return Err(errno.into()),
    };
    // The directory may have been thrown away between open and lock: then this is the lock of nothing.
    match (fs::metadata(&path), lock.metadata()) {
        (Ok(there), Ok(ours)) if there.ino() == ours.ino() && there.dev() == ours.dev() => Ok(Some(lock)),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Comes back when all of them are durable.
fn sync_together(file: &File, directories: [&File; 2]) -> io::Result<()> {
    std::thread::scope(|scope| {
        let syncing = directories.map(|directory| scope.spawn(|| directory.sync_all()));
        let mut synced = file.sync_all();
        for thread in syncing {
            let ended =
                thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs broke off")));
            synced = synced.and(ended);
        }
        synced
    })
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn through(handle: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", handle.as_raw_fd()))
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|meta| meta.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|passed| passed > age))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::{Grade, Outcome, Reason, Span, StepIndex, Verdict};

    fn key() -> StepKey {
        StepKey { run: "20261123T003000Z-7k3f9q".parse().unwrap(), step: StepIndex(0) }
    }

    fn begun() -> Begun {
        Begun {
            key: key(),
            job: "clean".parse().unwrap(),
            digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn report() -> StepReport {
        StepReport {
            key: key(),
            verdict: Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("exit", "it ended with 1")),
            started: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            took: Span::from_secs(1),
            exit: Some(1),
            signal: None,
            lines: 0,
            bytes: 0,
            omitted: 0,
            peak_rss_bytes: None,
            space: None,
        }
    }

    #[test]
    fn a_step_goes_from_fresh_to_finished_and_is_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(state.path()).unwrap();
        assert!(matches!(steps.look(&key()).unwrap(), Known::Unknown));
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        assert!(matches!(steps.claim(&key()).unwrap(), Known::Working), "the lock is held");
        dir.begin(&begun()).unwrap();
        dir.finish(&report(), b"", b"copy").unwrap();
        drop(dir);
        let Known::Finished(dir) = steps.claim(&key()).unwrap() else { panic!("not finished") };
        assert_eq!((dir.outcome().unwrap(), dir.copy()), (report(), b"copy".to_vec()));
        dir.remove().unwrap();
        assert!(matches!(steps.look(&key()).unwrap(), Known::Unknown));
        assert_eq!(fs::read_dir(state.path().join("steps")).unwrap().count(), 0);
    }

    #[test]
    fn begun_without_an_outcome_and_without_a_lock_means_died() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(state.path()).unwrap();
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        dir.begin(&begun()).unwrap();
        drop(dir);
        let Known::Died(dir) = steps.look(&key()).unwrap() else { panic!("not died") };
        assert_eq!(dir.begun(), Some(begun()));
    }

    #[test]
    fn a_record_that_a_power_cut_tore_still_says_that_it_was_begun() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(state.path()).unwrap();
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        dir.begin(&begun()).unwrap();
        fs::write(dir.path.join(STARTED), b"").unwrap();
        drop(dir);
        let Known::Died(dir) = steps.claim(&key()).unwrap() else { panic!("it could run twice") };
        assert_eq!(dir.begun(), None);
    }

    #[test]
    fn a_socket_below_a_very_long_path_can_be_reached() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(&state.path().join("d".repeat(120))).unwrap();
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        let listener = dir.listen().unwrap();
        let mut client = steps.connect(&key()).unwrap();
        client.write_all(b"x").unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn the_sweep_takes_the_old_and_leaves_the_young_and_the_working() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(state.path()).unwrap();
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        dir.begin(&begun()).unwrap();
        dir.finish(&report(), b"", b"").unwrap();
        fs::create_dir(state.path().join("steps/.trash-x")).unwrap();
        steps.sweep(Duration::ZERO);
        assert!(steps.path(&key()).exists(), "its lock is held");
        assert!(!state.path().join("steps/.trash-x").exists());
        drop(dir);
        steps.sweep(Duration::from_hours(1));
        assert!(steps.path(&key()).exists(), "too young");
        steps.sweep(Duration::ZERO);
        assert!(!steps.path(&key()).exists());
    }
}

//! One step's directory: its lock, the records in it, and the socket on which its runner is found.

use super::{OUTCOME, STARTED, TRASH};
use crate::codec;
use crate::protocol::{Event, StepReport};
use jiff::Timestamp;
use mastmaint_words::{Digest, JobName, StepKey};
use nix::fcntl::{Flock, FlockArg, posix_fallocate};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const SOCKET: &str = "sock";
const CHILD: &str = "child.json";
const EVENTS: &str = "events.jsonl";
const COPY: &str = "copy.gz";
const RESERVE: &str = "reserve";
/// Kept free for the outcome, so that a disk that fills up while a step runs does not lose it.
const RESERVED: i64 = 128 * 1024;

/// One step's directory with its lock held.
#[derive(Debug)]
pub struct StepDir {
    path: PathBuf,
    handle: File,
    _lock: Flock<File>,
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

impl StepDir {
    pub(super) const fn locked(path: PathBuf, handle: File, lock: Flock<File>) -> Self {
        Self { path, handle, _lock: lock }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }

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
        // and that it is there is what counts ([`super::Known::Died`]).
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

    /// The same for a runner that goes on with what another left.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn listen_again(&self) -> io::Result<UnixListener> {
        match fs::remove_file(self.path.join(SOCKET)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.listen(),
        }
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
pub(super) fn lock(dir: &Path, create: bool) -> io::Result<Option<Flock<File>>> {
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

pub(super) fn through(handle: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", handle.as_raw_fd()))
}

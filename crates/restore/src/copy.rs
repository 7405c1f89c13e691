//! Copies a generation that lies here as directories: one thread walks and makes directories, two copy files.

use crate::{
    error::{RestoreError, io_at},
    file::{self, Dress, Original, PIECE},
    meter::Meter,
    names::Policy,
    open::directory_below,
    owners::{Owner, Owners, safe_mode},
    record::Recorder,
    survey::{Key, Survey, key},
    walk::{Entry, Visitor, walk},
};
use mastmaint_verify::{Kind, Line, bring::Tree, prove::Stat};
use rustix::fs::{AtFlags, Mode, linkat, mkdirat, readlinkat};
use std::{
    collections::{HashMap, HashSet},
    ffi::{CStr, CString},
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

/// Of two cores one hashes while the other writes.
const WORKERS: usize = 2;
/// So many files wait at most: each keeps two directories open.
const QUEUE: usize = 128;

/// What all copying has in common.
pub(crate) struct Work<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) owners: Owners,
    pub(crate) recorder: &'a Recorder,
    pub(crate) meter: &'a Meter<'a>,
}

/// A file that is to be copied.
pub(crate) struct Job {
    from: Arc<OwnedFd>,
    to: Arc<OwnedFd>,
    name: CString,
    stat: Stat,
    /// From the Rails root.
    path: Vec<u8>,
    /// In the copy.
    into: Vec<u8>,
}

impl Job {
    pub(crate) fn new(entry: &Entry<'_>, to: &Arc<OwnedFd>, into: Vec<u8>) -> Self {
        Self {
            from: Arc::clone(entry.above),
            to: Arc::clone(to),
            name: entry.name.clone(),
            stat: entry.stat,
            path: entry.path.to_vec(),
            into,
        }
    }
}

impl Work<'_> {
    /// A thing of the backup as it will be in the copy.
    pub(crate) fn dressed(&self, stat: &Stat) -> Stat {
        let owner = self.owners.of(Owner { uid: stat.uid, gid: stat.gid });
        let mode = safe_mode(Kind::of(stat), u32::from(stat.mode & 0o7777));
        let mode = (stat.mode & 0o170_000) | u16::try_from(mode).unwrap_or_default();
        Stat { uid: owner.uid, gid: owner.gid, mode, ..*stat }
    }

    fn copy(&self, job: &Job, buffer: &mut [u8]) -> Result<[u8; 32], RestoreError> {
        let device = self.tree.device(job.from.as_fd()).map_err(io_at(&job.path, "look at"))?;
        let dressed = self.dressed(&job.stat);
        let original = Original {
            above: job.from.as_fd(),
            name: &job.name,
            stat: &job.stat,
            path: &job.path,
            proof: self.tree.proof(device, &job.stat, &job.path),
        };
        let hash = file::copy(&original, job.to.as_fd(), dress_of(&dressed), buffer)?;
        self.recorder.add(&Line::of(&job.into, &dressed, Some(hash), None))?;
        self.meter.file(job.stat.size);
        Ok(hash)
    }

    /// Makes a directory of the copy. Its owner comes last, when everything is in it: until then it is ours.
    pub(crate) fn directory(
        &self,
        to: &OwnedFd,
        name: &CStr,
        stat: &Stat,
        into: &[u8],
    ) -> Result<Arc<OwnedFd>, RestoreError> {
        mkdirat(to, name, Mode::from_raw_mode(0o700)).map_err(io_at(into, "make in the copy"))?;
        self.recorder.add(&Line::of(into, &self.dressed(stat), None, None))?;
        Ok(Arc::new(directory_below(to, name).map_err(io_at(into, "open in the copy"))?))
    }
}

/// Owner, permissions and time of a thing that was looked at.
pub(crate) fn dress_of(stat: &Stat) -> Dress {
    let owner = Owner { uid: stat.uid, gid: stat.gid };
    Dress { owner, mode: u32::from(stat.mode & 0o7777), mtime: stat.mtime.0 }
}

/// Runs `walk` with workers that copy the files that it hands over. The first thing that goes wrong ends all.
pub(crate) fn with_workers<T>(
    work: &Work<'_>,
    walk: impl FnOnce(&Queue<'_>) -> Result<T, RestoreError>,
) -> Result<T, RestoreError> {
    let (jobs, taken) = sync_channel(QUEUE);
    let (taken, failed, ends) = (Mutex::new(taken), Mutex::new(None), AtomicBool::new(false));
    let walked = thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| copy_all(work, &taken, &failed, &ends));
        }
        // Dropped at its end: then the workers have seen all.
        let queue = Queue { jobs, ends: &ends };
        let walked = walk(&queue);
        drop(queue);
        walked
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => walked,
    }
}

/// Where files that are to be copied are handed over.
pub(crate) struct Queue<'a> {
    jobs: SyncSender<Job>,
    ends: &'a AtomicBool,
}

impl Queue<'_> {
    pub(crate) fn add(&self, job: Job) -> Result<(), RestoreError> {
        // Somebody has failed and says so.
        let ended = || RestoreError::NotNow { what: "the copy ended".to_owned() };
        if self.ends.load(Ordering::Relaxed) {
            Err(ended())
        } else {
            self.jobs.send(job).map_err(|_| ended())
        }
    }
}

fn copy_all(
    work: &Work<'_>,
    taken: &Mutex<Receiver<Job>>,
    failed: &Mutex<Option<RestoreError>>,
    ends: &AtomicBool,
) {
    let mut buffer = vec![0; PIECE];
    loop {
        let job = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // What waits is taken and dropped: whoever hands over must not wait for ever.
        if ends.load(Ordering::Relaxed) {
            continue;
        }
        if let Err(error) = work.copy(&job, &mut buffer) {
            ends.store(true, Ordering::Relaxed);
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

/// A second name of a file: made when the first one is there.
struct Second {
    first: Vec<u8>,
    to: Vec<u8>,
    stat: Stat,
    hash: [u8; 32],
}

/// Copies the Rails root into `live` in the directory of the run. A file with two names is copied once and
/// linked. Something that was not there when it was looked at is not known to be proved.
pub(crate) fn tree(
    work: &Work<'_>,
    queue: &Queue<'_>,
    root: &Arc<OwnedFd>,
    run: &OwnedFd,
    policy: &Policy,
    survey: &Survey,
) -> Result<(), RestoreError> {
    let stat = mastmaint_verify::prove::stat_of(&**root).map_err(io_at(b"live", "look at"))?;
    let live = work.directory(run, c"live", &stat, b"live")?;
    let mut copying = Copying {
        work,
        queue,
        policy,
        twice: &survey.twice,
        met: Survey::default(),
        targets: vec![live],
        firsts: HashMap::new(),
        seconds: Vec::new(),
        buffer: vec![0; PIECE],
    };
    walk(root, &mut Vec::new(), &mut copying)?;
    if (copying.met.amount, copying.met.needs) != (survey.amount, survey.needs) {
        return Err(RestoreError::Unsettled { path: "the whole".to_owned() });
    }
    for second in copying.seconds {
        let (first, to) = (CString::new(second.first), CString::new(second.to.as_slice()));
        let (Ok(first), Ok(to)) = (first, to) else { continue };
        // Nobody but us can have planted a link on the way: the directories are still ours.
        linkat(run, &first, run, &to, AtFlags::empty()).map_err(io_at(&second.to, "link in the copy"))?;
        let recorded = Line::of(&second.to, &work.dressed(&second.stat), Some(second.hash), None);
        work.recorder.add(&recorded)?;
        work.meter.file(second.stat.size);
    }
    Ok(())
}

struct Copying<'a> {
    work: &'a Work<'a>,
    queue: &'a Queue<'a>,
    policy: &'a Policy,
    twice: &'a HashSet<Key>,
    /// What was copied: it must be what was looked at before.
    met: Survey,
    targets: Vec<Arc<OwnedFd>>,
    firsts: HashMap<Key, (Vec<u8>, [u8; 32])>,
    seconds: Vec<Second>,
    buffer: Vec<u8>,
}

impl Copying<'_> {
    fn target(&self) -> Result<&Arc<OwnedFd>, RestoreError> {
        self.targets.last().ok_or_else(|| io_at(b"live", "open in the copy")(rustix::io::Errno::BADF))
    }

    /// A file with several names in the tree: the first is copied here and now, the others are its links.
    fn several(&mut self, entry: &Entry<'_>, key: Key, into: Vec<u8>) -> Result<(), RestoreError> {
        if let Some((first, hash)) = self.firsts.get(&key) {
            let second = Second { first: first.clone(), to: into, stat: entry.stat, hash: *hash };
            self.seconds.push(second);
            return Ok(());
        }
        let job = Job::new(entry, self.target()?, into.clone());
        let hash = self.work.copy(&job, &mut self.buffer)?;
        self.firsts.insert(key, (into, hash));
        Ok(())
    }
}

impl Visitor for Copying<'_> {
    fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
        if !self.policy.takes(entry.path) {
            return Ok(false);
        }
        self.met.count(entry);
        let made = self.work.directory(self.target()?, entry.name, &entry.stat, &into(entry.path))?;
        self.targets.push(made);
        Ok(true)
    }

    fn leave(&mut self) {
        self.targets.pop();
    }

    fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
        if !self.policy.takes(entry.path) {
            return Ok(());
        }
        self.met.count(entry);
        let into = into(entry.path);
        match entry.kind() {
            Kind::File => {
                let device =
                    self.work.tree.device(entry.above.as_fd()).map_err(io_at(entry.path, "look at"))?;
                let key = key(device, entry.stat.ino);
                if self.twice.contains(&key) {
                    return self.several(entry, key, into);
                }
                self.queue.add(Job::new(entry, self.target()?, into))
            }
            Kind::Link => {
                let target = readlinkat(entry.above, entry.name, Vec::new());
                let target = target.map_err(io_at(entry.path, "read the link"))?;
                let dressed = self.work.dressed(&entry.stat);
                let Dress { owner, mtime, .. } = dress_of(&dressed);
                file::link(self.target()?.as_fd(), entry.name, &target, owner, mtime)
                    .map_err(io_at(&into, "make in the copy"))?;
                self.work.recorder.add(&Line::of(&into, &dressed, None, Some(target.to_bytes())))
            }
            Kind::Directory | Kind::Other => Ok(()),
        }
    }
}

/// Where a path of the Rails root lies in the directory of the run.
fn into(path: &[u8]) -> Vec<u8> {
    [b"live/", path].concat()
}

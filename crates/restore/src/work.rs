//! Copying files by two threads, which are handed them one by one.

use crate::{
    error::RestoreError,
    file::{self, Original, PIECE},
    making::{Making, dress_of},
    walk::Entry,
};
use mastmaint_verify::{Line, bring::Tree, prove::Stat, shown};
use std::{
    cell::RefCell,
    ffi::CString,
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
/// Files are handed over in batches of so many, or of so many bytes: one by one the threads would mostly wake each other.
const BATCH: usize = 32;
const BATCH_BYTES: u64 = 1024 * 1024;
/// So many batches wait at most: each file keeps two directories open.
const QUEUE: usize = 3;

/// What all copying has in common.
pub(crate) struct Work<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) making: Making<'a>,
    /// Also what no proof speaks for.
    pub(crate) unproved: bool,
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
    /// The hash that it was proved to have.
    proof: Option<[u8; 32]>,
}

impl Job {
    pub(crate) fn new(entry: &Entry<'_>, to: &Arc<OwnedFd>, into: Vec<u8>, proof: Option<[u8; 32]>) -> Self {
        Self {
            from: Arc::clone(entry.above),
            to: Arc::clone(to),
            name: entry.name.clone(),
            stat: entry.stat,
            path: entry.path.to_vec(),
            into,
            proof,
        }
    }
}

impl Work<'_> {
    pub(crate) fn copy(&self, job: &Job, buffer: &mut [u8]) -> Result<[u8; 32], RestoreError> {
        if job.proof.is_none() && !self.unproved {
            // It had one when it was looked at.
            return Err(RestoreError::Unsettled { path: shown(&job.path) });
        }
        let dressed = self.making.dressed(&job.stat);
        let original = Original {
            above: job.from.as_fd(),
            name: &job.name,
            stat: &job.stat,
            path: &job.path,
            proof: job.proof,
        };
        let hash = file::copy(&original, job.to.as_fd(), dress_of(&dressed), buffer)?;
        self.making.recorder.add(&Line::of(&job.into, &dressed, Some(hash), None))?;
        self.making.meter.file(job.stat.size);
        self.making.writeback.file(job.stat.size);
        Ok(hash)
    }
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
        let queue = Queue { jobs, batch: RefCell::default(), ends: &ends };
        let walked = walk(&queue);
        queue.end().and(walked)
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => walked,
    }
}

/// Where files that are to be copied are handed over.
pub(crate) struct Queue<'a> {
    jobs: SyncSender<Vec<Job>>,
    batch: RefCell<(Vec<Job>, u64)>,
    ends: &'a AtomicBool,
}

impl Queue<'_> {
    pub(crate) fn add(&self, job: Job) -> Result<(), RestoreError> {
        let mut batch = self.batch.borrow_mut();
        let (jobs, bytes) = &mut *batch;
        *bytes += job.stat.size;
        jobs.push(job);
        if jobs.len() < BATCH && *bytes < BATCH_BYTES {
            return Ok(());
        }
        *bytes = 0;
        self.send(std::mem::take(jobs))
    }

    fn end(self) -> Result<(), RestoreError> {
        let (jobs, _) = self.batch.take();
        self.send(jobs)
    }

    fn send(&self, jobs: Vec<Job>) -> Result<(), RestoreError> {
        // Somebody has failed and says so.
        let ended = || RestoreError::NotNow { what: "the copy ended".to_owned() };
        if self.ends.load(Ordering::Relaxed) {
            return Err(ended());
        }
        self.jobs.send(jobs).map_err(|_| ended())
    }
}

fn copy_all(
    work: &Work<'_>,
    taken: &Mutex<Receiver<Vec<Job>>>,
    failed: &Mutex<Option<RestoreError>>,
    ends: &AtomicBool,
) {
    let mut buffer = vec![0; PIECE];
    loop {
        let batch = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return };
        for job in batch {
            // What waits is taken and dropped: whoever hands over must not wait for ever.
            if ends.load(Ordering::Relaxed) {
                break;
            }
            if let Err(error) = work.copy(&job, &mut buffer) {
                ends.store(true, Ordering::Relaxed);
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    }
}

//! The store of proofs: one file with every proof, and one that grows by what the night has proved so far.
//!
//! Killed at any point it loses nothing that was written: the file of the night is read again and its last frame is
//! dropped if it was not finished. The large file is replaced by a rename, never written to in place.

mod frame;
mod records;

pub(crate) use records::Finished;
pub use records::{History, Identity, Proof, State};

use super::night::{Nightly, SAME_NIGHT};
use crate::{error::VerifyError, stamp::Stamp};
use frame::{Frames, MAGIC, append};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use records::Record;
use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many nights of sizes and counts are kept.
const HISTORY: usize = 60;
/// Seconds that a clock may be set back without making proofs worthless.
const CLOCK_SLACK: u32 = 86_400;
/// A power cut costs at most what was proved in this time.
const SYNC_EVERY: Duration = Duration::from_secs(10);

/// The proofs of one backup, open and locked.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// Unlocked when it is dropped: a child between fork and exec has the file open too, and closing would not do.
    _lock: Option<Flock<File>>,
    generation: u64,
    proofs: Vec<Proof>,
    index: HashMap<Identity, u32>,
    history: Vec<History>,
    finished: Vec<Finished>,
    cut_off: Option<Stamp>,
    set_aside: Option<PathBuf>,
    night: Mutex<Option<Night>>,
}

/// The file of a night and what went into it since it was opened.
#[derive(Debug)]
struct Night {
    file: File,
    proved: Vec<Proof>,
    synced: Instant,
    frame: Vec<u8>,
}

impl Store {
    /// Opens the store in its directory, or makes one. A damaged one is set aside, and all proofs begin again.
    pub fn open(directory: &Path, now: Stamp) -> Result<Self, VerifyError> {
        let of = VerifyError::store;
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(of(directory))?;
        let lock = directory.join("lock");
        let file = private().write(true).open(&lock).map_err(of(directory))?;
        let held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((_, Errno::EWOULDBLOCK)) => return Err(VerifyError::Busy { path: lock }),
            Err((_, error)) => return Err(of(directory)(error.into())),
        };
        let mut store = Self::empty(directory, Some(held));
        if !store.read_all().map_err(of(directory))? {
            let put = directory.join(format!("proofs.damaged-{}", now.0));
            fs::rename(store.path("proofs"), &put).map_err(of(directory))?;
            store.forget();
            store.set_aside = Some(put);
        }
        store.read_night().map_err(of(directory))?;
        Ok(store)
    }

    /// Looks into a store of somebody else and changes nothing. There is nothing in one that is not there, or that is
    /// damaged: who made it will say so.
    pub fn look(directory: &Path) -> Result<Self, VerifyError> {
        let of = VerifyError::store;
        let lock = directory.join("lock");
        let file = match File::open(&lock) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::empty(directory, None)),
            Err(error) => return Err(of(directory)(error)),
        };
        let held = match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(held) => held,
            Err((_, Errno::EWOULDBLOCK)) => return Err(VerifyError::Busy { path: lock }),
            Err((_, error)) => return Err(of(directory)(error.into())),
        };
        let mut store = Self::empty(directory, None);
        if !store.read_all().map_err(of(directory))? {
            store.forget();
            return Ok(store);
        }
        let night = store.path("night");
        if let Some(mut frames) = Frames::open(&night).map_err(of(directory))? {
            store.proofs_of(&mut frames).map_err(of(directory))?;
        }
        // All of it is read: tonight's verification need not wait.
        drop(held);
        Ok(store)
    }

    fn empty(directory: &Path, held: Option<Flock<File>>) -> Self {
        Self {
            directory: directory.to_owned(),
            _lock: held,
            generation: 0,
            proofs: Vec::new(),
            index: HashMap::new(),
            history: Vec::new(),
            finished: Vec::new(),
            cut_off: None,
            set_aside: None,
            night: Mutex::new(None),
        }
    }

    /// Where a damaged store was put, if there was one.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// Every proof, in no order.
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }

    /// Sizes and counts of earlier nights, oldest first.
    pub fn history(&self) -> &[History] {
        &self.history
    }

    /// Where it is.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Bytes that the store takes on disk.
    pub fn bytes(&self) -> u64 {
        ["proofs", "night"].iter().filter_map(|n| fs::metadata(self.path(n)).ok()).map(|m| m.len()).sum()
    }

    /// The proof of an inode.
    pub fn proof_of(&self, identity: Identity) -> Option<&Proof> {
        self.position(identity).map(|at| &self.proofs[at])
    }

    pub(crate) fn position(&self, identity: Identity) -> Option<usize> {
        self.index.get(&identity).map(|i| *i as usize)
    }

    pub(crate) fn finished(&self, stamp: Stamp) -> Option<&Finished> {
        self.finished.iter().find(|f| f.stamp == stamp)
    }

    /// Every generation that was walked from end to end.
    pub(crate) fn all_finished(&self) -> &[Finished] {
        &self.finished
    }

    /// Begins a night, or goes on with one that was cut off; says when it began.
    pub(crate) fn begin(&mut self, nightly: &Nightly) -> Result<Stamp, VerifyError> {
        let directory = self.directory.clone();
        let of = || VerifyError::store(&directory);
        let path = self.path("night");
        let began = match self.cut_off {
            Some(began) if began >= nightly.now.before(SAME_NIGHT) => began,
            other => {
                if other.is_some() {
                    // What an older night has proved stays proved.
                    self.rewrite().map_err(of())?;
                }
                let began = self.begins(nightly);
                let mut text = MAGIC.to_vec();
                append(&mut text, &Record::Night { generation: self.generation, began }.encode());
                replace(&path, |file| file.write_all(&text)).map_err(of())?;
                began
            }
        };
        let file = OpenOptions::new().append(true).open(&path).map_err(of())?;
        let night = Night { file, proved: Vec::new(), synced: Instant::now(), frame: Vec::new() };
        *self.night.lock().unwrap_or_else(PoisonError::into_inner) = Some(night);
        Ok(began)
    }

    /// When a new night begins: after everything that was read before, also if the clock was set back meanwhile.
    fn begins(&mut self, nightly: &Nightly) -> Stamp {
        let ahead = Stamp(nightly.now.0.saturating_add(CLOCK_SLACK));
        for proof in self.proofs.iter_mut().filter(|p| p.tried > ahead) {
            // The clock was wrong when it was proved: its age is not known.
            (proof.tried, proof.proved) = (Stamp(1), Stamp(1));
        }
        let last = self.proofs.iter().map(|p| p.tried).max().unwrap_or(Stamp::NEVER);
        nightly.now.max(Stamp(last.0.saturating_add(1)))
    }

    /// Keeps one proof of the night. It survives the death of this process as soon as this returns.
    pub(crate) fn keep(&self, proof: Proof) -> io::Result<()> {
        let mut night = self.night.lock().unwrap_or_else(PoisonError::into_inner);
        let night = night.as_mut().ok_or_else(|| io::Error::other("no night has begun"))?;
        night.frame.clear();
        append(&mut night.frame, &Record::Proof(proof.clone()).encode());
        night.file.write_all(&night.frame)?;
        night.proved.push(proof);
        if night.synced.elapsed() >= SYNC_EVERY {
            night.file.sync_data()?;
            night.synced = Instant::now();
        }
        Ok(())
    }

    /// Leaves a night that was cancelled as it is: the next start goes on with it.
    pub(crate) fn pause(&mut self) -> io::Result<()> {
        let night = self.night.lock().unwrap_or_else(PoisonError::into_inner).take();
        night.map_or(Ok(()), |n| n.file.sync_data())
    }

    /// Takes the proofs of the night over into the others.
    pub(crate) fn take_over(&mut self) {
        let night = self.night.lock().unwrap_or_else(PoisonError::into_inner).take();
        for proof in night.map(|n| n.proved).unwrap_or_default() {
            self.put(proof);
        }
    }

    /// Ends the night: drops what is gone, adds to the history, and replaces the large file.
    pub(crate) fn finish(
        &mut self,
        stays: impl Fn(usize) -> bool,
        finished: Vec<Finished>,
        history: Option<History>,
    ) -> Result<(), VerifyError> {
        let mut at = 0;
        self.proofs.retain(|_| {
            at += 1;
            stays(at - 1)
        });
        self.finished = finished;
        self.history.extend(history);
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
        self.rewrite().map_err(VerifyError::store(&self.directory))
    }

    fn put(&mut self, proof: Proof) {
        if let Some(&at) = self.index.get(&proof.identity) {
            self.proofs[at as usize] = proof;
        } else {
            let at = u32::try_from(self.proofs.len()).unwrap_or(u32::MAX);
            self.index.insert(proof.identity, at);
            self.proofs.push(proof);
        }
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.generation += 1;
        let begin = Record::Begin { generation: self.generation };
        let mut count = 0_u64;
        replace(&self.path("proofs"), |file| {
            let mut out = BufWriter::with_capacity(256 * 1024, file);
            out.write_all(MAGIC)?;
            let mut frame = Vec::new();
            let mut write = |record: &[u8]| {
                frame.clear();
                append(&mut frame, record);
                out.write_all(&frame)
            };
            write(&begin.encode())?;
            for history in &self.history {
                write(&Record::History(*history).encode())?;
            }
            for finished in &self.finished {
                write(&Record::Finished(*finished).encode())?;
            }
            for proof in &self.proofs {
                write(&Record::encode_proof(proof))?;
                count += 1;
            }
            write(&Record::End { count }.encode())?;
            out.flush()
        })?;
        self.index = self.proofs.iter().zip(0_u32..).map(|(p, i)| (p.identity, i)).collect();
        match fs::remove_file(self.path("night")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads the large file; `false` if it is damaged.
    fn read_all(&mut self) -> io::Result<bool> {
        let Some(mut frames) = Frames::open(&self.path("proofs"))? else { return Ok(true) };
        let mut ended = false;
        while let Some(frame) = frames.next()? {
            match Record::decode(frame) {
                Some(Record::Begin { generation }) => self.generation = generation,
                Some(Record::Proof(proof)) => self.put(proof),
                Some(Record::History(history)) => self.history.push(history),
                Some(Record::Finished(finished)) => self.finished.push(finished),
                Some(Record::End { count }) => ended = count == self.proofs.len() as u64,
                Some(Record::Night { .. }) | None => return Ok(false),
            }
        }
        Ok(ended && frames.is_whole())
    }

    /// Reads the file of a night that was cut off, and cuts its torn end off.
    fn read_night(&mut self) -> io::Result<()> {
        let path = self.path("night");
        let Some(mut frames) = Frames::open(&path)? else { return Ok(()) };
        // It was taken over already, or its proofs belong to a store that was set aside.
        let Some(began) = self.proofs_of(&mut frames)? else { return fs::remove_file(&path) };
        if !frames.is_whole() {
            let file = OpenOptions::new().write(true).open(&path)?;
            file.set_len(frames.whole())?;
            file.sync_all()?;
        }
        self.cut_off = Some(began);
        Ok(())
    }

    /// Takes the proofs of a night that belongs to this store, and says when it began.
    fn proofs_of(&mut self, frames: &mut Frames) -> io::Result<Option<Stamp>> {
        let began = match frames.next()?.and_then(Record::decode) {
            Some(Record::Night { generation, began }) if generation == self.generation => began,
            _ => return Ok(None),
        };
        while let Some(Record::Proof(proof)) = frames.next()?.and_then(Record::decode) {
            self.put(proof);
        }
        Ok(Some(began))
    }

    fn forget(&mut self) {
        self.generation = 0;
        self.proofs.clear();
        self.index.clear();
        self.history.clear();
        self.finished.clear();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).mode(0o600);
    options
}

/// Replaces a file by one that is whole on disk before it has the name.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    write(&mut file)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;

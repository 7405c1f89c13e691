//! Meeting files: each inode is looked at once, and read if it is due.

use super::{
    blast::is_per_path,
    device::Device,
    hash::{Hash, Reading, hash_at},
    judge::{Judged, Met, judge},
    night::Nightly,
    open::{Stat, stat_at},
    outcome::Summary,
    seen::Seen,
    shelf::Shelved,
    store::{Identity, Proof, State, Store},
    tell::{Tell, Told},
    tonight::{Count, RootCounts, RootNumbers, Some as Examples, Tonight},
    walk::{Entry, Trouble, Visitor, trouble_of},
};
use crate::stamp::{Nanos, Stamp};
use rustix::fs::FileType;
use std::{
    cell::RefCell,
    collections::HashSet,
    ffi::CStr,
    io,
    os::fd::BorrowedFd,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
    time::Instant,
};

const BUFFER: usize = 128 * 1024;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// A night at work.
pub(super) struct Proving<'a> {
    pub(super) store: &'a Store,
    pub(super) nightly: Nightly,
    pub(super) began: Stamp,
    stamps: &'a [Option<Stamp>],
    here: HashSet<Stamp>,
    tell: &'a dyn Tell,
    seen: Seen,
    roots: Vec<RootCounts>,
    files: Count,
    bytes: Count,
    proved: Count,
    oldest: AtomicU32,
    youngest: AtomicI64,
    /// What is younger than this is dated ahead: one odd file must not make all of them young.
    horizon: Nanos,
    /// The youngest of those.
    ahead: AtomicI64,
    read: Count,
    read_bytes: Count,
    due: Count,
    due_bytes: Count,
    bad: Count,
    new: Count,
    altered: Count,
    replaced: Count,
    unsettled: Count,
    rotten: Mutex<Vec<Identity>>,
    changed: Examples,
    unreadable: Examples,
    per_path: AtomicBool,
    error: Mutex<Option<io::Error>>,
    is_broken: AtomicBool,
    deadline: Option<Instant>,
    pub(super) shelf: Option<Mutex<Vec<Shelved>>>,
}

/// A file that is looked at tonight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) identity: Identity,
    pub(super) position: Option<usize>,
    pub(super) judged: Judged,
    pub(super) stat: Stat,
    pub(super) root: usize,
}

/// What stands for a file in the store.
pub(super) fn identity_of(entry: &Entry<'_>, stamp: Option<Stamp>) -> Identity {
    identity_at(entry.device, entry.ino, stamp, || entry.path())
}

/// The same of an inode, whose path begins with the name of its root.
pub fn identity_at(
    device: Device,
    ino: u64,
    stamp: Option<Stamp>,
    path: impl FnOnce() -> Vec<u8>,
) -> Identity {
    let fs = device.key;
    if !is_per_path(device.numbers) {
        return Identity { fs, ino };
    }
    let path = path();
    // Names of generations rotate, their stamps do not.
    let from = if stamp.is_some() { path.iter().position(|b| *b == b'/').unwrap_or(0) } else { 0 };
    let below = &path[from..];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&stamp.unwrap_or_default().0.to_le_bytes()).update(below);
    let mut ino = [0; 8];
    ino.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    Identity { fs, ino: u64::from_le_bytes(ino) }
}

/// So many seconds may the clocks of two hosts differ.
const SKEW: i64 = 3600;

impl<'a> Proving<'a> {
    pub(super) fn new(
        store: &'a Store,
        nightly: &Nightly,
        began: Stamp,
        stamps: &'a [Option<Stamp>],
        tell: &'a dyn Tell,
    ) -> Self {
        let (due, due_bytes) = (Count::default(), Count::default());
        for proof in store.proofs().iter().filter(|p| nightly.is_due(began, p.proved, p.tried)) {
            due.add(1);
            due_bytes.add(proof.size);
        }
        Self {
            store,
            nightly: *nightly,
            began,
            stamps,
            here: stamps.iter().flatten().copied().collect(),
            tell,
            seen: Seen::new(store.proofs().len()),
            roots: stamps.iter().map(|_| RootCounts::default()).collect(),
            files: Count::default(),
            bytes: Count::default(),
            proved: Count::default(),
            oldest: AtomicU32::new(u32::MAX),
            youngest: AtomicI64::new(0),
            horizon: Nanos::new(i64::from(began.0) + SKEW, 0),
            ahead: AtomicI64::new(0),
            read: Count::default(),
            read_bytes: Count::default(),
            due,
            due_bytes,
            bad: Count::default(),
            new: Count::default(),
            altered: Count::default(),
            replaced: Count::default(),
            unsettled: Count::default(),
            rotten: Mutex::default(),
            changed: Examples::default(),
            unreadable: Examples::default(),
            per_path: AtomicBool::new(false),
            error: Mutex::default(),
            is_broken: AtomicBool::new(false),
            deadline: nightly.time().map(|time| Instant::now() + time),
            // With a limit of bytes nothing is read before all is known: only then is the oldest read first.
            shelf: nightly.bytes().map(|_| Mutex::default()),
        }
    }

    fn meet(&self, entry: &Entry<'_>) {
        let counts = &self.roots[entry.root];
        counts.paths.add(1);
        if entry.kind != FileType::RegularFile {
            return;
        }
        let stamp = self.stamps[entry.root];
        if is_per_path(entry.device.numbers) {
            self.per_path.store(true, Ordering::Relaxed);
        }
        let identity = identity_of(entry, stamp);
        let position = self.store.position(identity);
        if let Some(position) = position {
            if self.seen.meet_known(position) {
                return counts.bytes.add(self.store.proofs()[position].size);
            }
        } else if let Some(size) = self.seen.size_of(identity) {
            return counts.bytes.add(size);
        }
        let stat = match stat_at(entry.directory, entry.name) {
            Ok(stat) => stat,
            Err(error) => {
                if let Some(position) = position {
                    // Another name of it may still be there.
                    self.seen.forget_known(position);
                }
                return self.trouble(entry.root, entry.path(), trouble_of(error));
            }
        };
        counts.bytes.add(stat.size);
        if position.is_none() && !self.seen.meet_fresh(identity, stat.size) {
            return;
        }
        if stat.links == 1 {
            counts.singles.add(1);
        }
        self.files.add(1);
        self.bytes.add(stat.size);
        let youngest = if stat.mtime > self.horizon { &self.ahead } else { &self.youngest };
        youngest.fetch_max(stat.mtime.0, Ordering::Relaxed);
        let proof = position.map(|p| &self.store.proofs()[p]);
        let met = Met { size: stat.size, mtime: stat.mtime, birth: stat.birth };
        let subject = Subject { identity, position, judged: judge(proof, &met), stat, root: entry.root };
        self.consider(&subject, proof, entry);
    }

    fn consider(&self, subject: &Subject, proof: Option<&Proof>, entry: &Entry<'_>) {
        if let Some(proof) = proof.filter(|_| subject.judged == Judged::Same)
            && !self.nightly.is_due(self.began, proof.proved, proof.tried)
        {
            if self.stamps[subject.root].is_some() && !self.here.contains(&proof.generation) {
                // The generation in which it was met is gone; it lives on in this one.
                self.keep(Proof { path: entry.path().into(), ..self.of_tonight(subject, proof) });
            }
            return self.tally(subject, proof, &|| entry.path());
        }
        let was_counted = proof.is_some_and(|p| self.nightly.is_due(self.began, p.proved, p.tried));
        if !was_counted {
            self.due.add(1);
            self.due_bytes.add(subject.stat.size);
        }
        if let Some(shelf) = &self.shelf {
            let tried = proof.filter(|_| subject.judged == Judged::Same).map_or(Stamp::NEVER, |p| p.tried);
            let shelved = Shelved { subject: *subject, tried, path: entry.path() };
            shelf.lock().unwrap_or_else(PoisonError::into_inner).push(shelved);
            return;
        }
        self.read(subject, entry.directory, entry.name, &|| entry.path());
    }

    /// Reads a file that is due, compares, and keeps what came of it.
    pub(super) fn read(
        &self,
        subject: &Subject,
        directory: BorrowedFd<'_>,
        name: &CStr,
        path: &dyn Fn() -> Vec<u8>,
    ) {
        let proof = subject.position.map(|p| &self.store.proofs()[p]);
        if self.deadline.is_some_and(|d| Instant::now() >= d) {
            return self.skip(subject, proof, path);
        }
        let known =
            proof.filter(|_| subject.judged == Judged::Same && proof.is_some_and(|p| p.hash != [0; 32]));
        let mut reading = self.hash(subject, directory, name);
        if let (Reading::Whole(hash, _), Some(known)) = (&reading, known)
            && *hash != known.hash
        {
            // Once more: what a cable or a memory module garbled is not in the file.
            reading = self.hash(subject, directory, name);
        }
        match reading {
            Reading::Whole(hash, _) => {
                self.read.add(1);
                match known {
                    Some(known) if known.hash != hash => {
                        let found = Proof { state: State::Rotten, ..self.of_tonight(subject, known) };
                        let found = Proof { tried: self.now(), path: path().into(), ..found };
                        self.keep(found.clone());
                        self.tally(subject, &found, path);
                    }
                    _ => self.prove(subject, proof, hash, path),
                }
            }
            Reading::Unreadable(error) => {
                let blank = Proof::default();
                let found = self.of_tonight(subject, known.unwrap_or(&blank));
                let found =
                    Proof { state: State::Unreadable, tried: self.now(), path: path().into(), ..found };
                self.keep(found);
                self.bad.add(1);
                self.roots[subject.root].is_bad.store(true, Ordering::Relaxed);
                self.unreadable.add(&path(), &io::Error::from(error).to_string());
            }
            Reading::Unsettled => self.unsettled.add(1),
            Reading::Cancelled => {}
        }
    }

    fn hash(&self, subject: &Subject, directory: BorrowedFd<'_>, name: &CStr) -> Reading {
        READ.with_borrow_mut(|buffer| {
            hash_at(directory, name, &subject.stat, buffer, |count| {
                self.read_bytes.add(count);
                self.tell.progress(self.told());
                !self.is_cancelled()
            })
        })
    }

    fn told(&self) -> Told {
        let due_bytes = self.due_bytes.get();
        Told {
            files: self.files.get(),
            read: self.read.get(),
            bytes: self.read_bytes.get(),
            due: self.due.get(),
            due_bytes: self.nightly.bytes().map_or(due_bytes, |most| most.min(due_bytes)),
        }
    }

    fn prove(&self, subject: &Subject, proof: Option<&Proof>, hash: Hash, path: &dyn Fn() -> Vec<u8>) {
        match subject.judged {
            Judged::New => self.new.add(1),
            Judged::Replaced => self.replaced.add(1),
            // Only its time was set: its content is what it was.
            Judged::Changed if proof.is_some_and(|p| p.hash == hash) => {}
            Judged::Changed => {
                self.altered.add(1);
                if proof.is_some_and(|p| self.here.contains(&p.generation)) {
                    self.changed.add(&path(), "");
                }
            }
            Judged::Same => {}
        }
        let keeps_its_age = matches!(subject.judged, Judged::Same | Judged::Changed);
        let first_seen = proof.filter(|_| keeps_its_age).map_or(self.now(), |p| p.first_seen);
        let now = self.now();
        let found = Proof { hash, first_seen, proved: now, tried: now, ..Proof::default() };
        let found = Proof { path: path().into(), ..self.of_tonight(subject, &found) };
        self.keep(found.clone());
        self.tally(subject, &found, path);
    }

    /// The same proof with what the file system says tonight.
    fn of_tonight(&self, subject: &Subject, proof: &Proof) -> Proof {
        Proof {
            identity: subject.identity,
            birth: subject.stat.birth,
            size: subject.stat.size,
            mtime: subject.stat.mtime,
            generation: self.stamps[subject.root].unwrap_or_default(),
            ..proof.clone()
        }
    }

    /// Counts a file that is due and not read tonight.
    pub(super) fn skip(&self, subject: &Subject, proof: Option<&Proof>, path: &dyn Fn() -> Vec<u8>) {
        if let Some(proof) = proof.filter(|_| subject.judged == Judged::Same) {
            self.tally(subject, proof, path);
        }
    }

    fn tally(&self, subject: &Subject, proof: &Proof, path: &dyn Fn() -> Vec<u8>) {
        match proof.state {
            State::Sound => {
                self.proved.add(1);
                self.oldest.fetch_min(proof.proved.0, Ordering::Relaxed);
            }
            State::Rotten => {
                self.bad.add(1);
                self.rotten.lock().unwrap_or_else(PoisonError::into_inner).push(subject.identity);
            }
            State::Unreadable => {
                self.bad.add(1);
                self.roots[subject.root].is_bad.store(true, Ordering::Relaxed);
                self.unreadable.add(&path(), "as when it was last tried");
            }
        }
    }

    fn keep(&self, proof: Proof) {
        if let Err(error) = self.store.keep(proof) {
            self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }

    fn now(&self) -> Stamp {
        self.nightly.now.max(self.began)
    }

    pub(super) fn end(self) -> Tonight {
        let (oldest, youngest) = (self.oldest.into_inner(), self.youngest.into_inner());
        let numbers = |r: &RootCounts| RootNumbers {
            paths: r.paths.get(),
            bytes: r.bytes.get(),
            singles: r.singles.get(),
            is_troubled: r.is_troubled.load(Ordering::Relaxed),
            is_bad: r.is_bad.load(Ordering::Relaxed),
        };
        let summary = Summary {
            paths: self.roots.iter().map(|r| r.paths.get()).sum(),
            directories: self.roots.iter().map(|r| r.directories.get()).sum(),
            files: self.files.get(),
            bytes: self.bytes.get(),
            proved: self.proved.get(),
            oldest: if oldest == u32::MAX { Stamp::NEVER } else { Stamp(oldest) },
            read: self.read.get(),
            read_bytes: self.read_bytes.get(),
            bad: self.bad.get(),
            new: self.new.get(),
            changed: self.altered.get(),
            replaced: self.replaced.get(),
            youngest: if youngest > 0 { youngest } else { self.ahead.into_inner() },
            unsettled: self.unsettled.get(),
        };
        Tonight {
            seen: self.seen,
            known: self.store.proofs().len(),
            summary,
            roots: self.roots.iter().map(numbers).collect(),
            rotten: self.rotten.into_inner().unwrap_or_else(PoisonError::into_inner),
            changed: self.changed.end(),
            unreadable: self.unreadable.end(),
            is_per_path: self.per_path.into_inner(),
            error: self.error.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Visitor for Proving<'_> {
    fn directory(&self, root: usize) {
        self.roots[root].directories.add(1);
    }

    fn entry(&self, entry: &Entry<'_>) {
        self.meet(entry);
    }

    fn trouble(&self, root: usize, path: Vec<u8>, trouble: Trouble) {
        self.roots[root].is_troubled.store(true, Ordering::Relaxed);
        let why = match trouble {
            // A rotation or a deletion: the next night sees what came of it.
            Trouble::Gone => return self.unsettled.add(1),
            Trouble::Unreadable(error) => io::Error::from(error).to_string(),
            Trouble::TooDeep => "nested too deep to be looked at".to_owned(),
        };
        self.bad.add(1);
        self.roots[root].is_bad.store(true, Ordering::Relaxed);
        self.unreadable.add(&path, &why);
    }

    fn is_cancelled(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed) || self.tell.is_cancelled()
    }
}

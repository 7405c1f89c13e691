//! Which names share a bad inode: one rotten file breaks every generation that links it.

use super::{
    device::{Devices, Numbers},
    meet::identity_of,
    store::Identity,
    walk::{Entry, Root, Trouble, Visitor, walk},
};
use crate::stamp::Stamp;
use rustix::fs::FileType;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// So many paths of one inode are listed; there is one for each generation, and a few more at most.
const PATHS: usize = 1_000;

struct Search<'a> {
    wanted: HashMap<Identity, Mutex<Vec<Vec<u8>>>>,
    stamps: &'a [Option<Stamp>],
    is_cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl Visitor for Search<'_> {
    fn directory(&self, _root: usize) {}

    fn entry(&self, entry: &Entry<'_>) {
        if entry.kind != FileType::RegularFile {
            return;
        }
        if let Some(paths) = self.wanted.get(&identity_of(entry, self.stamps[entry.root])) {
            let mut paths = paths.lock().unwrap_or_else(PoisonError::into_inner);
            if paths.len() < PATHS {
                paths.push(entry.path());
            }
        }
    }

    fn trouble(&self, _root: usize, _path: Vec<u8>, _trouble: Trouble) {}

    fn is_cancelled(&self) -> bool {
        (self.is_cancelled)()
    }
}

/// Every path of these inodes, sorted. Walks again: it happens seldom, and keeping every name of every night for it
/// would cost memory each time.
pub(crate) fn paths_of(
    wanted: impl IntoIterator<Item = Identity>,
    roots: &[Root],
    stamps: &[Option<Stamp>],
    devices: &Devices,
    walkers: usize,
    is_cancelled: &(dyn Fn() -> bool + Sync),
) -> HashMap<Identity, Vec<Vec<u8>>> {
    let wanted: HashMap<_, _> = wanted.into_iter().map(|i| (i, Mutex::default())).collect();
    if wanted.is_empty() {
        return HashMap::new();
    }
    let search = Search { wanted, stamps, is_cancelled };
    walk(roots, devices, walkers, &search);
    let sorted = |paths: Mutex<Vec<Vec<u8>>>| {
        let mut paths = paths.into_inner().unwrap_or_else(PoisonError::into_inner);
        paths.sort_unstable();
        paths
    };
    search.wanted.into_iter().map(|(identity, paths)| (identity, sorted(paths))).collect()
}

/// Whether the proof of what lies on such a file system is per path.
pub(crate) const fn is_per_path(numbers: Numbers) -> bool {
    matches!(numbers, Numbers::MadeUp)
}

//! Files that are due in a night with a limit of bytes: put on a shelf during the walk, picked when all is known.

use super::{
    meet::{Proving, Subject},
    open::open_directory,
    pick::{Candidate, pick},
    walk::{Root, Visitor as _},
};
use crate::stamp::Stamp;
use rustix::io::Errno;
use std::{
    ffi::CString,
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A file that waits for its turn.
#[derive(Debug)]
pub(super) struct Shelved {
    pub(super) subject: Subject,
    pub(super) tried: Stamp,
    pub(super) path: Vec<u8>,
}

/// Reads what the night can take, oldest proof first, in the order of inode numbers: that is about the order on disk.
pub(super) fn read_shelved(proving: &Proving<'_>, roots: &[Root], readers: usize) {
    let Some(shelf) = &proving.shelf else { return };
    let shelved = std::mem::take(&mut *shelf.lock().unwrap_or_else(PoisonError::into_inner));
    let candidate =
        |s: &Shelved| Candidate { tried: s.tried, ino: s.subject.identity.ino, size: s.subject.stat.size };
    let candidates: Vec<Candidate> = shelved.iter().map(candidate).collect();
    let spent = proving.store.proofs().iter().filter(|p| p.tried >= proving.began).map(|p| p.size).sum();
    let mut picked = pick(&candidates, proving.nightly.bytes(), spent);
    let mut is_picked = vec![false; shelved.len()];
    for &at in &picked {
        is_picked[at] = true;
    }
    picked.sort_unstable_by_key(|&at| candidates[at].ino);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..readers.max(1) {
            scope.spawn(|| {
                while let Some(&at) = picked.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if proving.is_cancelled() {
                        return;
                    }
                    read_one(proving, roots, &shelved[at]);
                }
            });
        }
    });
    for (shelved, _) in shelved.iter().zip(&is_picked).filter(|(_, picked)| !**picked) {
        let proof = shelved.subject.position.map(|p| &proving.store.proofs()[p]);
        proving.skip(&shelved.subject, proof, &|| shelved.path.clone());
    }
}

fn read_one(proving: &Proving<'_>, roots: &[Root], shelved: &Shelved) {
    let root = &roots[shelved.subject.root];
    let below = shelved.path.get(root.name.len()..).unwrap_or_default();
    match open_above(root, below) {
        Ok((directory, name)) => {
            proving.read(&shelved.subject, directory.as_fd(), &name, &|| shelved.path.clone());
        }
        Err(error) => {
            let trouble = super::walk::trouble_of(error);
            proving.trouble(shelved.subject.root, shelved.path.clone(), trouble);
        }
    }
}

/// Opens the directory of a file step by step, so that no symbolic link and no long path stands in the way.
pub(super) fn open_above(root: &Root, below: &[u8]) -> Result<(OwnedFd, CString), Errno> {
    let mut names = below.split(|b| *b == b'/').filter(|n| !n.is_empty()).collect::<Vec<_>>();
    let last = names.pop().ok_or(Errno::NOENT)?;
    let mut directory = open_directory(root.fd.as_fd(), c".")?.fd;
    for name in names {
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        directory = open_directory(directory.as_fd(), &name)?.fd;
    }
    Ok((directory, CString::new(last).map_err(|_| Errno::INVAL)?))
}

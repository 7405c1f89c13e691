//! Copies a generation that lies here as directories: this walks and makes directories, the workers copy files.

use crate::{
    error::{RestoreError, io_at},
    file::{self, Dress, PIECE},
    making::dress_of,
    names::Policy,
    proofs::Proofs,
    survey::{Key, Survey},
    walk::{Entry, Visitor, walk},
    work::{Job, Queue, Work},
};
use mastmaint_verify::{Kind, Line, prove::Stat};
use rustix::fs::{AtFlags, linkat, readlinkat};
use std::{
    collections::{HashMap, HashSet},
    ffi::CString,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

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
    let live = work.making.directory(run, c"live", &stat, b"live")?;
    let mut copying = Copying {
        work,
        queue,
        policy,
        twice: &survey.twice,
        met: Survey::default(),
        proofs: Proofs::of(work.tree),
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
        let recorded = Line::of(&second.to, &work.making.dressed(&second.stat), Some(second.hash), None);
        work.making.recorder.add(&recorded)?;
        work.making.meter.file(second.stat.size);
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
    proofs: Proofs<'a>,
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
    fn several(
        &mut self,
        entry: &Entry<'_>,
        key: Key,
        into: Vec<u8>,
        proof: Option<[u8; 32]>,
    ) -> Result<(), RestoreError> {
        if let Some((first, hash)) = self.firsts.get(&key) {
            let second = Second { first: first.clone(), to: into, stat: entry.stat, hash: *hash };
            self.seconds.push(second);
            return Ok(());
        }
        let job = Job::new(entry, self.target()?, into.clone(), proof);
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
        let made = self.work.making.directory(self.target()?, entry.name, &entry.stat, &into(entry.path))?;
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
                let (key, proof) = (self.proofs.key(entry)?, self.proofs.proof(entry, entry.path)?);
                if self.twice.contains(&key) {
                    return self.several(entry, key, into, proof);
                }
                self.queue.add(Job::new(entry, self.target()?, into, proof))
            }
            Kind::Link => {
                let target = readlinkat(entry.above, entry.name, Vec::new());
                let target = target.map_err(io_at(entry.path, "read the link"))?;
                let dressed = self.work.making.dressed(&entry.stat);
                let Dress { owner, mtime, .. } = dress_of(&dressed);
                file::link(self.target()?.as_fd(), entry.name, &target, owner, mtime)
                    .map_err(io_at(&into, "make in the copy"))?;
                self.work.making.recorder.add(&Line::of(&into, &dressed, None, Some(target.to_bytes())))
            }
            Kind::Directory | Kind::Other => Ok(()),
        }
    }
}

/// Where a path of the Rails root lies in the directory of the run.
fn into(path: &[u8]) -> Vec<u8> {
    [b"live/", path].concat()
}

//! Uploads that only the backup has: met by walking its `public/system` beside today's. They are copied apart, and put
//! to their places when the new tree is live. What lies on other servers too is left to be fetched again.

use crate::{
    error::{RestoreError, io_at, io_on},
    inode::seen_at,
    names::{CACHE, UPLOADS},
    open::{directory_below, directory_if_there},
    proofs::Proofs,
    survey::Survey,
    walk::{Entry, Visitor, walk},
    work::{Job, Queue, Work},
};
use mastmaint_verify::{Kind, bring::Tree, prove::Stat};
use std::{
    ffi::CString,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    sync::Arc,
};

/// Who is handed what only the backup has: the file, and the directories that it lies in.
trait Sink {
    fn missing(&mut self, entry: &Entry<'_>, levels: &mut [Level]) -> Result<(), RestoreError>;
}

/// A directory on the way to where the walk is.
struct Level {
    /// The same today; none if there is none.
    today: Option<OwnedFd>,
    name: CString,
    stat: Stat,
    /// From the Rails root.
    path: Vec<u8>,
    /// The same in the copy, once something was put into it.
    target: Option<Arc<OwnedFd>>,
}

struct Looking<'a, S> {
    today: &'a OwnedFd,
    levels: Vec<Level>,
    sink: S,
}

impl<S: Sink> Looking<'_, S> {
    /// The directory of today in which an entry would lie, if there is one.
    fn above(&self) -> Option<&OwnedFd> {
        self.levels.last().map_or(Some(self.today), |level| level.today.as_ref())
    }

    fn is_there(&self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
        let Some(above) = self.above() else { return Ok(false) };
        let found = seen_at(above.as_fd(), entry.name).map_err(io_at(entry.path, "look at today's"))?;
        Ok(found.is_some())
    }
}

impl<S: Sink> Visitor for Looking<'_, S> {
    fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
        if below_uploads(entry.path) == CACHE {
            return Ok(false);
        }
        let today = match self.above() {
            Some(above) => directory_if_there(above, entry.name.as_c_str()),
            None => Ok(None),
        };
        let today = today.map_err(io_at(entry.path, "open today's"))?;
        // Something else has the name today: it stays.
        if today.is_none() && self.is_there(entry)? {
            return Ok(false);
        }
        self.levels.push(Level {
            today,
            name: entry.name.clone(),
            stat: entry.stat,
            path: entry.path.to_vec(),
            target: None,
        });
        Ok(true)
    }

    fn leave(&mut self) {
        self.levels.pop();
    }

    fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
        if entry.kind() != Kind::File || self.is_there(entry)? {
            return Ok(());
        }
        self.sink.missing(entry, &mut self.levels)
    }
}

/// From `public/system`.
fn below_uploads(path: &[u8]) -> &[u8] {
    path.get(UPLOADS.len() + 1..).unwrap_or_default()
}

/// The backup's uploads, opened; `None` if it has none.
pub(crate) fn of_backup(root: &OwnedFd) -> Result<Option<Arc<OwnedFd>>, RestoreError> {
    let opened = directory_if_there(root, UPLOADS);
    Ok(opened.map_err(io_at(UPLOADS, "open in the backup"))?.map(Arc::new))
}

/// Today's, opened.
pub(crate) fn of_today(live: &OwnedFd, at: &Path) -> Result<OwnedFd, RestoreError> {
    directory_below(live, UPLOADS).map_err(io_on(at, "open public/system of"))
}

fn look<S: Sink>(uploads: &Arc<OwnedFd>, today: &OwnedFd, sink: S) -> Result<S, RestoreError> {
    let mut looking = Looking { today, levels: Vec::new(), sink };
    walk(uploads, &mut UPLOADS.to_vec(), &mut looking)?;
    Ok(looking.sink)
}

/// What only the backup has.
pub(crate) fn survey(tree: &Tree, uploads: &Arc<OwnedFd>, today: &OwnedFd) -> Result<Survey, RestoreError> {
    struct Counting<'a> {
        proofs: Proofs<'a>,
        survey: Survey,
    }
    impl Sink for Counting<'_> {
        fn missing(&mut self, entry: &Entry<'_>, levels: &mut [Level]) -> Result<(), RestoreError> {
            self.survey.count(entry);
            // Its directories, at most.
            self.survey.needs.inodes += levels.len() as u64;
            if self.proofs.proof(entry, entry.path)?.is_none() {
                self.survey.unproved.add(entry.path);
            }
            Ok(())
        }
    }
    Ok(look(uploads, today, Counting { proofs: Proofs::of(tree), survey: Survey::default() })?.survey)
}

/// Copies it into `missing`, an empty directory of the copy.
pub(crate) fn copy(
    work: &Work<'_>,
    queue: &Queue<'_>,
    uploads: &Arc<OwnedFd>,
    today: &OwnedFd,
    missing: &Arc<OwnedFd>,
) -> Result<(), RestoreError> {
    struct Copying<'a> {
        work: &'a Work<'a>,
        queue: &'a Queue<'a>,
        missing: &'a Arc<OwnedFd>,
        proofs: Proofs<'a>,
    }
    impl Sink for Copying<'_> {
        fn missing(&mut self, entry: &Entry<'_>, levels: &mut [Level]) -> Result<(), RestoreError> {
            let mut above = Arc::clone(self.missing);
            for level in levels {
                let target = match &level.target {
                    Some(target) => Arc::clone(target),
                    None => {
                        self.work.making.directory(&above, &level.name, &level.stat, &into(&level.path))?
                    }
                };
                level.target = Some(Arc::clone(&target));
                above = target;
            }
            let proof = self.proofs.proof(entry, entry.path)?;
            self.queue.add(Job::new(entry, &above, into(entry.path), proof))
        }
    }
    look(uploads, today, Copying { work, queue, missing, proofs: Proofs::of(work.tree) }).map(drop)
}

/// Where a path of the Rails root lies in the directory of the run.
fn into(path: &[u8]) -> Vec<u8> {
    [crate::stage::MISSING.as_bytes(), b"/", below_uploads(path)].concat()
}

//! Walking a directory of a backup, or of live, by descriptors: each name once, in the order of names.

use crate::error::{RestoreError, io_at};
use mastmaint_verify::{
    Kind,
    prove::{Stat, open_directory, stat_at},
    rsnapshot::names,
    shown,
};
use rustix::io::Errno;
use std::{
    ffi::CString,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

/// Deeper than any instance is; each level keeps directories open.
pub(crate) const DEEPEST: usize = 150;
/// Longer paths cannot be handed to the system in one piece.
pub(crate) const LONGEST: usize = 3_900;

/// A name that was met.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// The directory that it lies in.
    pub(crate) above: &'a Arc<OwnedFd>,
    pub(crate) name: &'a CString,
    pub(crate) stat: Stat,
    /// From where the walk began.
    pub(crate) path: &'a [u8],
}

impl Entry<'_> {
    pub(crate) const fn kind(&self) -> Kind {
        Kind::of(&self.stat)
    }
}

/// Who is told of what is met.
pub(crate) trait Visitor {
    /// A directory; whether to go into it.
    fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError>;
    /// The directory that was gone into last is done.
    fn leave(&mut self) {}
    /// Everything else.
    fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError>;
}

/// Walks everything below a directory, whose own path is `path`. What is gone before it is looked at was not there.
pub(crate) fn walk(
    directory: &Arc<OwnedFd>,
    path: &mut Vec<u8>,
    visitor: &mut dyn Visitor,
) -> Result<(), RestoreError> {
    level(directory, path, 0, visitor)
}

fn level(
    directory: &Arc<OwnedFd>,
    path: &mut Vec<u8>,
    depth: usize,
    visitor: &mut dyn Visitor,
) -> Result<(), RestoreError> {
    let mut below = names(directory.as_fd()).map_err(io_at(path, "list"))?;
    below.sort_unstable();
    let length = path.len();
    for name in &below {
        if length > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(name.to_bytes());
        if depth > DEEPEST || path.len() > LONGEST {
            let what =
                format!("{} is nested deeper than can be restored", shown(&path[..path.len().min(200)]));
            return Err(RestoreError::NotNow { what });
        }
        match stat_at(directory.as_fd(), name) {
            Ok(stat) => {
                let entry = Entry { above: directory, name, stat, path };
                if !stat.is_directory() {
                    visitor.thing(&entry)?;
                } else if visitor.enter(&entry)? {
                    let opened = open_directory(directory.as_fd(), name).map_err(io_at(path, "open"))?;
                    level(&Arc::new(opened.fd), path, depth + 1, visitor)?;
                    visitor.leave();
                }
            }
            Err(Errno::NOENT) => {}
            Err(error) => return Err(io_at(path, "look at")(error)),
        }
        path.truncate(length);
    }
    Ok(())
}

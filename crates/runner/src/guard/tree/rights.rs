//! Who may do what in a tree: the kernel is asked, so that groups and access lists count.

use super::{DEEPEST, Named, kind, names, too_deep};
use rustix::fs::{Access, AtFlags, FileType, accessat};
use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    path::PathBuf,
};

/// What somebody may do in a tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    /// Whether anything of it can be changed, added or removed.
    pub(crate) changeable: bool,
    /// The first directory that keeps what is in it.
    pub(crate) stuck: Option<Stuck>,
}

/// A directory of somebody else that keeps what is in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stuck {
    /// Where, from the tree on.
    pub(crate) at: PathBuf,
    /// Whose it is.
    pub(crate) owner: u32,
}

impl Rights {
    /// Those of whoever asks, who is `me`: what is one's own can be made writable.
    pub(crate) fn of(tree: Named<'_>, me: u32) -> io::Result<Self> {
        let mut rights = Self::default();
        rights.look(tree, me, &mut PathBuf::new(), 0)?;
        Ok(rights)
    }

    fn look(&mut self, of: Named<'_>, me: u32, at: &mut PathBuf, depth: usize) -> io::Result<()> {
        let Some(stat) = of.stat()? else { return Ok(()) };
        if kind(&stat) != FileType::Directory {
            let is_file = kind(&stat) == FileType::RegularFile;
            let may_write = || accessat(of.at, of.name, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
            self.changeable = self.changeable || is_file && (stat.st_uid == me || may_write());
            return Ok(());
        }
        if depth > DEEPEST {
            return Err(too_deep());
        }
        let directory = of.directory()?;
        let names = names(directory.as_fd())?;
        if stat.st_uid == me || may_write_in(directory.as_fd()) {
            self.changeable = true;
        } else if !names.is_empty() && self.stuck.is_none() {
            self.stuck = Some(Stuck { at: at.clone(), owner: stat.st_uid });
        }
        for name in names {
            at.push(&name);
            self.look(Named { at: directory.as_fd(), name: &name }, me, at, depth + 1)?;
            at.pop();
        }
        Ok(())
    }
}

/// Whether names can be made, replaced and removed in a directory.
pub(crate) fn may_write_in(directory: BorrowedFd<'_>) -> bool {
    accessat(directory, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

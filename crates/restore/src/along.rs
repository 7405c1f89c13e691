//! Uploads move from one tree to the other: one rename, whatever their size.

use crate::{
    error::{RestoreError, io_at},
    inode::{Seen, seen_at},
    names::{PUBLIC, UPLOADS},
    open::{directory_below, directory_if_there},
    uploads::name,
};
use mastmaint_words::restore::Inode;
use rustix::{
    fs::{RenameFlags, fsync, renameat_with},
    io::Errno,
};
use std::os::fd::{AsFd as _, OwnedFd};

/// What two trees have at `public/system`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Both {
    from: Option<Seen>,
    to: Option<Seen>,
}

/// What is to be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// They are still in the first tree.
    Now,
    /// They are in the second already.
    Done,
    /// They are in neither, or something else is in their way.
    Never,
}

impl Both {
    fn judge(&self, meant: Inode) -> Move {
        let is = |seen: Option<Seen>| seen.is_some_and(|seen| seen.is_directory() && meant.is(&seen.inode));
        match (self.from, self.to) {
            (_, to) if is(to) => Move::Done,
            (from, None) if is(from) => Move::Now,
            _ => Move::Never,
        }
    }
}

/// Moves the uploads of one tree into the other. They may be there already.
pub(crate) fn along(from: &OwnedFd, to: &OwnedFd, meant: Inode) -> Result<(), RestoreError> {
    let of = |what| io_at::<Errno>(UPLOADS, what);
    let source = directory_if_there(from, PUBLIC).map_err(of("open"))?;
    let target = directory_below(to, PUBLIC).map_err(of("open"))?;
    let name = name();
    let look = |above: &OwnedFd| seen_at(above.as_fd(), &name).map_err(io_at(UPLOADS, "look at"));
    let here = match &source {
        Some(source) => look(source)?,
        None => None,
    };
    let both = Both { from: here, to: look(&target)? };
    let lost = || {
        let what = "today's public/system is in neither of the two trees, or something else is in its place";
        RestoreError::Moved { what: what.to_owned() }
    };
    match (both.judge(meant), source) {
        (Move::Done, _) => Ok(()),
        (Move::Now, Some(source)) => {
            renameat_with(&source, &name, &target, &name, RenameFlags::NOREPLACE)
                .map_err(of("move along"))?;
            if look(&target)?.is_none_or(|found| !meant.is(&found.inode)) {
                return Err(lost());
            }
            fsync(&target).and_then(|()| fsync(&source)).map_err(of("write to the disk"))
        }
        _ => Err(lost()),
    }
}

//! The place beside live in which a copy is made: ours alone, on the same file system, so that one rename is enough.

use crate::{
    error::{RestoreError, io_on},
    inode::seen,
    open::{directory_below, directory_if_there},
    remove::remove,
    today::Parent,
};
use mastmaint_words::{RunId, restore::Restoring};
use rustix::{
    fs::{AtFlags, Gid, Mode, RenameFlags, fchmod, fchown, mkdirat, renameat_with, unlinkat},
    io::Errno,
    process::geteuid,
};
use std::{os::fd::OwnedFd, path::PathBuf};

/// Its name beside live.
pub(crate) const STAGING: &str = Restoring::BESIDE;
/// The copy in the directory of a run.
pub(crate) const LIVE: &str = "live";
/// What only the backup has of the uploads.
pub(crate) const MISSING: &str = "missing";

/// Its settings, where they count.
pub(crate) const SETTINGS: &str = Restoring::SETTINGS;

/// The directory of one run.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) fd: OwnedFd,
    above: OwnedFd,
    path: PathBuf,
}

impl Stage {
    /// Makes it anew: what an earlier try of the same run has left there is removed.
    pub(crate) fn make(parent: &Parent, run: &RunId) -> Result<Self, RestoreError> {
        let path = parent.path.join(STAGING);
        match mkdirat(&parent.fd, STAGING, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(io_on(&path, "make")(error)),
        }
        let above = open_staging(parent)?.ok_or_else(|| foreign(&path))?;
        let path = path.join(run.as_str());
        if let Some(old) = directory_if_there(&above, run.as_str()).map_err(io_on(&path, "open"))? {
            remove(&old, &path)?;
            unlinkat(&above, run.as_str(), AtFlags::REMOVEDIR).map_err(io_on(&path, "remove"))?;
        }
        mkdirat(&above, run.as_str(), Mode::from_raw_mode(0o700)).map_err(io_on(&path, "make"))?;
        let fd = directory_below(&above, run.as_str()).map_err(io_on(&path, "open"))?;
        if seen(&fd).map_err(io_on(&path, "look at"))?.is_apart_from(&parent.seen) {
            return Err(foreign(&path));
        }
        let stage = Self { fd, above, path };
        stage.try_exchange()?;
        Ok(stage)
    }

    /// Whether this file system can let two directories change places in one step. Better known now than when services
    /// are stopped.
    fn try_exchange(&self) -> Result<(), RestoreError> {
        let of = |what| io_on::<Errno>(&self.path, what);
        let names = [c"a", c"b"];
        for name in names {
            mkdirat(&self.fd, name, Mode::from_raw_mode(0o700)).map_err(of("make a directory in"))?;
        }
        let exchanged = renameat_with(&self.fd, names[0], &self.fd, names[1], RenameFlags::EXCHANGE);
        for name in names {
            unlinkat(&self.fd, name, AtFlags::REMOVEDIR).map_err(of("remove a directory in"))?;
        }
        exchanged.map_err(|error| {
            let what = format!("this file system cannot exchange two directories ({error}); restore by hand");
            RestoreError::Unfit { code: "no-exchange", at: self.path.clone(), what }
        })
    }

    /// Opens it as it is; `None` if there is none.
    pub(crate) fn open(parent: &Parent, run: &RunId) -> Result<Option<Self>, RestoreError> {
        let path = parent.path.join(STAGING).join(run.as_str());
        let Some(above) = open_staging(parent)? else { return Ok(None) };
        let fd = directory_if_there(&above, run.as_str()).map_err(io_on(&path, "open"))?;
        Ok(fd.map(|fd| Self { fd, above, path }))
    }

    /// Lets a group look into the finished copy: whoever tries it out is not root.
    pub(crate) fn let_in(&self, group: Option<Gid>) -> Result<(), RestoreError> {
        let Some(group) = group else { return Ok(()) };
        for fd in [&self.fd, &self.above] {
            let shared = fchown(fd, None, Some(group)).and_then(|()| fchmod(fd, Mode::from_raw_mode(0o750)));
            shared.map_err(io_on(&self.path, "let the group in"))?;
        }
        Ok(())
    }

    /// Removes what takes room: the copy, or what has its place. Its settings stay.
    pub(crate) fn empty(&self) -> Result<(), RestoreError> {
        for name in [LIVE, MISSING] {
            let path = self.path.join(name);
            let Some(found) = directory_if_there(&self.fd, name).map_err(io_on(&path, "open"))? else {
                continue;
            };
            remove(&found, &path)?;
            unlinkat(&self.fd, name, AtFlags::REMOVEDIR).map_err(io_on(&path, "remove"))?;
        }
        Ok(())
    }

    /// Removes it with all that is in it, and the place of all runs if it was the last.
    pub(crate) fn remove(self, parent: &Parent, run: &RunId) -> Result<(), RestoreError> {
        remove(&self.fd, &self.path)?;
        unlinkat(&self.above, run.as_str(), AtFlags::REMOVEDIR).map_err(io_on(&self.path, "remove"))?;
        match unlinkat(&parent.fd, STAGING, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
            Err(error) => Err(io_on(&parent.path.join(STAGING), "remove")(error)),
        }
    }
}

/// Opens the place of all runs. Whoever may write beside live may put something else there: it must be ours.
fn open_staging(parent: &Parent) -> Result<Option<OwnedFd>, RestoreError> {
    let path = parent.path.join(STAGING);
    let fd = match directory_below(&parent.fd, STAGING) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(foreign(&path)),
        Err(error) => return Err(io_on(&path, "open")(error)),
    };
    let found = seen(&fd).map_err(io_on(&path, "look at"))?;
    let is_ours = found.uid == geteuid().as_raw() && found.mode & 0o022 == 0;
    if !is_ours || found.is_apart_from(&parent.seen) {
        return Err(foreign(&path));
    }
    Ok(Some(fd))
}

fn foreign(path: &std::path::Path) -> RestoreError {
    let what =
        "it is not a directory of root that only root can change; see what it is and move it away".to_owned();
    RestoreError::Unfit { code: "staging-is-foreign", at: path.to_owned(), what }
}

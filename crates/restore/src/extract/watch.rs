//! Watches the free space while something is written of which nobody knows how much it is.

use crate::{
    error::{RestoreError, io_on},
    space::{Needs, Room, fits},
};
use rustix::fs::fstatvfs;
use std::{os::fd::OwnedFd, path::Path};

/// So much is written between two looks.
const PIECE: u64 = 16 * 1024 * 1024;

/// What a file system has.
pub(crate) fn room(directory: &OwnedFd, at: &Path) -> Result<Room, RestoreError> {
    let stat = fstatvfs(directory).map_err(io_on(at, "ask for the space of"))?;
    Ok(Room {
        bytes: stat.f_blocks * stat.f_frsize,
        free: stat.f_bavail * stat.f_frsize,
        inodes: stat.f_files,
        free_inodes: stat.f_favail,
    })
}

/// Ends a copy before the disk is full.
pub(crate) struct Watch<'a> {
    directory: &'a OwnedFd,
    at: &'a Path,
    since: Needs,
}

impl<'a> Watch<'a> {
    /// Begins, and refuses at once if there is no room for anything.
    pub(crate) fn begin(directory: &'a OwnedFd, at: &'a Path) -> Result<Self, RestoreError> {
        let watch = Self { directory, at, since: Needs::default() };
        watch.look()?;
        Ok(watch)
    }

    /// So much more is written next.
    pub(crate) fn more(&mut self, bytes: u64) -> Result<(), RestoreError> {
        self.since.add(bytes);
        if self.since.bytes < PIECE && self.since.inodes < 1000 {
            return Ok(());
        }
        self.look()?;
        self.since = Needs::default();
        Ok(())
    }

    fn look(&self) -> Result<(), RestoreError> {
        let next = Needs { bytes: self.since.bytes.max(PIECE), inodes: self.since.inodes.max(1000) };
        fits(next, room(self.directory, self.at)?, &self.at.display().to_string())
    }
}

//! What making a copy has in common, wherever its content comes from.

use crate::{
    error::{RestoreError, io_at},
    file::Dress,
    meter::Meter,
    open::directory_below,
    owners::{Owner, Owners, safe_mode},
    record::Recorder,
    writeback::Writeback,
};
use mastmaint_verify::{Line, prove::Stat};
use rustix::fs::{Mode, mkdirat};
use std::{ffi::CStr, os::fd::OwnedFd, sync::Arc};

/// Whose it becomes, where it is recorded, who is told, and who brings it to the disk.
pub(crate) struct Making<'a> {
    pub(crate) owners: Owners,
    pub(crate) recorder: &'a Recorder,
    pub(crate) meter: &'a Meter<'a>,
    pub(crate) writeback: &'a Writeback,
}

impl Making<'_> {
    /// A thing of the backup as it will be in the copy.
    pub(crate) fn dressed(&self, stat: &Stat) -> Stat {
        dressed(&self.owners, stat)
    }

    /// Makes a directory of the copy. Its owner comes last, when everything is in it: until then it is ours.
    pub(crate) fn directory(
        &self,
        to: &OwnedFd,
        name: &CStr,
        stat: &Stat,
        into: &[u8],
    ) -> Result<Arc<OwnedFd>, RestoreError> {
        let made = make_directory(to, name, into)?;
        self.recorder.add(&Line::of(into, &self.dressed(stat), None, None))?;
        Ok(Arc::new(made))
    }
}

/// A thing of the backup as it will be in the copy.
pub(crate) fn dressed(owners: &Owners, stat: &Stat) -> Stat {
    let owner = owners.of(Owner { uid: stat.uid, gid: stat.gid });
    let mode = safe_mode(u32::from(stat.mode & 0o7777));
    let mode = (stat.mode & 0o170_000) | u16::try_from(mode).unwrap_or_default();
    Stat { uid: owner.uid, gid: owner.gid, mode, ..*stat }
}

/// Makes a directory that is ours alone, and opens it.
pub(crate) fn make_directory(to: &OwnedFd, name: &CStr, into: &[u8]) -> Result<OwnedFd, RestoreError> {
    mkdirat(to, name, Mode::from_raw_mode(0o700)).map_err(io_at(into, "make in the copy"))?;
    directory_below(to, name).map_err(io_at(into, "open in the copy"))
}

/// Owner, permissions and time of a thing that was looked at.
pub(crate) fn dress_of(stat: &Stat) -> Dress {
    let owner = Owner { uid: stat.uid, gid: stat.gid };
    Dress { owner, mode: u32::from(stat.mode & 0o7777), mtime: stat.mtime.0 }
}

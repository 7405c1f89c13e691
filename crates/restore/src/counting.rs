//! Settings of a backup that count are kept beside its copy: who works on the database of the same run needs them before
//! the switch and after the way back, too, when they are not those of live.

use crate::{
    environment::{all, carry},
    error::{RestoreError, io_at},
    file::{create, write_all},
    names::ENVIRONMENT,
    open::directory_below,
    stage::{SETTINGS, Stage},
};
use mastmaint_words::{
    RunId,
    restore::{Inode, Restoring},
};
use rustix::{
    fs::{Mode, fchmod, fsync, mkdirat},
    io::Errno,
};
use std::{io, os::fd::OwnedFd};

/// Keeps those of a copy, and of which tree they are; nothing where it has none.
pub(crate) fn keep(stage: &Stage, copy: &OwnedFd, tree: Inode, run: &RunId) -> Result<(), RestoreError> {
    if all(copy)?.iter().all(|name| name.to_bytes() != ENVIRONMENT) {
        return Ok(());
    }
    let of = |what| io_at::<Errno>(SETTINGS.as_bytes(), what);
    mkdirat(&stage.fd, SETTINGS, Mode::from_raw_mode(0o700)).map_err(of("make in the copy"))?;
    let place = directory_below(&stage.fd, SETTINGS).map_err(of("open in the copy"))?;
    carry(copy, &place, run)?;
    let name = crate::open::c_name(Restoring::TREE.as_ref())?;
    let text = serde_json::to_vec(&tree).map_err(io::Error::from);
    let text = text.map_err(io_at(SETTINGS.as_bytes(), "write"))?;
    let file = create(&place, &name).map_err(of("write in"))?;
    write_all(&file, &text).map_err(of("write in"))?;
    // Whose they are the files say themselves; who may come here the directory above says.
    fchmod(&file, Mode::from_raw_mode(0o644)).map_err(of("open to readers in"))?;
    fsync(&file).map_err(of("write to the disk"))?;
    fchmod(&place, Mode::from_raw_mode(0o755)).map_err(of("open to readers"))
}

//! One file of the copy: made where nothing is, hashed while it is written, its owner and time set by its descriptor.

use crate::{
    error::{RestoreError, io_at},
    owners::Owner,
};
use mastmaint_verify::{
    prove::{Stat, open_file, stat_of},
    shown,
};
use rustix::{
    fs::{
        AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chownat, fchmod, fchown, futimens, openat,
        symlinkat, utimensat,
    },
    io::{Errno, read, write},
};
use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Read and written in pieces of this size.
pub(crate) const PIECE: usize = 128 * 1024;

/// What a thing of the copy gets besides its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dress {
    pub(crate) owner: Owner,
    pub(crate) mode: u32,
    /// Last change, in nanoseconds since 1970.
    pub(crate) mtime: i64,
}

/// Makes an empty file. Something that has the name already is an error, whatever it is; the name has no slash.
pub(crate) fn create(to: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(to, name, flags, Mode::from_raw_mode(0o600))
}

/// Gives an open file or directory its owner, its permissions and its time, in this order: a new owner takes bits off.
pub(crate) fn dress(thing: impl AsFd, dress: Dress) -> Result<(), Errno> {
    let Dress { owner, mode, mtime } = dress;
    fchown(&thing, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
    fchmod(&thing, Mode::from_raw_mode(mode))?;
    futimens(&thing, &times(mtime))
}

fn times(mtime: i64) -> Timestamps {
    const SECOND: i64 = 1_000_000_000;
    let at = Timespec { tv_sec: mtime.div_euclid(SECOND), tv_nsec: mtime.rem_euclid(SECOND) };
    Timestamps { last_access: at, last_modification: at }
}

/// Makes a symbolic link.
pub(crate) fn link(
    to: BorrowedFd<'_>,
    name: &CStr,
    target: &CStr,
    owner: Owner,
    mtime: i64,
) -> Result<(), Errno> {
    symlinkat(target, to, name)?;
    let (uid, gid) = (Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)));
    chownat(to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
    utimensat(to, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)
}

/// Writes all of it.
pub(crate) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match write(&file, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a file of this size to its end.
pub(crate) fn hash_of(file: &OwnedFd, size: u64, buffer: &mut [u8]) -> Result<[u8; 32], Errno> {
    let mut hasher = blake3::Hasher::new();
    let mut length = 0_u64;
    while length < size {
        match read(file, &mut *buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                length += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(*hasher.finalize().as_bytes())
}

/// A file of the backup that is to be copied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Original<'a> {
    pub(crate) above: BorrowedFd<'a>,
    pub(crate) name: &'a CStr,
    /// As it was when it was met.
    pub(crate) stat: &'a Stat,
    /// For messages.
    pub(crate) path: &'a [u8],
    /// The hash that it was proved to have.
    pub(crate) proof: Option<[u8; 32]>,
}

/// Copies a file. It must stand still meanwhile, and be what was proved.
pub(crate) fn copy(
    original: &Original<'_>,
    to: BorrowedFd<'_>,
    dressed: Dress,
    buffer: &mut [u8],
) -> Result<[u8; 32], RestoreError> {
    let Original { above, name, stat, path, proof } = *original;
    let unsettled = || RestoreError::Unsettled { path: shown(path) };
    let from = match open_file(above, name) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Err(unsettled()),
        Err(error) => return Err(io_at(path, "open in the backup")(error)),
    };
    let is_as_met = |file: &OwnedFd| stat_of(file).map(|now| same_content(&now, stat));
    if !is_as_met(&from).map_err(io_at(path, "look at in the backup"))? {
        return Err(unsettled());
    }
    let file = create(to, name).map_err(io_at(path, "make in the copy"))?;
    let mut hasher = blake3::Hasher::new();
    let mut length = 0_u64;
    // One that has grown meanwhile has another size or time at the end.
    while length < stat.size {
        match read(&from, &mut *buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                length += count as u64;
                write_all(&file, &buffer[..count]).map_err(io_at(path, "write into the copy"))?;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(io_at(path, "read in the backup")(error)),
        }
    }
    if length != stat.size || !is_as_met(&from).map_err(io_at(path, "look at in the backup"))? {
        return Err(unsettled());
    }
    let hash = *hasher.finalize().as_bytes();
    if proof.is_some_and(|proof| proof != hash) {
        return Err(RestoreError::Rot { path: shown(path) });
    }
    dress(&file, dressed).map_err(io_at(path, "set owner, permissions and time in the copy"))?;
    Ok(hash)
}

/// Whether a file has not been written to: a rotation links it once more, or once less.
fn same_content(now: &Stat, met: &Stat) -> bool {
    (now.ino, now.size, now.mtime, now.birth, now.mode) == (met.ino, met.size, met.mtime, met.birth, met.mode)
}

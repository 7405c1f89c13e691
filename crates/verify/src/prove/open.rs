//! Opening and looking at things below a directory descriptor, never through a path from the root: a rotation may
//! rename everything above at any time.

use crate::stamp::Nanos;
use rustix::{
    fs::{AtFlags, Mode, OFlags, ResolveFlags, Statx, StatxFlags, openat, openat2, statx},
    io::Errno,
};
use std::{
    ffi::CStr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// What the file system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Its number on its file system.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Last change of its content.
    pub mtime: Nanos,
    /// Zero where the file system keeps none.
    pub birth: Nanos,
    /// How many names it has.
    pub links: u32,
    /// What it is, and who may do what.
    pub mode: u16,
    /// Number of the owner.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
}

impl Stat {
    fn from(statx: &Statx) -> Self {
        let has_birth = statx.stx_mask & StatxFlags::BTIME.bits() != 0;
        let birth = Nanos::new(statx.stx_btime.tv_sec, statx.stx_btime.tv_nsec);
        Self {
            ino: statx.stx_ino,
            size: statx.stx_size,
            mtime: Nanos::new(statx.stx_mtime.tv_sec, statx.stx_mtime.tv_nsec),
            birth: if has_birth { birth } else { Nanos::default() },
            links: statx.stx_nlink,
            mode: statx.stx_mode,
            uid: statx.stx_uid,
            gid: statx.stx_gid,
        }
    }

    /// Whether it is a directory.
    pub const fn is_directory(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// Whether it is a regular file.
    pub const fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}

/// Looks at a name in a directory; a symbolic link is itself.
pub fn stat_at(directory: BorrowedFd<'_>, name: &CStr) -> Result<Stat, Errno> {
    statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, wanted()).map(|s| Stat::from(&s))
}

/// Looks at what is open.
pub fn stat_of(file: impl AsFd) -> Result<Stat, Errno> {
    statx(file, c"", AtFlags::EMPTY_PATH, wanted()).map(|s| Stat::from(&s))
}

/// A directory that was opened, and whether a mount was crossed on the way.
#[derive(Debug)]
pub struct OpenedDirectory {
    /// The directory.
    pub fd: OwnedFd,
    /// A mount was crossed, or nobody knows.
    pub crossed: bool,
}

/// Opens a directory below another one, never through a symbolic link.
pub fn open_directory(above: BorrowedFd<'_>, name: &CStr) -> Result<OpenedDirectory, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    match openat2(above, name, flags, Mode::empty(), ResolveFlags::NO_XDEV) {
        Ok(fd) => Ok(OpenedDirectory { fd, crossed: false }),
        // EXDEV: there is a mount on it. The others: a kernel or a sandbox without openat2; then nobody knows.
        Err(Errno::XDEV | Errno::NOSYS | Errno::PERM) => {
            openat(above, name, flags, Mode::empty()).map(|fd| OpenedDirectory { fd, crossed: true })
        }
        Err(other) => Err(other),
    }
}

/// Opens a file for reading without leaving a trace in its access time, where that is allowed.
pub fn open_file(directory: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    // NONBLOCK: a name that has become a pipe since must not hold the walk.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(directory, name, flags, Mode::empty()),
        other => other,
    }
}

/// Whether an error means that it is not there any more, as after a rotation.
pub(crate) const fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE)
}

//! What a name stands for: which inode, whose, and whether something is mounted on it.

use mastmaint_verify::Kind;
use mastmaint_words::restore::Inode;
use rustix::{
    fs::{AtFlags, Statx, StatxAttributes, StatxFlags, statx},
    io::Errno,
};
use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, BorrowedFd},
};

/// What the file system says of a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) inode: Inode,
    pub(crate) kind: Kind,
    pub(crate) uid: u32,
    /// Permissions only.
    pub(crate) mode: u32,
    /// The mount that it lies on; its own where one is mounted on it.
    mount: u64,
    is_mount_root: bool,
}

impl Seen {
    fn of(stat: &Statx) -> Self {
        let born = if stat.stx_mask & StatxFlags::BTIME.bits() == 0 {
            0
        } else {
            stat.stx_btime.tv_sec.saturating_mul(1_000_000_000) + i64::from(stat.stx_btime.tv_nsec)
        };
        let device = u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor);
        Self {
            inode: Inode { device, number: stat.stx_ino, born },
            kind: match stat.stx_mode & 0o170_000 {
                0o100_000 => Kind::File,
                0o040_000 => Kind::Directory,
                0o120_000 => Kind::Link,
                _ => Kind::Other,
            },
            uid: stat.stx_uid,
            mode: u32::from(stat.stx_mode & 0o7777),
            mount: stat.stx_mnt_id,
            is_mount_root: stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        }
    }

    /// Whether a name in the directory `above` is a place where something is mounted, or lies on another file system.
    /// Both are asked: a bind mount has the device of what is around it, and a subvolume is no mount. The device of a
    /// file says nothing: on an overlay it is that of the layer in which it lies.
    pub(crate) fn is_apart_from(&self, above: &Self) -> bool {
        let is_elsewhere = self.is_directory() && self.inode.device != above.inode.device;
        self.is_mount_root || self.mount != above.mount || is_elsewhere
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID
}

/// Looks at what is open.
pub(crate) fn seen(file: impl AsFd) -> io::Result<Seen> {
    Ok(Seen::of(&statx(file, c"", AtFlags::EMPTY_PATH, wanted())?))
}

/// Looks at a name in a directory; a link is itself, and nothing is an answer.
pub(crate) fn seen_at(above: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<Seen>> {
    match statx(above, name, AtFlags::SYMLINK_NOFOLLOW, wanted()) {
        Ok(stat) => Ok(Some(Seen::of(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

//! One entry of an archive, as far as its header tells.

use crate::{error::RestoreError, owners::Owner};
use mastmaint_verify::{Nanos, prove::Stat, shown};
use std::io::{self, Read};
use tar::Entry;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    File,
    Directory,
    /// A symbolic link.
    Link,
    /// A second name of a file that came before.
    Second,
    /// A device, a pipe; or what only tells of others.
    Other,
}

/// What the header of an entry says.
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) sort: Sort,
    pub(crate) stat: Stat,
    /// Where a link leads, or what a second name is one of.
    pub(crate) target: Option<Vec<u8>>,
    /// Names of owner and group, where they are told.
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) group: Option<Vec<u8>>,
}

impl Header {
    /// Reads it.
    pub(crate) fn of<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Self> {
        let name = entry.path_bytes().into_owned();
        let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned);
        let size = entry.size();
        let header = entry.header();
        let kind = header.entry_type();
        let (sort, bits) = match () {
            () if kind.is_dir() => (Sort::Directory, 0o040_000),
            () if kind.is_symlink() => (Sort::Link, 0o120_000),
            () if kind.is_hard_link() => (Sort::Second, 0o100_000),
            () if kind.is_file() || kind.is_gnu_sparse() || kind.is_contiguous() => (Sort::File, 0o100_000),
            () => (Sort::Other, 0),
        };
        let number = |number: io::Result<u64>| {
            let number = number?;
            u32::try_from(number)
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "an owner that cannot be"))
        };
        let seconds = i64::try_from(header.mtime()?).unwrap_or_default();
        let mode = u16::try_from(header.mode()? & 0o7777).unwrap_or_default();
        let stat = Stat {
            ino: 0,
            size: if sort == Sort::File { size } else { 0 },
            mtime: Nanos::new(seconds, 0),
            birth: Nanos::default(),
            links: 1,
            mode: bits | mode,
            uid: number(header.uid())?,
            gid: number(header.gid())?,
        };
        let told = |name: Option<&[u8]>| name.filter(|name| !name.is_empty()).map(<[u8]>::to_vec);
        let (user, group) = (told(header.username_bytes()), told(header.groupname_bytes()));
        Ok(Self { name, sort, stat, target, user, group })
    }

    pub(crate) const fn owner(&self) -> Owner {
        Owner { uid: self.stat.uid, gid: self.stat.gid }
    }
}

/// A way of telling holes that would come back as something else.
pub(crate) fn refuse_unknown_sparse<R: Read>(entry: &mut Entry<'_, R>) -> Result<(), RestoreError> {
    let name = shown(&entry.path_bytes());
    let Ok(Some(mut told)) = entry.pax_extensions() else { return Ok(()) };
    if told.any(|told| told.is_ok_and(|told| told.key_bytes().starts_with(b"GNU.sparse."))) {
        let what = "is stored as a sparse file in the way of pax, which is not understood here; make the archive with \
                    --format=gnu, or without --sparse";
        return Err(RestoreError::Archive { code: "archive-sparse", name, what });
    }
    Ok(())
}

//! What a file has beside its content and its mode: lists of who may read it (the web server, often) and attributes of
//! users.

use rustix::{
    fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr},
    io::Errno,
};
use std::{io, os::fd::BorrowedFd};

/// More than any file system keeps in one.
const MOST: usize = 64 * 1024;

/// Copies them; where there are none, or none can be kept, nothing is done.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let mut names = vec![0; MOST];
    let length = match flistxattr(from, &mut names[..]) {
        Ok(length) => length,
        Err(error) if is_none(error) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| is_copied(name)) {
        let mut value = vec![0; MOST];
        let set = fgetxattr(from, name, &mut value[..])
            .and_then(|length| fsetxattr(to, name, &value[..length], XattrFlags::empty()));
        match set {
            Err(error) if !is_none(error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn is_copied(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_")
}

fn is_none(error: Errno) -> bool {
    matches!(error, Errno::OPNOTSUPP | Errno::NODATA | Errno::PERM | Errno::NOSYS)
}

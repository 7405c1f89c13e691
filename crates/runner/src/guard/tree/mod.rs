//! Trees of files by descriptors of directories. The instance's user owns the Rails root and everything above it up to
//! its home, so any name may become something else at any moment: no symbolic link is followed, and nothing is reached
//! that is not below the directory that was opened.

mod attributes;
mod copy;
mod remove;
mod rights;
mod same;

pub(super) use copy::{Amount, copy, size};
pub(super) use remove::{remove, thin_out};
pub(super) use rights::{Rights, may_write_in};
pub(super) use same::same;

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Component, Path},
};

/// Deeper than any build; a tree without end must not take the process along.
const DEEPEST: usize = 64;

/// Something by its name in an open directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    /// The directory.
    pub(super) at: BorrowedFd<'a>,
    /// Its name there.
    pub(super) name: &'a OsStr,
}

impl Named<'_> {
    /// What it is, if it is there.
    pub(super) fn stat(&self) -> io::Result<Option<Stat>> {
        match statat(self.at, self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// It as a directory.
    pub(super) fn directory(&self) -> io::Result<OwnedFd> {
        step(self.at, self.name)
    }

    /// It as a file to read; one that is none any more is an error.
    pub(super) fn file(&self) -> io::Result<File> {
        // Without the last flag a pipe that was put there would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::from(openat(self.at, self.name, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file any more")) }
    }
}

/// A directory below an open one; an empty path is that one itself. Name by name: `openat2`, which could say all of this
/// in one call, is not there in a room that may make no setuid files (systemd cannot look into its arguments).
pub(super) fn directory(at: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let mut directory = step(at, OsStr::new("."))?;
    for part in path.components() {
        let Component::Normal(name) = part else { return Err(io::ErrorKind::InvalidInput.into()) };
        directory = step(directory.as_fd(), name)?;
    }
    Ok(directory)
}

fn step(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match openat(at, name, flags, Mode::empty()) {
        // Of a link the kernel says no more than that it is no directory.
        Err(Errno::NOTDIR)
            if Named { at, name }.stat()?.is_some_and(|stat| kind(&stat) == FileType::Symlink) =>
        {
            Err(Errno::LOOP.into())
        }
        opened => Ok(opened?),
    }
}

/// The names in a directory, in order.
pub(super) fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// What kind of thing it is.
pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Its permissions.
pub(super) fn mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o7777)
}

fn too_deep() -> io::Error {
    io::Error::other(format!("it is deeper than {DEEPEST} directories"))
}

fn odd() -> io::Error {
    io::Error::other("it is neither a file nor a directory nor a symbolic link")
}

#[cfg(test)]
pub(super) mod tests {
    use nix::unistd::{Uid, setfsuid};
    use std::thread;

    /// Owns nothing that it is not given.
    pub(crate) const NOBODY: u32 = 65_534;

    /// Does something as root would not be asked: a thread of its own goes by the rights of that user.
    pub(crate) fn as_nobody<T: Send>(act: impl FnOnce() -> T + Send) -> T {
        let whole = thread::scope(|scope| {
            scope
                .spawn(|| {
                    setfsuid(Uid::from_raw(NOBODY));
                    act()
                })
                .join()
        });
        whole.unwrap()
    }
}

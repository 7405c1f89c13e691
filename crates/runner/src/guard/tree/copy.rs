//! Copies of trees.

use super::{DEEPEST, Named, attributes, kind, mode, names, odd, same, too_deep};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, fchmod, futimens, linkat, mkdirat, openat,
    readlinkat, symlinkat, utimensat,
};
use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

/// How much a tree is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Files and links.
    pub(crate) files: u64,
    /// What the files hold.
    pub(crate) bytes: u64,
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// How much there is.
pub(crate) fn size(of: Named<'_>) -> io::Result<Amount> {
    fn below(of: Named<'_>, depth: usize) -> io::Result<Amount> {
        let Some(stat) = of.stat()? else { return Ok(Amount::default()) };
        if kind(&stat) != FileType::Directory {
            return Ok(Amount { files: 1, bytes: u64::try_from(stat.st_size).unwrap_or(0) });
        }
        if depth > DEEPEST {
            return Err(too_deep());
        }
        let mut amount = Amount::default();
        let directory = of.directory()?;
        for name in names(directory.as_fd())? {
            amount.add(below(Named { at: directory.as_fd(), name: &name }, depth + 1)?);
        }
        Ok(amount)
    }
    below(of, 0)
}

/// Copies what is at `from` to `to`, where nothing is. What has the same content at `twin` is not copied but becomes
/// another name of that, which needs no room.
pub(crate) fn copy(from: Named<'_>, to: Named<'_>, twin: Option<Named<'_>>) -> io::Result<Amount> {
    copy_at(from, to, twin, 0)
}

fn copy_at(from: Named<'_>, to: Named<'_>, twin: Option<Named<'_>>, depth: usize) -> io::Result<Amount> {
    let stat = from.stat()?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    match kind(&stat) {
        FileType::RegularFile => file(from, to, twin, &stat),
        FileType::Symlink => {
            symlinkat(&readlinkat(from.at, from.name, Vec::new())?, to.at, to.name)?;
            utimensat(to.at, to.name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(Amount { files: 1, bytes: 0 })
        }
        FileType::Directory if depth > DEEPEST => Err(too_deep()),
        FileType::Directory => {
            let (source, mut amount) = (from.directory()?, Amount::default());
            mkdirat(to.at, to.name, Mode::RWXU)?;
            let copy = to.directory()?;
            // Where it was replaced by something else there are no twins.
            let twins = twin.and_then(|twin| twin.directory().ok());
            for name in names(source.as_fd())? {
                let at = |at| Named { at, name: &name };
                let twin = twins.as_ref().map(|twins| at(twins.as_fd()));
                amount.add(copy_at(at(source.as_fd()), at(copy.as_fd()), twin, depth + 1)?);
            }
            finish(source.as_fd(), copy.as_fd(), &stat)?;
            Ok(amount)
        }
        _ => Err(odd()),
    }
}

fn file(from: Named<'_>, to: Named<'_>, twin: Option<Named<'_>>, stat: &Stat) -> io::Result<Amount> {
    let amount = Amount { files: 1, bytes: u64::try_from(stat.st_size).unwrap_or(0) };
    if let Some(twin) = twin
        && same(from, twin).unwrap_or(false)
        && linkat(twin.at, twin.name, to.at, to.name, AtFlags::empty()).is_ok()
    {
        // When it was written is all that may differ.
        utimensat(to.at, to.name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)?;
        return Ok(amount);
    }
    let mut source = from.file()?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut copy = File::from(openat(to.at, to.name, flags, Mode::RUSR | Mode::WUSR)?);
    io::copy(&mut source, &mut copy)?;
    finish(source.as_fd(), copy.as_fd(), stat)?;
    Ok(amount)
}

/// What is the same beside the content. The group last: only a member may give a file to it.
fn finish(from: BorrowedFd<'_>, to: BorrowedFd<'_>, stat: &Stat) -> io::Result<()> {
    if rustix::fs::fstat(to)?.st_gid != stat.st_gid {
        // A group that the instance's user is not in was given by somebody else, who can do so again.
        let _ = rustix::fs::fchown(to, None, Some(rustix::fs::Gid::from_raw(stat.st_gid)));
    }
    fchmod(to, mode(stat))?;
    attributes::copy(from, to)?;
    Ok(futimens(to, &times(stat))?)
}

fn times(stat: &Stat) -> Timestamps {
    let at = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec.cast_signed() };
    Timestamps { last_access: at, last_modification: at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tree::remove;
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        path::Path,
    };

    fn opened(path: &Path) -> std::os::fd::OwnedFd {
        File::open(path).unwrap().into()
    }

    fn tree(at: &Path) {
        fs::create_dir_all(at.join("packs/.vite")).unwrap();
        fs::write(at.join("packs/.vite/manifest.json"), "{}").unwrap();
        fs::write(at.join("packs/a.css"), "body {}").unwrap();
        fs::set_permissions(at.join("packs/a.css"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::set_permissions(at.join("packs/.vite"), fs::Permissions::from_mode(0o2750)).unwrap();
        std::os::unix::fs::symlink("/etc", at.join("packs/out")).unwrap();
    }

    #[test]
    fn a_copy_is_the_same_and_follows_no_link() {
        let scratch = tempfile::tempdir().unwrap();
        tree(scratch.path());
        let at = opened(scratch.path());
        let named = |name: &'static str| Named { at: at.as_fd(), name: name.as_ref() };
        let amount = copy(named("packs"), named("copy"), None).unwrap();
        assert_eq!(amount, Amount { files: 3, bytes: 9 });
        assert_eq!(size(named("packs")).unwrap().files, 3);
        assert!(same(named("packs"), named("copy")).unwrap());
        assert_eq!(fs::read_link(scratch.path().join("copy/out")).unwrap(), Path::new("/etc"));
        let when = |path: &str| fs::metadata(scratch.path().join(path)).unwrap().mtime_nsec();
        assert_eq!(when("packs/a.css"), when("copy/a.css"));
        fs::set_permissions(scratch.path().join("copy/a.css"), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(!same(named("packs"), named("copy")).unwrap(), "who may read it is part of it");
        remove(named("copy")).unwrap();
        assert!(!scratch.path().join("copy").exists() && Path::new("/etc/passwd").exists());
    }

    #[test]
    fn what_is_there_already_is_linked_and_needs_no_room() {
        let scratch = tempfile::tempdir().unwrap();
        tree(scratch.path());
        let at = opened(scratch.path());
        let named = |name: &'static str| Named { at: at.as_fd(), name: name.as_ref() };
        copy(named("packs"), named("kept"), None).unwrap();
        fs::write(scratch.path().join("packs/.vite/manifest.json"), "changed").unwrap();
        copy(named("kept"), named("again"), Some(named("packs"))).unwrap();
        assert!(same(named("kept"), named("again")).unwrap());
        let inode = |path: &str| fs::metadata(scratch.path().join(path)).unwrap().ino();
        assert_eq!(inode("again/a.css"), inode("packs/a.css"));
        assert_ne!(inode("again/.vite/manifest.json"), inode("packs/.vite/manifest.json"));
    }
}

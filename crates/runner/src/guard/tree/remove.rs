//! Trees that go.

use super::{DEEPEST, Named, kind, names, too_deep};
use rustix::{
    fs::{AtFlags, FileType, Mode, fchmod, unlinkat},
    io::Errno,
};
use std::{io, os::fd::AsFd as _};

/// Removes what is there; what is on another file system stays, and is an error.
pub(crate) fn remove(what: Named<'_>) -> io::Result<()> {
    let device = match what.stat()? {
        Some(stat) => stat.st_dev,
        None => return Ok(()),
    };
    remove_at(what, device, 0)
}

fn remove_at(what: Named<'_>, device: u64, depth: usize) -> io::Result<()> {
    let Some(stat) = what.stat()? else { return Ok(()) };
    if kind(&stat) != FileType::Directory {
        return gone(unlinkat(what.at, what.name, AtFlags::empty()));
    }
    if stat.st_dev != device {
        return Err(io::Error::other("something is mounted in it"));
    }
    if depth > DEEPEST {
        return Err(too_deep());
    }
    let directory = what.directory()?;
    if stat.st_mode & 0o700 != 0o700 {
        fchmod(&directory, Mode::RWXU)?;
    }
    for name in names(directory.as_fd())? {
        remove_at(Named { at: directory.as_fd(), name: &name }, device, depth + 1)?;
    }
    gone(unlinkat(what.at, what.name, AtFlags::REMOVEDIR))
}

/// Removes what of `tree` has no name in `like`: it would go with the tree, and its room is needed now.
pub(crate) fn thin_out(tree: Named<'_>, like: Named<'_>) -> io::Result<()> {
    let (Ok(directory), Ok(wanted)) = (tree.directory(), like.directory()) else { return Ok(()) };
    for name in names(directory.as_fd())? {
        let (own, other) =
            (Named { at: directory.as_fd(), name: &name }, Named { at: wanted.as_fd(), name: &name });
        match other.stat()? {
            None => remove(own)?,
            Some(stat) if kind(&stat) == FileType::Directory => thin_out(own, other)?,
            Some(_) => {}
        }
    }
    Ok(())
}

fn gone(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_link_out_of_the_tree_goes_and_what_it_names_stays() {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir_all(scratch.path().join("tree/sub")).unwrap();
        fs::create_dir(scratch.path().join("other")).unwrap();
        fs::write(scratch.path().join("other/precious"), "x").unwrap();
        std::os::unix::fs::symlink("../../other", scratch.path().join("tree/sub/link")).unwrap();
        std::os::unix::fs::symlink("other", scratch.path().join("link")).unwrap();
        let at = File::open(scratch.path()).unwrap();
        for name in ["tree", "link", "absent"] {
            remove(Named { at: at.as_fd(), name: name.as_ref() }).unwrap();
            assert!(!scratch.path().join(name).exists());
        }
        assert!(scratch.path().join("other/precious").exists());
    }

    #[test]
    fn only_what_is_new_is_thinned_out() {
        let scratch = tempfile::tempdir().unwrap();
        for file in ["tree/a", "tree/new", "tree/sub/b", "tree/sub/new", "like/a", "like/sub/b"] {
            fs::create_dir_all(scratch.path().join(file).parent().unwrap()).unwrap();
            fs::write(scratch.path().join(file), file).unwrap();
        }
        let at = File::open(scratch.path()).unwrap();
        let named = |name: &'static str| Named { at: at.as_fd(), name: name.as_ref() };
        thin_out(named("tree"), named("like")).unwrap();
        let there = |path: &str| scratch.path().join(path).exists();
        assert!(there("tree/a") && there("tree/sub/b") && !there("tree/new") && !there("tree/sub/new"));
    }
}

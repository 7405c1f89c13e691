//! One kept path is put back: rebuilt beside, exchanged in one step, the changed one removed afterwards. Killed anywhere,
//! the path is as it was changed or as it was before, and whoever goes on does all of it again.

use super::tree::{self, Named};
use mastmaint_failpoints::failpoint;
use rustix::{
    fs::{CWD, Mode, RenameFlags, fsync, mkdirat, renameat_with, syncfs},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

/// A path that is as it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Restored {
    /// What had to be done.
    pub(super) became: Became,
    /// What lies beside it and could not be removed, for people.
    pub(super) left: Option<String>,
}

impl Restored {
    /// What is staged now is nobody's. A removal that fails takes nothing back of what was proved.
    fn without(staged: Named<'_>, became: Became) -> Self {
        let left = tree::remove(staged).err();
        let left =
            left.map(|error| format!("{} cannot be removed ({error}): remove it", staged.name.display()));
        Self { became, left }
    }
}

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// It is as it was: nothing had to be done.
    Unchanged,
    /// It was put back.
    PutBack,
}

/// The parent of a path below the Rails root, and its name there.
pub(super) fn parent<'p>(live: BorrowedFd<'_>, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let parent = path.parent().unwrap_or_else(|| Path::new(""));
    Ok((tree::directory(live, parent)?, name))
}

/// The same, where what leads there is made if somebody removed it.
fn parent_again<'p>(live: BorrowedFd<'_>, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut at = tree::directory(live, Path::new(""))?;
    for part in path.parent().into_iter().flat_map(Path::components) {
        let part = part.as_os_str();
        match mkdirat(&at, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        at = tree::directory(at.as_fd(), Path::new(part))?;
    }
    Ok((at, name))
}

/// The name under which a path is rebuilt beside itself.
pub(super) fn beside(name: &OsStr, run: &str) -> OsString {
    let mut beside = OsString::from(format!(".mastmaintd-{run}-"));
    beside.push(name);
    beside
}

/// Puts a path back; `copy` is what stood there, `None` if nothing did.
pub(super) fn put_back(
    live: BorrowedFd<'_>,
    path: &Path,
    copy: Option<Named<'_>>,
    run: &str,
) -> io::Result<Restored> {
    let Some(copy) = copy else { return take_away(live, path, run) };
    let (directory, name) = parent_again(live, path)?;
    let at = |name| Named { at: directory.as_fd(), name };
    let own = beside(name, run);
    let (now, staged) = (at(name), at(&own));
    if tree::same(copy, now).unwrap_or(false) {
        return Ok(Restored::without(staged, Became::Unchanged));
    }
    // What a put-back before this one left.
    tree::remove(staged)?;
    let rebuilt = tree::copy(copy, staged, Some(now)).or_else(|error| {
        tree::remove(staged)?;
        if error.kind() != io::ErrorKind::StorageFull {
            return Err(error);
        }
        tree::thin_out(now, copy)?;
        tree::copy(copy, staged, Some(now))
    });
    if let Err(error) = rebuilt {
        // The half of it helps nobody.
        let _ = tree::remove(staged);
        return Err(error);
    }
    syncfs(&directory)?;
    failpoint!("guard.rebuilt");
    exchange(staged, now)?;
    fsync(&directory)?;
    failpoint!("guard.exchanged");
    if !tree::same(copy, now)? {
        return Err(io::Error::other(
            "somebody writes in it: it is not what was kept, although that was put back",
        ));
    }
    Ok(Restored::without(staged, Became::PutBack))
}

/// What was not there goes again: out of sight in one step, then for good.
fn take_away(live: BorrowedFd<'_>, path: &Path, run: &str) -> io::Result<Restored> {
    let (directory, name) = match parent(live, path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Restored { became: Became::Unchanged, left: None });
        }
        Err(error) => return Err(error),
    };
    let own = beside(name, run);
    let (now, staged) = (Named { at: directory.as_fd(), name }, Named { at: directory.as_fd(), name: &own });
    if now.stat()?.is_none() {
        return Ok(Restored::without(staged, Became::Unchanged));
    }
    tree::remove(staged)?;
    failpoint!("guard.before-away");
    renameat_with(now.at, now.name, staged.at, staged.name, RenameFlags::NOREPLACE)?;
    fsync(&directory)?;
    failpoint!("guard.away");
    Ok(Restored::without(staged, Became::PutBack))
}

/// What is staged takes the place of what is there, which takes the other's.
fn exchange(staged: Named<'_>, now: Named<'_>) -> io::Result<()> {
    let rename = |flags| renameat_with(staged.at, staged.name, now.at, now.name, flags);
    if now.stat()?.is_none() {
        return Ok(rename(RenameFlags::NOREPLACE)?);
    }
    match rename(RenameFlags::EXCHANGE) {
        // A file system that cannot: in two steps. Between them nothing stands there, and the put-back is owed.
        Err(Errno::INVAL | Errno::NOSYS | Errno::XDEV) => {
            let mut old = staged.name.to_owned();
            old.push(".old");
            let old = Named { at: staged.at, name: &old };
            tree::remove(old)?;
            renameat_with(now.at, now.name, old.at, old.name, RenameFlags::NOREPLACE)?;
            rename(RenameFlags::NOREPLACE)?;
            Ok(renameat_with(old.at, old.name, staged.at, staged.name, RenameFlags::NOREPLACE)?)
        }
        result => Ok(result?),
    }
}

/// Opens a directory by its whole path, as the configuration names it: that far, links are the admin's.
pub(super) fn root(path: &Path) -> io::Result<OwnedFd> {
    use rustix::fs::{OFlags, openat};
    Ok(openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tree::tests::{NOBODY, as_nobody};
    use std::{
        fs,
        os::unix::fs::{chown, symlink},
        path::PathBuf,
    };

    const RUN: &str = "20261126T003000Z-7k3f9q";

    struct Scene {
        scratch: tempfile::TempDir,
    }

    impl Scene {
        /// A Rails root, a copy of its packs, and something beside it that must never be touched.
        fn new() -> Self {
            let scratch = tempfile::tempdir().unwrap();
            for file in [
                "live/public/packs/a.css",
                "live/public/packs/.vite/m.json",
                "copy/a.css",
                "copy/.vite/m.json",
            ] {
                let path = scratch.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, Path::new(file).file_name().unwrap().as_encoded_bytes()).unwrap();
            }
            fs::create_dir(scratch.path().join("outside")).unwrap();
            fs::write(scratch.path().join("outside/precious"), "x").unwrap();
            Self { scratch }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.scratch.path().join(name)
        }

        fn put_back(&self, path: &str, copy: Option<&str>) -> io::Result<Became> {
            let (live, base) = (root(&self.path("live")).unwrap(), root(self.scratch.path()).unwrap());
            let copy = copy.map(|name| Named { at: base.as_fd(), name: name.as_ref() });
            let restored = put_back(live.as_fd(), Path::new(path), copy, RUN)?;
            assert_eq!(restored.left, None);
            Ok(restored.became)
        }

        fn is_clean(&self) -> bool {
            let (live, base) = (root(&self.path("live")).unwrap(), root(self.scratch.path()).unwrap());
            let public = tree::directory(live.as_fd(), Path::new("public")).unwrap();
            let copy = Named { at: base.as_fd(), name: "copy".as_ref() };
            let now = Named { at: public.as_fd(), name: "packs".as_ref() };
            tree::same(copy, now).unwrap()
                && tree::names(public.as_fd()).unwrap() == ["packs"]
                && fs::read_to_string(self.path("outside/precious")).is_ok_and(|text| text == "x")
                && fs::read_dir(self.path("outside")).unwrap().count() == 1
        }
    }

    #[test]
    fn what_was_changed_added_and_removed_is_as_before() {
        let scene = Scene::new();
        assert_eq!(scene.put_back("public/packs", Some("copy")).unwrap(), Became::Unchanged);
        fs::write(scene.path("live/public/packs/a.css"), "changed").unwrap();
        fs::write(scene.path("live/public/packs/new.css"), "new").unwrap();
        fs::remove_dir_all(scene.path("live/public/packs/.vite")).unwrap();
        assert_eq!(scene.put_back("public/packs", Some("copy")).unwrap(), Became::PutBack);
        assert!(scene.is_clean());
        fs::remove_dir_all(scene.path("live/public")).unwrap();
        assert_eq!(scene.put_back("public/packs", Some("copy")).unwrap(), Became::PutBack);
        assert!(scene.is_clean());
    }

    #[test]
    fn what_was_not_there_goes() {
        let scene = Scene::new();
        assert_eq!(scene.put_back("config/custom.yml", None).unwrap(), Became::Unchanged);
        fs::create_dir(scene.path("live/config")).unwrap();
        fs::write(scene.path("live/config/custom.yml"), "x").unwrap();
        assert_eq!(scene.put_back("config/custom.yml", None).unwrap(), Became::PutBack);
        assert_eq!(fs::read_dir(scene.path("live/config")).unwrap().count(), 0);
    }

    /// Whoever died at any point left one of these behind.
    #[test]
    fn a_put_back_that_was_killed_is_gone_on_with() {
        let own = beside("packs".as_ref(), RUN).into_string().unwrap();
        for content in ["half", "whole"] {
            let scene = Scene::new();
            fs::write(scene.path("live/public/packs/a.css"), "changed").unwrap();
            fs::create_dir(scene.path("live/public").join(&own)).unwrap();
            fs::write(scene.path("live/public").join(&own).join("a.css"), content).unwrap();
            assert_eq!(scene.put_back("public/packs", Some("copy")).unwrap(), Became::PutBack);
            assert!(scene.is_clean());
        }
        let scene = Scene::new();
        fs::rename(scene.path("live/public/packs"), scene.path("live/public").join(&own)).unwrap();
        assert_eq!(scene.put_back("public/packs", Some("copy")).unwrap(), Became::PutBack);
        assert!(scene.is_clean());
    }

    /// Root has built in it once more, since it was kept.
    #[test]
    fn what_cannot_be_removed_takes_nothing_back_of_what_was_put_back() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let scene = Scene::new();
        fs::create_dir(scene.path("live/public/packs/intl")).unwrap();
        fs::write(scene.path("live/public/packs/intl/en.js"), "").unwrap();
        fs::create_dir(scene.path("live/config")).unwrap();
        fs::create_dir_all(scene.path("live/config/new/intl")).unwrap();
        fs::write(scene.path("live/config/new/intl/en.js"), "").unwrap();
        for own in ["", "live", "live/public", "live/public/packs", "live/config", "live/config/new"] {
            chown(scene.path(own), Some(NOBODY), None).unwrap();
        }
        let (live, base) = (root(&scene.path("live")).unwrap(), root(scene.scratch.path()).unwrap());
        let copy = Named { at: base.as_fd(), name: "copy".as_ref() };
        for (path, copy) in [("public/packs", Some(copy)), ("config/new", None)] {
            // Twice: whoever did it first died before he could say so.
            for became in [Became::PutBack, Became::Unchanged] {
                let restored = as_nobody(|| put_back(live.as_fd(), Path::new(path), copy, RUN)).unwrap();
                assert_eq!(restored.became, became, "{path}");
                let left = restored.left.unwrap();
                assert!(left.starts_with(".mastmaintd-") && left.contains("cannot be removed"), "{left}");
            }
        }
        assert!(!scene.path("live/config/new").exists() && !scene.path("live/public/packs/intl").exists());
    }

    #[test]
    fn a_link_that_was_planted_leads_nobody_out() {
        // In the place of the directory itself: the link goes, what it names stays.
        let scene = Scene::new();
        fs::remove_dir_all(scene.path("live/public/packs")).unwrap();
        symlink(scene.path("outside"), scene.path("live/public/packs")).unwrap();
        assert_eq!(scene.put_back("public/packs", Some("copy")).unwrap(), Became::PutBack);
        assert!(scene.is_clean());
        // In it, and where it is rebuilt.
        let scene = Scene::new();
        fs::remove_dir_all(scene.path("live/public/packs/.vite")).unwrap();
        symlink(scene.path("outside"), scene.path("live/public/packs/.vite")).unwrap();
        let own = beside("packs".as_ref(), RUN);
        symlink(scene.path("outside"), scene.path("live/public").join(own)).unwrap();
        assert_eq!(scene.put_back("public/packs", Some("copy")).unwrap(), Became::PutBack);
        assert!(scene.is_clean());
        // On the way: nothing is done, and that is said.
        let scene = Scene::new();
        fs::rename(scene.path("live/public"), scene.path("live/elsewhere")).unwrap();
        symlink(scene.path("outside"), scene.path("live/public")).unwrap();
        assert!(scene.put_back("public/packs", Some("copy")).is_err());
        assert!(scene.put_back("public/packs", None).is_err());
        assert_eq!(fs::read_dir(scene.path("outside")).unwrap().count(), 1);
    }
}

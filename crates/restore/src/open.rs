//! Opening things by the directory that they lie in, never through a link that somebody may have planted.

use crate::{
    error::{RestoreError, io_on},
    inode::{seen, seen_at},
};
use mastmaint_verify::Kind;
use rustix::{
    fs::{Mode, OFlags, openat, readlinkat},
    io::Errno,
    path::Arg,
};
use std::{
    collections::VecDeque,
    ffi::{CString, OsStr, OsString},
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Component, Path},
};

/// Links to links, but not for ever.
const MOST_LINKS: usize = 40;

/// Opens something below a directory. No link on the way is followed, none at the end, and nothing leads out. It goes
/// name by name: `openat2` would do it at once, and the rooms have none (`RestrictSUIDSGID=` cannot look into its
/// arguments and takes it away).
pub(crate) fn below<P: Arg>(above: impl AsFd, path: P, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let path = path.into_c_str()?;
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let is_plain = |name: &&[u8]| !name.is_empty() && *name != b".";
    let mut names = path.to_bytes().split(|b| *b == b'/').filter(is_plain).peekable();
    if path.to_bytes().starts_with(b"/") {
        return Err(Errno::XDEV);
    }
    let mut here: Option<OwnedFd> = None;
    while let Some(name) = names.next() {
        if name == b".." {
            return Err(Errno::XDEV);
        }
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        let flags = if names.peek().is_some() { step } else { flags | OFlags::NOFOLLOW | OFlags::CLOEXEC };
        let mode = if names.peek().is_some() { Mode::empty() } else { mode };
        let opened = match &here {
            Some(here) => openat(here, &name, flags, mode),
            None => openat(&above, &name, flags, mode),
        };
        here = Some(opened?);
    }
    // Nothing but dots: the directory itself.
    here.map_or_else(|| openat(&above, c".", flags | OFlags::CLOEXEC, mode), Ok)
}

/// Opens a directory below another one.
pub(crate) fn directory_below<P: Arg>(above: impl AsFd, path: P) -> Result<OwnedFd, Errno> {
    below(above, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
}

/// The same; nothing there, or something that is no directory, is an answer.
pub(crate) fn directory_if_there<P: Arg>(above: impl AsFd, path: P) -> Result<Option<OwnedFd>, Errno> {
    match directory_below(above, path) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a directory by its path on this host. A link on the way is followed only where nobody but root can have made
/// it: `/home` may be one, nothing in the home of the instance's user may.
pub(crate) fn directory(path: &Path) -> Result<OwnedFd, RestoreError> {
    let at = |what| io_on::<Errno>(path, what);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = || openat(rustix::fs::CWD, c"/", flags, Mode::empty());
    let mut here = root().map_err(at("open"))?;
    let mut left: VecDeque<OsString> = parts(path);
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        let name = CString::new(part.as_bytes()).map_err(|_| at("open")(Errno::INVAL))?;
        let look = seen_at(here.as_fd(), &name).map_err(io_on(path, "look at"))?;
        let Some(found) = look else { return Err(at("open")(Errno::NOENT)) };
        if found.kind != Kind::Link {
            here = openat(&here, &name, flags, Mode::empty()).map_err(at("open"))?;
            continue;
        }
        let above = seen(&here).map_err(io_on(path, "look at"))?;
        if found.uid != 0 || above.uid != 0 || above.mode & 0o022 != 0 {
            let what = format!(
                "{} on the way is a link that others than root can change; name the place where it leads in `instance: live:`",
                part.to_string_lossy()
            );
            return Err(RestoreError::Unfit { code: "link-on-the-way", at: path.to_owned(), what });
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(at("open")(Errno::LOOP));
        }
        let target = readlinkat(&here, &name, Vec::new()).map_err(at("read the link"))?;
        let target = OsString::from_vec(target.into_bytes());
        if Path::new(&target).is_absolute() {
            here = root().map_err(at("open"))?;
        }
        for part in parts(Path::new(&target)).into_iter().rev() {
            left.push_front(part);
        }
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(&here, c".", flags, Mode::empty()).map_err(at("open"))
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().filter_map(part).collect()
}

/// A name as system calls want it.
pub(crate) fn c_name(name: &OsStr) -> Result<CString, RestoreError> {
    CString::new(name.as_bytes()).map_err(|_| io_on::<Errno>(Path::new(name), "use the name")(Errno::INVAL))
}

/// For messages: where an open directory is now.
pub(crate) fn whereabouts(fd: impl AsFd) -> String {
    let link = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    std::fs::read_link(link).map_or_else(|_| "a directory".to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn only_links_of_root_in_places_of_root_are_followed() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        fs::create_dir_all(home.join("mastodon/live")).unwrap();
        symlink("home", place.path().join("h")).unwrap();
        let found = seen(directory(&home.join("mastodon")).unwrap()).unwrap().inode;
        if rustix::process::geteuid().is_root() {
            let by_link = seen(directory(&place.path().join("h/mastodon")).unwrap()).unwrap().inode;
            assert_eq!(by_link, found);
            std::os::unix::fs::lchown(place.path().join("h"), Some(1000), Some(1000)).unwrap();
        }
        let error = directory(&place.path().join("h/mastodon")).unwrap_err();
        assert_eq!(error.code(), "link-on-the-way");
        assert_eq!(directory(&home.join("nobody")).unwrap_err().code(), "io");
    }

    #[test]
    fn nothing_leads_out() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("in/deep")).unwrap();
        symlink("/etc", place.path().join("in/etc")).unwrap();
        let above = directory_below(directory(place.path()).unwrap(), "in").unwrap();
        assert!(directory_below(&above, "deep").is_ok());
        for out in ["etc", "../in", "/etc", "deep/../../in", "etc/ssl"] {
            assert!(directory_below(&above, out).is_err(), "{out}");
        }
        assert!(directory_if_there(&above, "none").unwrap().is_none());
        assert!(whereabouts(&above).ends_with("/in"));
    }
}

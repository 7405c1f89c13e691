//! What is live today, and whether it can be exchanged.

use crate::{
    environment,
    error::{RestoreError, io_on},
    inode::{Seen, seen, seen_at},
    mounts,
    names::{PUBLIC, SYSTEM},
    open::{self, c_name, directory_below},
};
use mastmaint_verify::Kind;
use rustix::fs::readlinkat;
use std::{
    collections::BTreeSet,
    ffi::{CString, OsStr},
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

/// The directory above live, opened, and the name of live in it.
#[derive(Debug)]
pub(crate) struct Parent {
    pub(crate) fd: OwnedFd,
    pub(crate) seen: Seen,
    pub(crate) path: PathBuf,
    pub(crate) name: CString,
}

impl Parent {
    /// Opens it.
    pub(crate) fn open(live: &Path) -> Result<Self, RestoreError> {
        let (Some(path), Some(name)) = (live.parent(), live.file_name()) else {
            let what = "it is no directory in another one".to_owned();
            return Err(RestoreError::Unfit { code: "live-is-root", at: live.to_owned(), what });
        };
        let fd = open::directory(path)?;
        let seen = seen(&fd).map_err(io_on(path, "look at"))?;
        Ok(Self { fd, seen, path: path.to_owned(), name: c_name(name)? })
    }

    /// What a name in it stands for.
    pub(crate) fn look(&self, name: &OsStr) -> Result<Option<Seen>, RestoreError> {
        seen_at(self.fd.as_fd(), &c_name(name)?).map_err(io_on(&self.path.join(name), "look at"))
    }
}

/// Today's uploads.
#[derive(Debug, Clone)]
pub(crate) enum Media {
    /// There are none.
    None,
    /// A directory in live.
    Here(Seen),
    /// A link, and what is written in it.
    Link(Vec<u8>),
}

/// What is live today.
#[derive(Debug)]
pub(crate) struct Today {
    pub(crate) fd: OwnedFd,
    pub(crate) seen: Seen,
    pub(crate) media: Media,
    /// Names of its environment files.
    pub(crate) environment: BTreeSet<Vec<u8>>,
}

impl Today {
    /// Looks at live; `None` on a bare host. What cannot be exchanged is refused.
    pub(crate) fn look(parent: &Parent, at: &Path) -> Result<Option<Self>, RestoreError> {
        let unfit = |code, what: &str| RestoreError::Unfit { code, at: at.to_owned(), what: what.to_owned() };
        let found = seen_at(parent.fd.as_fd(), &parent.name).map_err(io_on(at, "look at"))?;
        let Some(found) = found else { return Ok(None) };
        match found.kind {
            Kind::Directory => {}
            Kind::Link => {
                return Err(unfit(
                    "live-is-a-link",
                    "it is a link; name the place where it leads in `instance: live:`",
                ));
            }
            Kind::File | Kind::Other => return Err(unfit("live-is-no-directory", "it is no directory")),
        }
        if found.is_apart_from(&parent.seen) {
            return Err(unfit(
                "live-is-a-mount",
                "it is a file system or a mount of its own, which cannot be exchanged. Let a directory in it be live, or \
                 restore by hand",
            ));
        }
        let fd = directory_below(&parent.fd, parent.name.as_c_str()).map_err(io_on(at, "open"))?;
        let opened = seen(&fd).map_err(io_on(at, "look at"))?;
        if opened.inode != found.inode {
            return Err(RestoreError::Moved { what: format!("{} is another directory now", at.display()) });
        }
        mounts::none_below(&fd, at)?;
        let media = media(&fd, at)?;
        if matches!(media, Media::Here(_)) {
            let public = directory_below(&fd, PUBLIC).map_err(io_on(at, "open public of"))?;
            let uploads = directory_below(&public, SYSTEM).map_err(io_on(at, "open public/system of"))?;
            mounts::none_missing(&uploads, &at.join(PUBLIC).join(SYSTEM))?;
        }
        let environment = environment::all(&fd)?.into_iter().map(CString::into_bytes).collect();
        Ok(Some(Self { fd, seen: opened, media, environment }))
    }
}

/// What `public/system` is.
pub(crate) fn media(live: &OwnedFd, at: &Path) -> Result<Media, RestoreError> {
    let at = at.join(PUBLIC);
    let of = |what| io_on::<std::io::Error>(&at, what);
    let public = seen_at(live.as_fd(), &c_name(OsStr::new(PUBLIC))?).map_err(of("look at"))?;
    let unfit =
        |code, at: &Path, what: &str| RestoreError::Unfit { code, at: at.to_owned(), what: what.to_owned() };
    match public {
        None => return Ok(Media::None),
        Some(public) if public.is_directory() => {}
        Some(_) => {
            let what =
                "it is a link or a file; let live hold the directory, and public/system in it be the link";
            return Err(unfit("public-is-a-link", &at, what));
        }
    }
    let public = directory_below(live, PUBLIC).map_err(io_on(&at, "open"))?;
    let (name, at) = (c_name(OsStr::new(SYSTEM))?, at.join(SYSTEM));
    let found = seen_at(public.as_fd(), &name).map_err(io_on(&at, "look at"))?;
    match found {
        None => Ok(Media::None),
        Some(system) if system.is_directory() => Ok(Media::Here(system)),
        Some(system) if system.kind == Kind::Link => {
            let target = readlinkat(&public, &name, Vec::new()).map_err(io_on(&at, "read the link"))?;
            Ok(Media::Link(target.into_bytes()))
        }
        Some(_) => Err(unfit("uploads-are-no-directory", &at, "it is neither a directory nor a link")),
    }
}

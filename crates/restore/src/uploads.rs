//! What becomes of `public/system`, and its place in the copy.

use crate::{
    error::{RestoreError, io_at, io_on},
    file,
    ground::Ground,
    making::{Making, dress_of},
    names::{PUBLIC, SYSTEM, UPLOADS},
    open::{self, directory_below, directory_if_there},
    owners::Owner,
    today::Media,
};
use mastmaint_verify::{
    Line,
    prove::{stat_at, stat_of},
};
use mastmaint_words::restore::{RestoreOrder, Uploads};
use std::{
    ffi::{CString, OsStr},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

/// By what was asked and what there is today.
pub(crate) const fn decide(order: &RestoreOrder, media: &Media) -> Uploads {
    match media {
        Media::None => Uploads::NoneToday,
        _ if order.with_media => Uploads::FromBackup,
        Media::Here(_) => Uploads::Stay,
        Media::Link(_) => Uploads::Link,
    }
}

/// Refuses to take the uploads of a backup that has none.
pub(crate) fn must_be_in(root: &OwnedFd, generation: &str) -> Result<(), RestoreError> {
    let public = directory_if_there(root, PUBLIC).map_err(io_at(UPLOADS, "look for in the backup"))?;
    let is_there = public.is_some_and(|public| stat_at(public.as_fd(), c"system").is_ok());
    if is_there {
        return Ok(());
    }
    let what =
        format!("{generation} has no public/system; restore without --with-media, and today's uploads stay");
    Err(RestoreError::NotNow { what })
}

/// The directory that a link of today leads to, if it can be looked into.
pub(crate) fn behind(live: &Path, target: &[u8]) -> Option<OwnedFd> {
    open::directory(&live.join(PUBLIC).join(OsStr::from_bytes(target))).ok()
}

/// Makes the place in the copy into which today's uploads move, or the link that they are.
pub(crate) fn make_room(making: &Making<'_>, run: &OwnedFd, ground: &Ground<'_>) -> Result<(), RestoreError> {
    let (uploads, live) = (ground.policy.uploads, &ground.order.live);
    let Some(today) = ground.today.as_ref().filter(|_| matches!(uploads, Uploads::Stay | Uploads::Link))
    else {
        return Ok(());
    };
    let of_today = directory_below(&today.fd, PUBLIC).map_err(io_on(live, "open public of"))?;
    let stat = stat_of(&of_today).map_err(io_on(live, "look at public of"))?;
    let copy = directory_below(run, "live").map_err(io_at(b"live", "open in the copy"))?;
    let path = b"live/public";
    if directory_if_there(&copy, PUBLIC).map_err(io_at(path, "open in the copy"))?.is_none() {
        making.directory(&copy, c"public", &stat, path)?;
    }
    let public = directory_below(&copy, PUBLIC).map_err(io_at(path, "open in the copy"))?;
    let (Uploads::Link, Media::Link(target)) = (uploads, &today.media) else { return Ok(()) };
    let name = CString::from(c"system");
    let stat = stat_at(of_today.as_fd(), &name).map_err(io_on(live, "look at public/system of"))?;
    let (into, target) = ([b"live/", UPLOADS].concat(), CString::new(target.as_slice()).unwrap_or_default());
    let dressed = dress_of(&stat);
    file::link(public.as_fd(), &name, &target, Owner { uid: stat.uid, gid: stat.gid }, dressed.mtime)
        .map_err(io_at(&into, "make in the copy"))?;
    making.recorder.add(&Line::of(&into, &stat, None, Some(target.to_bytes())))
}

/// What a name in `public` of a tree stands for; its name is that of the uploads.
pub(crate) fn name() -> CString {
    CString::new(SYSTEM).unwrap_or_default()
}

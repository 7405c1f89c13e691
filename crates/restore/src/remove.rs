//! Removes a directory's content by descriptors: no link is followed, and no mount is entered.

use crate::{
    error::{RestoreError, io_on},
    inode::seen,
    open::directory_below,
    walk::DEEPEST,
};
use mastmaint_verify::rsnapshot::names;
use rustix::{
    fs::{AtFlags, unlinkat},
    io::Errno,
};
use std::{
    ffi::OsStr,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

/// Removes everything in a directory; `at` is for messages.
pub(crate) fn remove(directory: &OwnedFd, at: &Path) -> Result<(), RestoreError> {
    level(directory, at, 0)
}

fn level(directory: &OwnedFd, at: &Path, depth: usize) -> Result<(), RestoreError> {
    let here = seen(directory).map_err(io_on(at, "look at"))?;
    for name in names(directory.as_fd()).map_err(io_on(at, "list"))? {
        let path = at.join(OsStr::from_bytes(name.to_bytes()));
        match unlinkat(directory, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(io_on(&path, "remove")(error)),
        }
        let below = directory_below(directory, name.as_c_str()).map_err(io_on(&path, "open"))?;
        let is_apart = seen(&below).map_err(io_on(&path, "look at"))?.is_apart_from(&here);
        if is_apart || depth > DEEPEST {
            let what = "something is mounted here, or it is too deep; it was not removed".to_owned();
            return Err(RestoreError::Unfit { code: "not-removed", at: path, what });
        }
        level(&below, &path, depth + 1)?;
        match unlinkat(directory, &name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(io_on(&path, "remove")(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_link_is_removed_and_not_what_it_leads_to() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("old/a/b")).unwrap();
        fs::create_dir(place.path().join("kept")).unwrap();
        fs::write(place.path().join("kept/f"), "x").unwrap();
        fs::write(place.path().join("old/a/b/f"), "x").unwrap();
        std::os::unix::fs::symlink("../../kept", place.path().join("old/a/out")).unwrap();
        let old: OwnedFd = fs::File::open(place.path().join("old")).unwrap().into();
        remove(&old, &place.path().join("old")).unwrap();
        assert_eq!(fs::read_dir(place.path().join("old")).unwrap().count(), 0);
        assert!(place.path().join("kept/f").exists());
    }
}

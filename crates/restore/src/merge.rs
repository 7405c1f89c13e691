//! Puts what is missing to its place, by renames: what is there already stays, also what came meanwhile.

use crate::{
    error::{RestoreError, io_at},
    open::directory_if_there,
};
use mastmaint_verify::rsnapshot::names;
use rustix::{
    fs::{AtFlags, RenameFlags, renameat_with, unlinkat},
    io::Errno,
};
use std::os::fd::{AsFd as _, OwnedFd};

/// Moves everything of `from` into `to` that has no name there; a directory that is there takes what it lacks.
pub(crate) fn merge(from: &OwnedFd, to: &OwnedFd) -> Result<(), RestoreError> {
    for name in names(from.as_fd()).map_err(io_at(b"missing uploads", "list"))? {
        let of = |what| io_at::<Errno>(name.to_bytes(), what);
        match renameat_with(from, &name, to, &name, RenameFlags::NOREPLACE) {
            // Gone: another process of ours was killed after it.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::EXIST) => {
                let below = directory_if_there(from, name.as_c_str()).map_err(of("open"))?;
                let there = directory_if_there(to, name.as_c_str()).map_err(of("open"))?;
                let Some((below, there)) = below.zip(there) else { continue };
                merge(&below, &there)?;
                match unlinkat(from, &name, AtFlags::REMOVEDIR) {
                    // What had a name there stays here.
                    Ok(()) | Err(Errno::NOTEMPTY | Errno::NOENT) => {}
                    Err(error) => return Err(of("remove the empty directory")(error)),
                }
            }
            Err(error) => return Err(of("put to its place")(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    #[test]
    fn what_is_there_stays_and_what_is_missing_comes() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (path, text) in
            [("from/a/1", "b"), ("from/a/2", "b"), ("from/new/deep/3", "b"), ("from/x/4", "b")]
        {
            write(path, text);
        }
        write("to/a/2", "today");
        // A link of today leads somewhere else: nothing is put there.
        fs::create_dir(place.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", place.path().join("to/x")).unwrap();
        let open = |name: &str| OwnedFd::from(fs::File::open(place.path().join(name)).unwrap());
        merge(&open("from"), &open("to")).unwrap();
        merge(&open("from"), &open("to")).unwrap();
        let read = |path: &str| fs::read_to_string(place.path().join(path)).unwrap_or_default();
        assert_eq!(
            (read("to/a/1"), read("to/a/2"), read("to/new/deep/3")),
            ("b".into(), "today".into(), "b".into())
        );
        assert_eq!((read("from/a/2"), read("from/x/4")), ("b".into(), "b".into()), "they are not lost");
        assert!(!Path::new(&place.path().join("from/new")).exists());
        assert_eq!(fs::read_dir(place.path().join("elsewhere")).unwrap().count(), 0);
    }
}

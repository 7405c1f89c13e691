//! How many names there are below a directory. Nothing is looked at but the listings: they tell directories.

use crate::{
    error::{RestoreError, io_at},
    open::{directory_below, directory_if_there},
    walk::DEEPEST,
};
use mastmaint_verify::shown;
use rustix::{
    fs::{FileType, RawDir},
    io::Errno,
};
use std::{
    ffi::CString,
    mem::MaybeUninit,
    os::fd::{AsFd as _, OwnedFd},
};

const LISTING: usize = 32 * 1024;

/// Counts every name below.
pub(crate) fn tally(directory: &OwnedFd) -> Result<u64, RestoreError> {
    level(directory, &mut Vec::new(), 0)
}

fn level(directory: &OwnedFd, path: &mut Vec<u8>, depth: usize) -> Result<u64, RestoreError> {
    // The copy lies two levels deeper than its Rails root.
    if depth > DEEPEST + 2 {
        return Err(RestoreError::NotNow { what: format!("{} is nested too deep", shown(path)) });
    }
    let (mut count, mut below) = (0, Vec::new());
    let mut buffer = vec![MaybeUninit::uninit(); LISTING];
    // A descriptor of its own: a listing moves the position of the one that it reads.
    let own = directory_below(directory, c".").map_err(io_at(path, "open in the copy"))?;
    let mut listing = RawDir::new(own.as_fd(), &mut buffer);
    while let Some(entry) = listing.next() {
        let entry = entry.map_err(io_at::<Errno>(path, "list in the copy"))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        count += 1;
        if matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
            below.push(CString::from(name));
        }
    }
    drop(buffer);
    let length = path.len();
    for name in below {
        if length > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(name.to_bytes());
        let opened =
            directory_if_there(directory, name.as_c_str()).map_err(io_at(path, "open in the copy"))?;
        if let Some(opened) = opened {
            count += level(&opened, path, depth + 1)?;
        }
        path.truncate(length);
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn every_name_counts_and_no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("a/b")).unwrap();
        fs::write(place.path().join("a/b/c"), "").unwrap();
        std::os::unix::fs::symlink("/etc", place.path().join("a/etc")).unwrap();
        let open = || OwnedFd::from(fs::File::open(place.path()).unwrap());
        assert_eq!(tally(&open()).unwrap(), 4);
        assert_eq!(tally(&open()).unwrap(), 4);
    }
}

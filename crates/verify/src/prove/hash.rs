//! Reading one file to its end, without pushing anybody's pages out of memory.

use super::open::{Stat, is_gone, open_file, stat_of};
use rustix::{
    fs::{Advice, fadvise},
    io::{Errno, ReadWriteFlags, preadv2, read},
};
use std::{ffi::CStr, io::IoSliceMut, os::fd::BorrowedFd};

/// BLAKE3 of a file's content.
pub(crate) type Hash = [u8; 32];

/// What reading a file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Read to its end, and it stood still meanwhile.
    Whole(Hash, Stat),
    /// It changed or went away meanwhile: nothing can be said of it tonight.
    Unsettled,
    /// Somebody asked for the end.
    Cancelled,
    /// It cannot be read.
    Unreadable(Errno),
}

/// Reads and hashes a file that was looked at as `looked`.
pub(crate) fn hash_at(
    directory: BorrowedFd<'_>,
    name: &CStr,
    looked: &Stat,
    buffer: &mut [u8],
    read_so_far: impl Fn(u64) -> bool,
) -> Reading {
    let file = match open_file(directory, name) {
        Ok(file) => file,
        Err(error) if is_gone(error) => return Reading::Unsettled,
        Err(error) => return Reading::Unreadable(error),
    };
    match stat_of(&file) {
        Ok(now) if now == *looked || same_content(&now, looked) => {}
        Ok(_) => return Reading::Unsettled,
        Err(error) => return Reading::Unreadable(error),
    }
    let was_cached = is_cached(&file);
    let mut hasher = blake3::Hasher::new();
    let mut length = 0_u64;
    loop {
        match read(&file, &mut *buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                length += count as u64;
                if !read_so_far(count as u64) {
                    return Reading::Cancelled;
                }
            }
            Err(Errno::INTR) => {}
            Err(error) => return Reading::Unreadable(error),
        }
    }
    if !was_cached {
        // What we brought into memory leaves it again; what was there before stays.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
    }
    match stat_of(&file) {
        Ok(after) if same_content(&after, looked) && length == after.size => {
            Reading::Whole(*hasher.finalize().as_bytes(), after)
        }
        Ok(after) if same_content(&after, looked) => Reading::Unreadable(Errno::IO),
        Ok(_) => Reading::Unsettled,
        Err(error) => Reading::Unreadable(error),
    }
}

/// A new link or a removed one (rotations do both all the time) does not touch the content.
fn same_content(a: &Stat, b: &Stat) -> bool {
    (a.ino, a.size, a.mtime, a.birth) == (b.ino, b.size, b.mtime, b.birth)
}

/// Whether the beginning is in memory already: then somebody else uses the file.
fn is_cached(file: impl std::os::fd::AsFd) -> bool {
    let mut byte = [0_u8; 1];
    preadv2(file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT).is_ok_and(|n| n == 1)
}

#[cfg(test)]
mod tests {
    use super::{super::open::stat_at, *};
    use std::{fs, os::fd::AsFd as _};

    #[test]
    fn a_file_is_hashed_and_one_that_changed_is_not_judged() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a"), vec![7_u8; 300_000]).unwrap();
        let directory = fs::File::open(place.path()).unwrap();
        let looked = stat_at(directory.as_fd(), c"a").unwrap();
        let read = |buffer: &mut [u8]| hash_at(directory.as_fd(), c"a", &looked, buffer, |_| true);
        let Reading::Whole(hash, _) = read(&mut [0; 4096]) else { panic!("not read") };
        assert_eq!(hash, *blake3::hash(&vec![7_u8; 300_000]).as_bytes());
        fs::write(place.path().join("a"), "shorter").unwrap();
        assert_eq!(read(&mut [0; 4096]), Reading::Unsettled);
        fs::remove_file(place.path().join("a")).unwrap();
        assert_eq!(read(&mut [0; 4096]), Reading::Unsettled);
    }
}

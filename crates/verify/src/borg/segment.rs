//! The segments of a repository of Borg on this host, read to their end: every entry has a checksum. Borg itself reads
//! all of them or none (`--max-duration` writes into the repository); one by one they fit into a night.

use crate::{
    prove::{Stat, stat_of},
    stamp::Nanos,
};
use flate2::Crc;
use rustix::fs::{Advice, fadvise};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"BORG_SEG";
/// Checksum, size and tag.
const HEADER: usize = 9;
/// An object is at most 20 MiB, with a little around it.
const LONGEST: u32 = 32 * 1024 * 1024;
/// Put, delete, commit.
const LAST_TAG: u8 = 2;

/// A segment: a numbered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) changed: Nanos,
}

/// What reading a segment came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Every checksum agrees; BLAKE3 of all of it.
    Whole([u8; 32]),
    /// It was written to or removed meanwhile.
    Unsettled,
    /// From this byte on it is not what borg wrote.
    Damaged {
        at: u64,
        why: &'static str,
    },
    Unreadable(String),
}

/// The segments of a repository, in their order.
pub(crate) fn segments(repository: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for shelf in fs::read_dir(repository.join("data"))? {
        let shelf = shelf?;
        if !shelf.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(shelf.path())? {
            let entry = entry?;
            let Some(number) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
            // Compacted since it was listed: not there.
            let Ok(metadata) = entry.metadata() else { continue };
            let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
            let changed = Nanos::new(metadata.mtime(), nanos);
            segments.push(Segment { number, path: entry.path(), size: metadata.len(), changed });
        }
    }
    segments.sort_by_key(|s| s.number);
    Ok(segments)
}

/// Reads a segment to its end. `go_on` is told how many bytes were read and may end it.
pub(crate) fn read_segment(segment: &Segment, go_on: &mut dyn FnMut(u64) -> bool) -> Reading {
    let file = match File::open(&segment.path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Reading::Unsettled,
        Err(error) => return Reading::Unreadable(error.to_string()),
    };
    let is_same = |stat: &Stat| (stat.size, stat.mtime) == (segment.size, segment.changed);
    let hasher = blake3::Hasher::new();
    let mut input = Counted { input: BufReader::with_capacity(256 * 1024, &file), hasher, read: 0 };
    let read = entries(&mut input, go_on);
    let hash = *input.hasher.finalize().as_bytes();
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let stat = stat_of(&file);
    match read {
        _ if !stat.is_ok_and(|stat| is_same(&stat)) => Reading::Unsettled,
        Ok(true) => Reading::Whole(hash),
        Ok(false) => Reading::Unsettled,
        Err(Wrong::Content { at, why }) => Reading::Damaged { at, why },
        Err(Wrong::Io(error)) => Reading::Unreadable(error.to_string()),
    }
}

/// Hashes and counts what goes through.
struct Counted<R> {
    input: R,
    hasher: blake3::Hasher,
    read: u64,
}

impl<R: Read> Counted<R> {
    /// Fills the buffer as far as the file goes.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < buffer.len() {
            match self.input.read(&mut buffer[count..]) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.hasher.update(&buffer[..count]);
        self.read += count as u64;
        Ok(count)
    }
}

enum Wrong {
    Content { at: u64, why: &'static str },
    Io(io::Error),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads entry after entry; `false` if somebody asked for the end.
fn entries<R: Read>(input: &mut Counted<R>, go_on: &mut dyn FnMut(u64) -> bool) -> Result<bool, Wrong> {
    let wrong = |at, why| Err(Wrong::Content { at, why });
    let mut magic = [0; MAGIC.len()];
    if input.fill(&mut magic)? < MAGIC.len() || magic != *MAGIC {
        return wrong(0, "it does not begin as a segment does");
    }
    let (mut header, mut buffer) = ([0; HEADER], vec![0; 256 * 1024]);
    loop {
        let at = input.read;
        match input.fill(&mut header)? {
            0 => return Ok(true),
            HEADER => {}
            _ => return wrong(at, "it ends in the middle of an entry"),
        }
        let [c0, c1, c2, c3, s0, s1, s2, s3, tag] = header;
        let (told, size) = (u32::from_le_bytes([c0, c1, c2, c3]), u32::from_le_bytes([s0, s1, s2, s3]));
        if tag > LAST_TAG || size > LONGEST || (size as usize) < HEADER {
            return wrong(at, "the head of an entry makes no sense");
        }
        let mut crc = Crc::new();
        crc.update(&header[4..]);
        let mut left = size as usize - HEADER;
        while left > 0 {
            let wanted = left.min(buffer.len());
            let count = input.fill(&mut buffer[..wanted])?;
            if count < wanted {
                return wrong(at, "it ends in the middle of an entry");
            }
            crc.update(&buffer[..count]);
            left -= count;
        }
        if crc.sum() != told {
            return wrong(at, "the checksum of an entry disagrees");
        }
        if !go_on(u64::from(size)) {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut rest = u32::try_from(HEADER + content.len()).unwrap().to_le_bytes().to_vec();
        rest.push(tag);
        rest.extend_from_slice(content);
        let mut crc = Crc::new();
        crc.update(&rest);
        [crc.sum().to_le_bytes().to_vec(), rest].concat()
    }

    fn read(content: &[u8]) -> Reading {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("data/0")).unwrap();
        fs::write(place.path().join("data/0/7"), content).unwrap();
        fs::write(place.path().join("data/0/7.tmp"), "no segment").unwrap();
        let found = segments(place.path()).unwrap();
        assert_eq!((found.len(), found[0].number), (1, 7));
        read_segment(&found[0], &mut |_| true)
    }

    proptest! {
        #[test]
        fn a_flipped_bit_anywhere_is_seen(content in proptest::collection::vec(any::<u8>(), 0..600), at in any::<usize>()) {
            let good = [MAGIC.to_vec(), entry(0, &[[7; 32].to_vec(), content].concat()), entry(2, &[])].concat();
            prop_assert_eq!(read(&good), Reading::Whole(*blake3::hash(&good).as_bytes()));
            let mut flipped = good.clone();
            flipped[at % good.len()] ^= 1 << (at % 8);
            let seen = read(&flipped);
            prop_assert!(matches!(seen, Reading::Damaged { .. }), "{:?}", seen);
            let cut = 8 + at % (good.len() - 17);
            let seen = read(&good[..cut]);
            prop_assert!(cut == 8 || matches!(seen, Reading::Damaged { .. }), "cut at {}: {:?}", cut, seen);
        }
    }
}

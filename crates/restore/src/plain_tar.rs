//! The archive in what another host sends: `send` writes files, directories, links and long names, and nothing else of
//! what tar knows. Whoever reads an archive takes long names and lists of attributes into memory as a whole, however
//! long they are said to be; here nothing comes through to it that is longer than a name, or of another kind.

use std::io::{self, Read};
use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// A path has 4096 bytes at most.
const LONGEST: u64 = 16 * 1024;

/// Lets through what `send` writes.
pub(crate) struct PlainTar<'a> {
    input: &'a mut dyn Read,
    header: [u8; BLOCK],
    /// So much of the header is there.
    filled: usize,
    /// So much comes before the next header.
    before: u64,
}

impl<'a> PlainTar<'a> {
    pub(crate) const fn of(input: &'a mut dyn Read) -> Self {
        Self { input, header: [0; BLOCK], filled: 0, before: 0 }
    }

    /// A header is there as a whole: says how much comes behind it.
    fn weigh(&mut self) -> io::Result<()> {
        self.filled = 0;
        if self.header.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let header = Header::from_byte_slice(&self.header);
        let (kind, size) = (header.entry_type(), header.entry_size()?);
        let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
        match kind {
            EntryType::Regular | EntryType::Directory | EntryType::Symlink => {}
            EntryType::GNULongName | EntryType::GNULongLink if size <= LONGEST => {}
            EntryType::GNULongName | EntryType::GNULongLink => {
                return wrong("a name that is longer than any");
            }
            _ => return wrong("an entry of a kind that is never sent"),
        }
        let whole = size.checked_next_multiple_of(BLOCK as u64);
        self.before = whole.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(())
    }
}

impl Read for PlainTar<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.before > 0 {
            let most = usize::try_from(self.before).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.input.read(&mut buffer[..most])?;
            self.before -= count as u64;
            return Ok(count);
        }
        let most = (BLOCK - self.filled).min(buffer.len());
        let count = self.input.read(&mut buffer[..most])?;
        self.header[self.filled..self.filled + count].copy_from_slice(&buffer[..count]);
        self.filled += count;
        if self.filled == BLOCK {
            self.weigh()?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: EntryType, size: u64) -> Vec<u8> {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn read(bytes: &[u8], piece: usize) -> io::Result<Vec<u8>> {
        let mut input = bytes;
        let mut plain = PlainTar::of(&mut input);
        let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
        loop {
            match plain.read(&mut buffer)? {
                0 => return Ok(all),
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn what_is_sent_comes_through_in_pieces_of_any_size() {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, size) in [("a", 0), ("b", 511), ("c", 512), (&*"d/".repeat(150), 0), ("e", 70_000)] {
            let mut header = Header::new_gnu();
            header.set_entry_type(if name.ends_with('/') {
                EntryType::Directory
            } else {
                EntryType::Regular
            });
            header.set_size(size);
            let content = vec![b'x'; usize::try_from(size).unwrap()];
            tar.append_data(&mut header, name, &content[..]).unwrap();
        }
        let mut link = Header::new_gnu();
        link.set_entry_type(EntryType::Symlink);
        link.set_size(0);
        tar.append_link(&mut link, "l", "t".repeat(300)).unwrap();
        let whole = tar.into_inner().unwrap();
        for piece in [1, 7, 512, 4096, 1 << 20] {
            assert!(read(&whole, piece).unwrap() == whole, "{piece}");
        }
    }

    #[test]
    fn nothing_that_is_taken_in_as_a_whole_is_longer_than_a_name() {
        for kind in [EntryType::GNULongName, EntryType::GNULongLink] {
            assert!(read(&header(kind, LONGEST), 512).is_ok());
            assert!(read(&header(kind, LONGEST + 1), 512).is_err());
            assert!(read(&header(kind, 1 << 50), 512).is_err());
        }
        for kind in [
            EntryType::XHeader,
            EntryType::XGlobalHeader,
            EntryType::GNUSparse,
            EntryType::Link,
            EntryType::Fifo,
        ] {
            assert!(read(&header(kind, 0), 512).is_err(), "{kind:?}");
        }
        let mut odd = header(EntryType::Regular, 0);
        odd[124..136].copy_from_slice(&[0xff; 12]);
        assert!(read(&odd, 512).is_err(), "a size that nobody has");
    }
}

//! The content of a generation as an archive of tar, for another host.

use crate::{
    error::{RestoreError, io_at},
    file::PIECE,
    send::{is_sent, sending},
    walk::{Entry, Visitor},
};
use mastmaint_verify::{Kind, prove::open_file, shown};
use rustix::{
    fs::readlinkat,
    io::{Errno, read},
};
use std::{
    ffi::OsStr,
    io::{self, Write},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};
use tar::{Builder, EntryType, Header};

const BLOCK: usize = 512;

/// Writes what a walk meets.
pub(crate) struct Sending<W: Write> {
    tar: Builder<W>,
    with_cache: bool,
    buffer: Vec<u8>,
}

impl<W: Write> Sending<W> {
    /// Begins an archive; `with_cache` sends copies of what lies on other servers, too.
    pub(crate) fn begin(out: W, with_cache: bool) -> Self {
        Self { tar: Builder::new(out), with_cache, buffer: vec![0; PIECE] }
    }

    /// Ends it.
    pub(crate) fn end(self) -> Result<W, RestoreError> {
        self.tar.into_inner().map_err(sending)
    }

    /// A file of the size that its header tells. One that has become shorter would put everything behind it in a wrong
    /// place.
    fn file(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
        let size = entry.stat.size;
        let file =
            open_file(entry.above.as_fd(), entry.name).map_err(io_at(entry.path, "open in the backup"))?;
        let mut header = header(entry, EntryType::Regular, size);
        // Header and content apart: the archive would read the content in pieces of 8 KB.
        self.tar.append_data(&mut header, path(entry), io::empty()).map_err(sending)?;
        let mut left = size;
        while left > 0 {
            let count = self.piece(&file, left).map_err(io_at(entry.path, "read in the backup"))?;
            if count == 0 {
                return Err(RestoreError::Unsettled { path: shown(entry.path) });
            }
            self.tar.get_mut().write_all(&self.buffer[..count]).map_err(sending)?;
            left -= count as u64;
        }
        let past = usize::try_from(size % BLOCK as u64).unwrap_or_default();
        let rest = &[0; BLOCK][..(BLOCK - past) % BLOCK];
        self.tar.get_mut().write_all(rest).map_err(sending)
    }

    fn piece(&mut self, file: &OwnedFd, left: u64) -> Result<usize, Errno> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
        rustix::io::retry_on_intr(|| read(file, &mut self.buffer[..most]))
    }
}

impl<W: Write> Visitor for Sending<W> {
    fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
        if !is_sent(entry.path, self.with_cache) {
            return Ok(false);
        }
        let mut header = header(entry, EntryType::Directory, 0);
        self.tar.append_data(&mut header, path(entry), io::empty()).map_err(sending)?;
        Ok(true)
    }

    fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
        match entry.kind() {
            Kind::File => self.file(entry),
            Kind::Link => {
                let target = readlinkat(entry.above, entry.name, Vec::new());
                let target = target.map_err(io_at(entry.path, "read the link"))?;
                let mut header = header(entry, EntryType::Symlink, 0);
                let target = OsStr::from_bytes(target.to_bytes());
                self.tar.append_link(&mut header, path(entry), target).map_err(sending)
            }
            Kind::Directory | Kind::Other => Ok(()),
        }
    }
}

fn path<'a>(entry: &Entry<'a>) -> &'a Path {
    Path::new(OsStr::from_bytes(entry.path))
}

fn header(entry: &Entry<'_>, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(u32::from(entry.stat.mode & 0o7777));
    header.set_uid(entry.stat.uid.into());
    header.set_gid(entry.stat.gid.into());
    header.set_mtime(u64::try_from(entry.stat.mtime.at().as_second()).unwrap_or_default());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::walk;
    use std::{fs, io::Read as _, sync::Arc};

    /// Calls this with each file just before it is sent.
    struct Meanwhile<'a>(Sending<Vec<u8>>, &'a dyn Fn(&[u8]));

    impl Visitor for Meanwhile<'_> {
        fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
            self.0.enter(entry)
        }

        fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
            self.1(entry.path);
            self.0.thing(entry)
        }
    }

    fn sent(place: &Path, meanwhile: &dyn Fn(&[u8])) -> Result<Vec<u8>, RestoreError> {
        let root: Arc<OwnedFd> = Arc::new(fs::File::open(place).unwrap().into());
        let mut sending = Meanwhile(Sending::begin(Vec::new(), false), meanwhile);
        walk(&root, &mut b"live".to_vec(), &mut sending)?;
        sending.0.end()
    }

    #[test]
    fn files_of_all_sizes_are_read_back_from_the_archive() {
        let place = tempfile::tempdir().unwrap();
        let long = "n".repeat(200);
        for size in [0, 1, 511, 512, 513, PIECE - 1, PIECE, 3 * PIECE + 7] {
            let content: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            fs::write(place.path().join(format!("{long}{size}")), content).unwrap();
        }
        let archive = sent(place.path(), &|_| {}).unwrap();
        let (mut read, mut count) = (Vec::new(), 0);
        for entry in tar::Archive::new(&archive[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().into_owned();
            let content = fs::read(place.path().join(path.strip_prefix("live").unwrap())).unwrap();
            read.clear();
            entry.read_to_end(&mut read).unwrap();
            assert!(read == content, "{}", path.display());
            count += 1;
        }
        assert_eq!(count, 8);
    }

    #[test]
    fn one_that_changes_its_size_meanwhile_puts_nothing_in_a_wrong_place() {
        let place = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(place.path().join(name), "x".repeat(5000)).unwrap();
        }
        let cut = |size| {
            let path = place.path().join("b");
            move |sent: &[u8]| {
                if sent == b"live/b" {
                    fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
                }
            }
        };
        // What has grown is cut where it was announced to end, and is refused by its hash.
        let archive = sent(place.path(), &cut(9000)).unwrap();
        let sizes: Vec<u64> =
            tar::Archive::new(&archive[..]).entries().unwrap().map(|entry| entry.unwrap().size()).collect();
        assert_eq!(sizes, [5000; 3]);
        fs::write(place.path().join("b"), "x".repeat(5000)).unwrap();
        assert_eq!(sent(place.path(), &cut(4999)).unwrap_err().code(), "backup-changed");
    }
}

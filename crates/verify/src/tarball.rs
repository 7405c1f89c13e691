//! A tar archive, read to its end once: what is in it, and whether it is whole.

use crate::{
    finding::{Code, Finding},
    look::{SMALL, Thing, Tree},
    stamp::Stamp,
    stream,
};
use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Read},
    path::Path,
};

/// Two empty blocks are the end of every archive.
const END: usize = 1024;

/// What an archive holds: sizes by a digest of the path, and the few files that are looked into.
#[derive(Debug, Default)]
pub struct Tarball {
    sizes: HashMap<u64, u64>,
    directories: HashMap<u64, bool>,
    small: BTreeMap<String, Vec<u8>>,
    migrations: BTreeMap<String, Vec<String>>,
    finished: Option<Stamp>,
    /// Names in it.
    pub paths: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// The youngest file in it, for people.
    pub youngest: Option<Stamp>,
}

fn digest(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_matches('/')
}

/// Remembers whether the last bytes that went through were empty blocks.
struct Tail<R> {
    inner: R,
    zeros: usize,
    has_ended: bool,
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.has_ended |= count == 0 && !buffer.is_empty();
        match buffer[..count].iter().rposition(|b| *b != 0) {
            Some(last) => self.zeros = count - last - 1,
            None => self.zeros += count,
        }
        Ok(count)
    }
}

impl Tarball {
    /// Reads an archive to its end. What is wrong with it is the second half; the first is what could be read.
    pub fn read(path: &Path, finished: Option<Stamp>) -> io::Result<(Self, Option<Finding>)> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mut tail = Tail { inner: stream::open(path)?, zeros: 0, has_ended: false };
        let mut tarball = Self { finished, ..Self::default() };
        let read = tarball.entries(&mut tail).and_then(|()| io::copy(&mut tail, &mut io::sink()));
        let finding = match read {
            // The end came before the archive's own.
            Err(_) if tail.has_ended => Some(stream::broken(&name, &io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Some(stream::broken(&name, &error)),
            Ok(_) if tail.zeros < END => Some(stream::broken(&name, &io::ErrorKind::UnexpectedEof.into())),
            Ok(_) if tarball.paths == 0 => Some(Finding::fail(
                Code::RequiredEmpty,
                format!("{name} is an archive with nothing in it"),
                "See what the program that makes it copies.",
            )),
            Ok(_) => None,
        };
        Ok((tarball, finding))
    }

    fn entries(&mut self, input: &mut impl Read) -> io::Result<()> {
        let mut archive = tar::Archive::new(input);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path = plain(&path).to_owned();
            self.paths += 1;
            let changed = entry.header().mtime().ok().and_then(|t| u32::try_from(t).ok()).map(Stamp);
            self.youngest = self.youngest.max(changed);
            let mut above = path.as_str();
            while let Some((directory, _)) = above.rsplit_once('/') {
                self.directories.insert(digest(directory), false);
                above = directory;
            }
            let kind = entry.header().entry_type();
            if kind.is_dir() {
                self.directories.entry(digest(&path)).or_insert(true);
                continue;
            }
            if !(kind.is_file() || kind.is_gnu_sparse() || kind.is_hard_link()) {
                continue;
            }
            let size = entry.size();
            self.bytes += size;
            self.sizes.insert(digest(&path), size);
            if let Some((directory, file)) = path.rsplit_once('/')
                && (directory.ends_with("db/migrate") || directory.ends_with("db/post_migrate"))
            {
                self.migrations.entry(directory.to_owned()).or_default().push(file.to_owned());
            }
            if size <= SMALL
                && (path.ends_with(".env.production") || path.ends_with("lib/mastodon/version.rb"))
            {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                self.small.insert(path, content);
            } else {
                let read = io::copy(&mut entry, &mut io::sink())?;
                if read < size && !kind.is_hard_link() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Ok(())
    }
}

impl Tree for Tarball {
    fn thing(&self, path: &str) -> io::Result<Option<Thing>> {
        let key = digest(plain(path));
        if let Some(size) = self.sizes.get(&key) {
            return Ok(Some(Thing::File(*size)));
        }
        Ok(self.directories.get(&key).map(|is_empty| Thing::Directory { is_empty: *is_empty }))
    }

    fn small_file(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.small.get(plain(path)).cloned())
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        Ok(self.migrations.get(plain(path)).cloned().unwrap_or_default())
    }

    fn finished(&self) -> Option<Stamp> {
        self.finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn archive() -> Vec<u8> {
        let mut out = tar::Builder::new(Vec::new());
        let mut add = |path: &str, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mtime(1_790_000_000);
            header.set_cksum();
            out.append_data(&mut header, path, content).unwrap();
        };
        add("./live/.env.production", b"LOCAL_DOMAIN=mast.test\n");
        add("./live/public/system/a.png", &[1; 5000]);
        add("./live/db/migrate/20260611150940_a.rb", b"x");
        out.into_inner().unwrap()
    }

    fn read(bytes: &[u8]) -> (Tarball, Option<Code>) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.tar");
        fs::write(&path, bytes).unwrap();
        let (tarball, finding) = Tarball::read(&path, None).unwrap();
        (tarball, finding.map(|f| f.code))
    }

    #[test]
    fn an_archive_is_looked_into_like_a_directory() {
        let (tarball, finding) = read(&archive());
        assert_eq!(finding, None);
        assert_eq!(tarball.thing("live/public/system/a.png").unwrap(), Some(Thing::File(5000)));
        assert_eq!(tarball.thing("live/public/").unwrap(), Some(Thing::Directory { is_empty: false }));
        assert_eq!(tarball.thing("live/none").unwrap(), None);
        assert_eq!(tarball.small_file("live/.env.production").unwrap().unwrap(), b"LOCAL_DOMAIN=mast.test\n");
        assert_eq!(tarball.list("live/db/migrate").unwrap(), ["20260611150940_a.rb"]);
        assert_eq!(tarball.paths, 3);
    }

    #[test]
    fn cut_anywhere_it_is_not_whole() {
        let good = archive();
        let end = good.len() - 1024;
        for cut in [100, 512, 700, 1024, 1536, end / 2, end - 600, end, end + 512] {
            let (_, finding) = read(&good[..cut]);
            assert_eq!(finding, Some(Code::CutShort), "cut at {cut}");
        }
        let mut flipped = good.clone();
        flipped[3] ^= 1;
        assert_eq!(read(&flipped).1, Some(Code::Damaged), "a header has a checksum");
        assert_eq!(read(&[0; 2048]).1, Some(Code::RequiredEmpty));
    }
}

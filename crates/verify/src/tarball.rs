//! A tar archive, read to its end once: what is in it, and whether it is whole.

use crate::{
    finding::{Code, Finding},
    listing::{Listing, Told, plain},
    look::{Inside, SMALL, Thing, Tree, Wanted},
    stamp::{Nanos, Stamp},
    stream::{self, Input},
};
use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
    thread,
};

/// Two empty blocks are the end of every archive.
const END: u64 = 1024;
/// What tar writes at once unless it is told otherwise: the last record is filled with zeros.
const RECORD: u64 = 10 * 1024;
/// The longest record that anybody sets (`tar -b 2048`).
const LONGEST_RECORD: u64 = 1024 * 1024;

/// Opens the archive from its beginning again.
pub(crate) type Reopen = Box<dyn Fn() -> io::Result<Input>>;

/// What an archive holds: sizes by a digest of the path, and the few files that are looked into.
pub struct Tarball {
    listing: Listing,
    small: BTreeMap<String, Vec<u8>>,
    /// Names of files that are looked into and whose content lies under another name.
    same: BTreeMap<String, String>,
    finished: Option<Stamp>,
    reopen: Reopen,
}

impl fmt::Debug for Tarball {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tarball").field("listing", &self.listing).finish_non_exhaustive()
    }
}

/// Remembers how many of the bytes that went through last were zeros.
struct Tail<R> {
    inner: R,
    total: u64,
    zeros: u64,
    has_ended: bool,
}

impl<R> Tail<R> {
    /// Whether so many zeros can be the end of an archive: two empty blocks, and the last record filled. A longer
    /// record is a power of two, and then the whole archive is made of such.
    fn is_end(&self) -> bool {
        let mut records = (0..).map(|n| RECORD.next_power_of_two() << n).take_while(|r| *r <= LONGEST_RECORD);
        self.zeros < END + RECORD || records.any(|r| self.zeros < END + r && self.total.is_multiple_of(r))
    }
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.has_ended |= count == 0 && !buffer.is_empty();
        self.total += count as u64;
        match buffer[..count].iter().rposition(|b| *b != 0) {
            Some(last) => self.zeros = (count - last - 1) as u64,
            None => self.zeros += count as u64,
        }
        Ok(count)
    }
}

impl Tarball {
    /// Reads an archive to its end. What is wrong with it is the second half; the first is what could be read.
    pub fn read(path: &Path, finished: Option<Stamp>) -> io::Result<(Self, Option<Finding>)> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let path = PathBuf::from(path);
        Self::read_by(&name, Box::new(move || stream::raw(&path)), finished, None)
    }

    /// The same of one that lies elsewhere; the files of a pattern are kept in mind.
    pub(crate) fn read_by(
        name: &str,
        reopen: Reopen,
        finished: Option<Stamp>,
        wanted: Option<Wanted>,
    ) -> io::Result<(Self, Option<Finding>)> {
        let listing = Listing::wanting(wanted);
        let mut tarball = Self { listing, small: BTreeMap::new(), same: BTreeMap::new(), finished, reopen };
        let opened = (tarball.reopen)().and_then(|input| stream::peek(input, 6));
        let packing = opened.as_ref().ok().and_then(|(head, _)| stream::unknown_packing(head));
        if let Some(packing) = packing {
            return Ok((tarball, Some(stream::not_unpacked(name, packing))));
        }
        let input = match opened.and_then(|(_, input)| stream::unpack(input)) {
            Ok(input) => input,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            Err(error) => return Ok((tarball, Some(stream::broken(name, &error)))),
        };
        let mut tail = Tail { inner: input, total: 0, zeros: 0, has_ended: false };
        let mut end = 0;
        let read = tarball.entries(&mut tail).and_then(|()| {
            end = tail.total;
            io::copy(&mut tail, &mut io::sink())
        });
        let finding = match read {
            // The end came before the archive's own.
            Err(_) if tail.has_ended => Some(stream::broken(name, &io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Some(stream::broken(name, &error)),
            Ok(_) if tail.zeros < END => Some(stream::broken(name, &io::ErrorKind::UnexpectedEof.into())),
            Ok(behind) if tail.zeros < behind || !tail.is_end() => Some(ends_early(name, end, tail.total)),
            Ok(_) if tarball.listing.paths == 0 => Some(Finding::fail(
                Code::RequiredEmpty,
                format!("{name} is an archive with nothing in it"),
                "See what the program that makes it copies.",
            )),
            Ok(_) => None,
        };
        Ok((tarball, finding))
    }

    /// What is in it.
    pub(crate) const fn listing(&self) -> &Listing {
        &self.listing
    }

    fn entries(&mut self, input: &mut impl Read) -> io::Result<()> {
        let mut archive = tar::Archive::new(input);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let path = plain(&path).to_owned();
            let changed = entry.header().mtime().ok().and_then(|t| i64::try_from(t).ok());
            let kind = entry.header().entry_type();
            let is_file = kind.is_file() || kind.is_gnu_sparse() || kind.is_hard_link();
            let target = entry.link_name_bytes().map(|t| String::from_utf8_lossy(&t).into_owned());
            let target = target.filter(|_| kind.is_hard_link()).map(|t| plain(&t).to_owned());
            let is_small = path.ends_with(".env.production") || path.ends_with("lib/mastodon/version.rb");
            // A second name of a file has no content here: it is as large as the first.
            let size = match target.as_deref().and_then(|t| self.listing.size(t)) {
                Some(size) => size,
                None => entry.size(),
            };
            let told = match () {
                () if kind.is_dir() => Told::Directory,
                () if target.is_some() => Told::Again(size),
                () if is_file => Told::File(size),
                () => Told::Other,
            };
            self.listing.add(&path, told, changed.map(|seconds| Nanos::new(seconds, 0)));
            if kind.is_symlink() {
                let target = entry.link_name_bytes().unwrap_or_default();
                self.listing.add_link(&path, String::from_utf8_lossy(&target).into_owned());
            }
            if let Some(target) = target {
                if is_small || self.listing.is_wanted(&path) {
                    self.same.insert(path, target);
                }
                continue;
            }
            if !is_file {
                continue;
            }
            if size <= SMALL && is_small {
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                self.small.insert(path, content);
            } else {
                let read = io::copy(&mut entry, &mut io::sink())?;
                if read < size {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Ok(())
    }
}

/// An archive that its programs take for ended although there is more: nobody gets what is behind.
fn ends_early(name: &str, end: u64, total: u64) -> Finding {
    let what = format!("{name} has its end mark in the middle: what is behind it does not come back");
    let advice = "A disk that lost a part gives zeros, which look like the end; so do archives put one behind the other (`tar -i` reads those). Make a new one, and see why.";
    let line = format!("the end mark is at byte {end} of {total}");
    Finding::fail(Code::Damaged, what, advice).with([line])
}

/// Hands on one file of an archive, which is read again up to there.
fn hand_on(input: Input, path: &str, out: &mut impl io::Write) -> io::Result<()> {
    let mut archive = tar::Archive::new(stream::unpack(input)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if plain(&String::from_utf8_lossy(&entry.path_bytes())) == path {
            let size = entry.size();
            return match io::copy(&mut entry, out)? {
                read if read < size => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(()),
            };
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// What a thread writes into a pipe, and its error at the end.
struct Handed {
    pipe: io::PipeReader,
    thread: Option<thread::JoinHandle<io::Result<()>>>,
}

impl Read for Handed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.pipe.read(buffer)?;
        if count == 0
            && !buffer.is_empty()
            && let Some(thread) = self.thread.take()
        {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("the reader of the archive died")))?;
        }
        Ok(count)
    }
}

impl Tree for Tarball {
    fn thing(&self, path: &str) -> io::Result<Option<Thing>> {
        Ok(self.listing.thing(path))
    }

    fn link(&self, path: &str) -> io::Result<Option<String>> {
        Ok(self.listing.link(path))
    }

    fn small_file(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let path = plain(path);
        if let Some(content) = self.small.get(path) {
            return Ok(Some(content.clone()));
        }
        // One that a link led to: nobody knew then that it would be asked for.
        if self.listing.size(path).is_none_or(|size| size > SMALL) {
            return Ok(None);
        }
        let mut content = Vec::new();
        self.open(path)?.read_to_end(&mut content)?;
        Ok(Some(content))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        Ok(self.listing.list(path))
    }

    fn finished(&self) -> Option<Stamp> {
        self.finished
    }

    fn matching(&self, wanted: &Wanted) -> io::Result<Vec<Inside>> {
        Ok(self.listing.matching(wanted))
    }

    fn open(&self, path: &str) -> io::Result<Input> {
        let path = plain(path);
        let (input, path) = ((self.reopen)()?, self.same.get(path).map_or(path, String::as_str).to_owned());
        let (pipe, mut out) = io::pipe()?;
        // The pipe is closed when the thread ends: what reads it sees the end, and then why.
        let thread = thread::spawn(move || hand_on(input, &path, &mut out));
        Ok(Box::new(Handed { pipe, thread: Some(thread) }))
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
        let bytes = bytes.to_vec();
        let reopen = Box::new(move || Ok(Box::new(io::Cursor::new(bytes.clone())) as Input));
        let wanted = Some(Wanted::parse("live/public/system/*.png"));
        let (tarball, finding) = Tarball::read_by("a.tar", reopen, None, wanted).unwrap();
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
        assert_eq!(tarball.listing().paths, 3);
    }

    #[test]
    fn a_file_in_an_archive_is_read_without_unpacking_the_rest() {
        let (tarball, _) = read(&archive());
        let found = tarball.matching(&Wanted::parse("live/public/system/*.png")).unwrap();
        assert_eq!((found.len(), found[0].size), (1, 5000));
        let mut content = Vec::new();
        tarball.open(&found[0].path).unwrap().read_to_end(&mut content).unwrap();
        assert!(content == [1; 5000]);
        let error = tarball.open("live/none").unwrap().read_to_end(&mut content).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        // Whoever has read enough leaves nobody behind.
        tarball.open(&found[0].path).unwrap().read_exact(&mut [0; 10]).unwrap();
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

    #[test]
    fn what_cannot_be_unpacked_is_not_called_damaged() {
        assert_eq!(read(b"BZh91AY&SY and more").1, Some(Code::NotChecked));
    }

    #[test]
    fn zeros_in_the_middle_are_not_its_end() {
        let good = archive();
        let end = good.len() - 1024;
        // The header of the second file: from there on the disk lost a block, a page, everything.
        let at = 1024;
        for lost in [512, 1024, 4096] {
            let mut holed = good.clone();
            holed[at..at + lost].fill(0);
            assert_eq!(read(&holed).1, Some(Code::Damaged), "{lost} bytes lost");
        }
        let mut lost = [&good[..end], &vec![0; 200_000]].concat();
        lost.truncate(lost.len() / 512 * 512);
        assert_eq!(read(&lost).1, Some(Code::Damaged), "the second half is lost");
        assert_eq!(read(&[&good[..], &good[..]].concat()).1, Some(Code::Damaged), "two archives in one file");
        for record in [10_240, 16_384, 1024 * 1024] {
            let mut padded = good.clone();
            padded.resize(good.len().next_multiple_of(record), 0);
            assert_eq!(read(&padded).1, None, "records of {record} bytes");
        }
    }

    #[test]
    fn a_second_name_of_a_file_has_its_content() {
        let mut out = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(14);
        out.append_data(&mut header, "live/.env.bak", &b"LOCAL_DOMAIN=m"[..]).unwrap();
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Link);
        for name in ["live/.env.production", "live/public/system/a.png"] {
            out.append_link(&mut header, name, "live/.env.bak").unwrap();
        }
        let (tarball, finding) = read(&out.into_inner().unwrap());
        assert_eq!(finding, None);
        assert_eq!(tarball.thing("live/.env.production").unwrap(), Some(Thing::File(14)));
        assert_eq!(tarball.small_file("live/.env.production").unwrap().unwrap(), b"LOCAL_DOMAIN=m");
        let mut content = String::new();
        tarball.open("live/public/system/a.png").unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "LOCAL_DOMAIN=m");
        assert_eq!(tarball.listing().bytes, 14, "counted once");
    }

    #[test]
    fn a_file_is_opened_by_its_path() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.tar");
        fs::write(&path, archive()).unwrap();
        assert_eq!(Tarball::read(&path, None).unwrap().1, None);
        assert!(Tarball::read(&place.path().join("none"), None).is_err());
    }
}

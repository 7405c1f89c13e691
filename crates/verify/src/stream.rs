//! Reading a file to its end, whatever it is packed with. Checksums of gzip, zstd and xz are compared on the way.

use crate::finding::{Code, Finding};
use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use rustix::fs::{Advice, fadvise};
use std::{
    error::Error,
    fmt,
    fs::File,
    io::{self, Read},
    num::NonZeroU64,
    os::unix::fs::FileExt as _,
    path::Path,
};

/// Bytes from somewhere, to be read once.
pub type Input = Box<dyn Read + Send>;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Plain,
    /// gzip, also several in a row.
    Gzip,
    /// zstd.
    Zstd,
    /// xz.
    Xz,
}

impl Packing {
    /// By the first bytes; names lie.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::Plain,
        }
    }
}

/// How something is packed that cannot be unpacked here.
pub fn unknown_packing(head: &[u8]) -> Option<&'static str> {
    Some(match head {
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => "bzip2",
        [0x04, 0x22, 0x4d, 0x18, ..] => "lz4",
        [0x89, b'L', b'Z', b'O', ..] => "lzop",
        [b'L', b'Z', b'I', b'P', ..] => "lzip",
        [0x1f, 0x9d, ..] => "compress",
        [b'P', b'K', 3, 4, ..] => "zip",
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => "7-Zip",
        _ => return None,
    })
}

/// The finding for something that is packed so that nobody here can look into it.
pub(crate) fn not_unpacked(name: &str, packing: &str) -> Finding {
    let what = format!("{name} was not read: it is packed by {packing}");
    let advice = "Nothing is known of what is in it. Pack it with gzip, zstd or xz, whose checksums are looked at here.";
    Finding::warn(Code::NotChecked, what, advice)
}

/// The first bytes of a file, fewer if it has fewer.
pub fn head(path: &Path, bytes: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(bytes);
    File::open(path)?.take(bytes as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Opens a file and unpacks it.
pub fn open(path: &Path) -> io::Result<Input> {
    unpack(raw(path)?)
}

/// Opens a file as it is.
pub fn raw(path: &Path) -> io::Result<Input> {
    Ok(gentle(File::open(path)?))
}

/// An open file, read so that it leaves no pages behind.
pub(crate) fn gentle(file: File) -> Input {
    Box::new(Gentle { file, read: 0, dropped: 0 })
}

/// How an open file is packed; a pipe cannot be asked.
pub fn packing_of(file: &File) -> io::Result<Option<Packing>> {
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut head = [0; 6];
    let count = file.read_at(&mut head, 0)?;
    Ok(Some(Packing::of(&head[..count])))
}

/// Unpacks an open file from its beginning. What comes out of a pipe is taken as it is.
pub fn unpack_file(file: File) -> io::Result<Input> {
    let is_pipe = packing_of(&file)?.is_none();
    if is_pipe { Ok(gentle(file)) } else { unpack(gentle(file)) }
}

/// Unpacks what is packed.
pub fn unpack(input: Input) -> io::Result<Input> {
    let (head, input) = peek(input, 6)?;
    Ok(match Packing::of(&head) {
        Packing::Plain => input,
        Packing::Gzip => Box::new(MultiGzDecoder::new(input)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(input)?),
        Packing::Xz => Box::new(XzDecoder::new_multi_decoder(input)),
    })
}

/// The first bytes, and the input from its beginning again.
pub(crate) fn peek(mut input: Input, bytes: usize) -> io::Result<(Vec<u8>, Input)> {
    let mut head = Vec::with_capacity(bytes);
    (&mut input).take(bytes as u64).read_to_end(&mut head)?;
    let again = io::Cursor::new(head.clone()).chain(input);
    Ok((head, Box::new(again)))
}

/// A file that is read once and leaves no pages behind.
struct Gentle {
    file: File,
    read: u64,
    dropped: u64,
}

/// Pages are dropped in pieces of this size.
const PIECE: u64 = 8 * 1024 * 1024;

impl Read for Gentle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read += count as u64;
        let behind = self.read - self.dropped;
        if behind >= PIECE || count == 0 {
            if let Some(length) = NonZeroU64::new(behind) {
                let _ = fadvise(&self.file, self.dropped, Some(length), Advice::DontNeed);
            }
            self.dropped = self.read;
        }
        Ok(count)
    }
}

/// Why a program that hands on bytes could not hand on all of them.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) code: Code,
    /// What comes after the name of the file.
    pub(crate) what: String,
    pub(crate) advice: &'static str,
    pub(crate) says: Vec<String>,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Trouble {}

impl Trouble {
    /// The trouble in an error, however often it was wrapped on its way.
    pub(crate) fn within(error: &io::Error) -> Option<&Self> {
        let mut inner: &(dyn Error + 'static) = error.get_ref()?;
        loop {
            if let Some(trouble) = inner.downcast_ref::<Self>() {
                return Some(trouble);
            }
            inner = match inner.downcast_ref::<io::Error>() {
                Some(error) => error.get_ref()?,
                None => inner.source()?,
            };
        }
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        Self::other(trouble)
    }
}

/// The finding for a file that could not be read to its end.
pub fn broken(name: &str, error: &io::Error) -> Finding {
    if let Some(Trouble { code, what, advice, says }) = Trouble::within(error) {
        return Finding::fail(*code, format!("{name} {what}"), *advice).with(says.iter().cloned());
    }
    let advice = "It would not come back. Keep older ones until there is a good one again, and see why: the disk it lies on, the program that wrote it.";
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Finding::fail(Code::CutShort, format!("{name} ends before its end"), advice)
        }
        _ => Finding::fail(Code::Damaged, format!("{name} cannot be read to its end"), advice),
    }
    .with([error.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write as _};

    fn content() -> Vec<u8> {
        (0..400_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect()
    }

    pub(crate) fn packed(packing: Packing, content: &[u8]) -> Vec<u8> {
        match packing {
            Packing::Plain => content.to_vec(),
            Packing::Gzip => {
                let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                out.write_all(content).unwrap();
                out.finish().unwrap()
            }
            Packing::Zstd => {
                let mut out = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
                out.include_checksum(true).unwrap();
                out.write_all(content).unwrap();
                out.finish().unwrap()
            }
            Packing::Xz => {
                let mut out = liblzma::write::XzEncoder::new(Vec::new(), 0);
                out.write_all(content).unwrap();
                out.finish().unwrap()
            }
        }
    }

    #[test]
    fn what_cannot_be_unpacked_is_known_by_its_name() {
        for (head, name) in [
            (&b"BZh91AY&SY"[..], Some("bzip2")),
            (b"\x04\x22\x4d\x18\x64", Some("lz4")),
            (b"PK\x03\x04", Some("zip")),
            (b"\x1f\x8b\x08", None),
            (b"PGDMP", None),
            (b"--", None),
            (b"", None),
        ] {
            assert_eq!(unknown_packing(head), name, "{head:?}");
        }
        assert_eq!(not_unpacked("a.tar.bz2", "bzip2").code, Code::NotChecked);
    }

    #[test]
    fn a_flipped_bit_and_a_cut_are_seen_in_every_packing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        for packing in [Packing::Gzip, Packing::Zstd, Packing::Xz] {
            let good = packed(packing, &content());
            let read = |bytes: &[u8]| {
                fs::write(&path, bytes).unwrap();
                let mut out = Vec::new();
                open(&path).and_then(|mut r| r.read_to_end(&mut out)).map(|_| out)
            };
            assert_eq!(Packing::of(&good), packing);
            assert!(read(&good).unwrap() == content(), "{packing:?}");
            let mut flipped = good.clone();
            flipped[good.len() / 2] ^= 1;
            assert_eq!(broken("x", &read(&flipped).unwrap_err()).code, Code::Damaged, "{packing:?}");
            for cut in [good.len() / 3, good.len() * 9 / 10, good.len() - 1] {
                let finding = broken("x", &read(&good[..cut]).unwrap_err());
                assert_eq!(finding.code, Code::CutShort, "{packing:?} cut at {cut}: {finding:?}");
            }
        }
    }
}

//! What kind of dump a file is, and when it was made, by what it says of itself.

use crate::stream::{self, Input};
use jiff::{Timestamp, civil, tz::TimeZone};
use std::{fs, io, io::Read as _, path::Path};

/// A kind of dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `pg_dump -Fc`, with its header.
    Custom(Header),
    /// `pg_dump -Fd`, with the header of its `toc.dat`.
    Directory(Header),
    /// Text of `pg_dump`, packed or not.
    Plain,
    /// Text of `pg_dumpall`.
    Cluster,
    /// The data directory of a PostgreSQL.
    DataDirectory,
    /// Packed by a program that is not known here.
    Packed(&'static str),
    /// Nothing in it.
    Empty,
    /// Something else.
    Unknown,
}

/// What the header of an archive says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the format: 1.16 is that of PostgreSQL 17.
    pub version: (u8, u8),
    /// When it was made, by the clock and in the zone of the host that made it.
    pub created: Option<civil::DateTime>,
}

impl Header {
    /// The time when it was made, if that host had the zone of this one.
    pub fn created_at(&self, zone: &TimeZone) -> Option<Timestamp> {
        self.created.and_then(|c| zone.to_timestamp(c).ok())
    }
}

impl Kind {
    /// Looks at a file or directory.
    pub fn of(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() {
            if path.join("PG_VERSION").exists() && path.join("global").exists() {
                return Ok(Self::DataDirectory);
            }
            return match stream::head(&path.join("toc.dat"), 256) {
                Ok(head) => Ok(header(&head).map_or(Self::Unknown, Self::Directory)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Unknown),
                Err(error) => Err(error),
            };
        }
        Self::of_input(stream::raw(path)?)
    }

    /// Looks at the beginning of a dump that is no directory.
    pub(crate) fn of_input(input: Input) -> io::Result<Self> {
        let (head, input) = stream::peek(input, HEAD)?;
        if head.is_empty() {
            return Ok(Self::Empty);
        }
        if let Some(header) = header(&head) {
            return Ok(Self::Custom(header));
        }
        if let Some(packing) = stream::unknown_packing(&head) {
            return Ok(Self::Packed(packing));
        }
        let mut text = Vec::new();
        // What cannot be unpacked is found when it is read; here only the beginning matters.
        let _ = stream::unpack(input)?.take(4096).read_to_end(&mut text);
        // One that was packed once more.
        if let Some(header) = header(&text) {
            return Ok(Self::Custom(header));
        }
        let text = String::from_utf8_lossy(&text);
        Ok(match () {
            () if text.is_empty() => Self::Empty,
            () if text.contains("-- PostgreSQL database cluster dump") => Self::Cluster,
            () if text.contains("-- PostgreSQL database dump") => Self::Plain,
            () => Self::Unknown,
        })
    }
}

/// Bytes of a header, one after another.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A sign and so many bytes, the lowest first.
    fn integer(&mut self, size: u8) -> Option<i32> {
        let negative = self.byte()? != 0;
        let mut value: i64 = 0;
        for at in 0..size {
            value |= i64::from(self.byte()?) << (8 * u32::from(at).min(6));
        }
        i32::try_from(if negative { -value } else { value }).ok()
    }
}

/// Enough for the header of a tar and that of the table of contents in it.
const HEAD: usize = 1024;

/// The header of an archive; in one of `pg_dump -Ft` it begins the first file.
fn header(head: &[u8]) -> Option<Header> {
    let is_tar = head.starts_with(b"toc.dat\0") && head.get(257..262) == Some(b"ustar");
    let head = if is_tar { head.get(512..)? } else { head };
    let mut bytes = Bytes(head.strip_prefix(b"PGDMP")?);
    let version = (bytes.byte()?, bytes.byte()?);
    let _revision = bytes.byte()?;
    let integer = bytes.byte()?;
    let _offset = bytes.byte()?;
    let _format = bytes.byte()?;
    // From 1.15 on one byte names the compression; before it was a level.
    if version >= (1, 15) {
        bytes.byte()?;
    } else {
        bytes.integer(integer)?;
    }
    let mut next = || bytes.integer(integer);
    let (second, minute, hour) = (next()?, next()?, next()?);
    let (day, month, year) = (next()?, next()?, next()?);
    let small = |value: i32| i8::try_from(value).ok();
    let created = || {
        let (year, month) = (i16::try_from(year + 1900).ok()?, small(month + 1)?);
        civil::DateTime::new(
            year,
            month,
            small(day)?,
            small(hour)?,
            small(minute)?,
            small(second)?.min(59),
            0,
        )
        .ok()
    };
    Some(Header { version, created: created() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_17: &[u8] =
        b"PGDMP\x01\x10\x00\x04\x08\x01\x01\x00\x16\x00\x00\x00\x00\x1c\x00\x00\x00\x00\x04\x00\x00\x00\
        \x00\x17\x00\x00\x00\x00\x0a\x00\x00\x00\x00\x7e\x00\x00\x00\x00\x00\x00\x00\x00";

    #[test]
    fn a_header_says_when_it_was_made() {
        let header = header(OF_17).unwrap();
        assert_eq!(header.version, (1, 16));
        assert_eq!(header.created_at(&TimeZone::UTC).unwrap().to_string(), "2026-11-23T04:28:22Z");
        for cut in 0..OF_17.len() - 5 {
            assert_eq!(super::header(&OF_17[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn kinds_are_known_by_content() {
        let place = tempfile::tempdir().unwrap();
        let kind = |content: &[u8]| {
            let path = place.path().join("x.dump");
            fs::write(&path, content).unwrap();
            Kind::of(&path).unwrap()
        };
        assert!(matches!(kind(OF_17), Kind::Custom(_)));
        let mut tar = tar::Builder::new(Vec::new());
        let mut file = tar::Header::new_ustar();
        file.set_size(OF_17.len() as u64);
        tar.append_data(&mut file, "toc.dat", OF_17).unwrap();
        assert!(matches!(kind(&tar.into_inner().unwrap()), Kind::Custom(_)), "pg_dump -Ft");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packed, OF_17).unwrap();
        assert!(matches!(kind(&packed.finish().unwrap()), Kind::Custom(_)), "pg_dump -Fc | gzip");
        assert_eq!(kind(b"BZh91AY&SY"), Kind::Packed("bzip2"));
        assert_eq!(kind(b"--\n-- PostgreSQL database dump\n--\n"), Kind::Plain);
        assert_eq!(kind(b"--\n-- PostgreSQL database cluster dump\n--\n"), Kind::Cluster);
        assert_eq!(kind(b""), Kind::Empty);
        assert_eq!(kind(b"pg_dump: error: connection failed"), Kind::Unknown);
        fs::create_dir_all(place.path().join("data/global")).unwrap();
        fs::write(place.path().join("data/PG_VERSION"), "17").unwrap();
        assert_eq!(Kind::of(&place.path().join("data")).unwrap(), Kind::DataDirectory);
    }
}

//! What another host sends: first what comes, name by name, then the content. Nothing counts before its last byte.

use crate::{
    error::{RestoreError, io_on},
    extract::{Announced, Header, Sort},
    record,
};
use jiff::Timestamp;
use mastmaint_verify::{Kind, Line, Nanos, prove::Stat, shown};
use mastmaint_words::{
    BackupName,
    restore::{Amount, Generation},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::OpenOptions,
    io::{self, BufRead as _, BufReader, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// What a stream begins with, and what it ends with.
pub(crate) const MAGIC: &[u8; 8] = b"MASTREST";
pub(crate) const END: &[u8; 8] = b"MASTDONE";
/// The version of what is sent.
pub(crate) const VERSION: u32 = 1;
/// No manifest is longer: some twenty million names.
const LONGEST: u64 = 8 << 30;

/// The first line of a manifest that is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) version: u32,
    pub(crate) backup: BackupName,
    pub(crate) generation: Generation,
    /// When it was last found good where it lies.
    pub(crate) proved_at: Option<Timestamp>,
    /// Why nothing speaks for it.
    pub(crate) doubt: Option<String>,
    /// Who owns live there.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) amount: Amount,
}

/// What was announced and has not come yet.
pub(crate) struct Received {
    head: Head,
    lines: Box<dyn Iterator<Item = Result<Line, RestoreError>>>,
    last: Option<Line>,
}

fn broken(source: io::Error) -> RestoreError {
    RestoreError::Broken { name: "what another host sends".to_owned(), source }
}

impl Received {
    /// Reads what is announced, and keeps it in a file.
    pub(crate) fn begin(input: &mut dyn Read, path: &Path) -> Result<Self, RestoreError> {
        let mut magic = [0; 8];
        input.read_exact(&mut magic).map_err(broken)?;
        if magic != *MAGIC {
            let what = "what comes is not from mastmaintctl send; see what else writes into the pipe";
            return Err(RestoreError::NotNow { what: what.to_owned() });
        }
        let mut length = [0; 8];
        input.read_exact(&mut length).map_err(broken)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST {
            return Err(broken(io::Error::new(io::ErrorKind::InvalidData, "a manifest that cannot be")));
        }
        let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
        let mut file = file.map_err(io_on(path, "write"))?;
        if io::copy(&mut input.take(length), &mut file).map_err(broken)? < length {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        let first = std::fs::File::open(path).map_err(io_on(path, "read"))?;
        let mut line = Vec::new();
        BufReader::new(first).read_until(b'\n', &mut line).map_err(io_on(path, "read"))?;
        let head: Head = serde_json::from_slice(&line).map_err(|error| broken(error.into()))?;
        if head.version != VERSION {
            let what = format!(
                "the other host sends version {} and this one understands {VERSION}; let both be of one version",
                head.version
            );
            return Err(RestoreError::NotNow { what });
        }
        Ok(Self { head, lines: Box::new(record::lines_after_head(path)?), last: None })
    }

    pub(crate) const fn head(&self) -> &Head {
        &self.head
    }

    /// Whether all came that was announced, to the last byte.
    pub(crate) fn end(&mut self, input: &mut dyn Read) -> Result<(), RestoreError> {
        if self.lines.next().is_some() {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        // Of the two empty blocks at the end of an archive one was read.
        let (mut block, mut end) = ([0; 512], [0; 8]);
        input.read_exact(&mut block).and_then(|()| input.read_exact(&mut end)).map_err(broken)?;
        let is_end = block.iter().all(|b| *b == 0) && end == *END;
        if is_end { Ok(()) } else { Err(broken(io::ErrorKind::InvalidData.into())) }
    }
}

impl Announced for Received {
    fn next(&mut self, header: &Header) -> Result<Option<Stat>, RestoreError> {
        let differs = |what| RestoreError::NotAnnounced { path: shown(&header.name), what };
        let line = self.lines.next().ok_or_else(|| differs("nothing more was announced"))??;
        let name = header.name.strip_suffix(b"/").unwrap_or(&header.name);
        if line.path_bytes().as_deref() != Some(name) {
            return Err(differs("another name was announced"));
        }
        let kind = match header.sort {
            Sort::File => Kind::File,
            Sort::Directory => Kind::Directory,
            Sort::Link => Kind::Link,
            Sort::Second | Sort::Other => Kind::Other,
        };
        if kind != line.kind || kind == Kind::Other {
            return Err(differs("another kind was announced"));
        }
        if line.size.unwrap_or_default() != header.stat.size {
            return Err(differs("another size was announced"));
        }
        if kind == Kind::Link && line.target_bytes() != header.target {
            return Err(differs("another target was announced"));
        }
        let mode = line.permissions().and_then(|mode| u16::try_from(mode).ok());
        let mode = mode.ok_or_else(|| differs("its permissions make no sense"))?;
        let mtime = Nanos(i64::try_from(line.mtime.as_nanosecond()).unwrap_or_default());
        let bits = header.stat.mode & 0o170_000;
        let stat = Stat { mode: bits | (mode & 0o7777), uid: line.uid, gid: line.gid, mtime, ..header.stat };
        self.last = Some(line);
        Ok(Some(stat))
    }

    fn content(&mut self, hash: &[u8; 32]) -> Result<(), RestoreError> {
        let Some(line) = &self.last else { return Ok(()) };
        let hash = blake3::Hash::from_bytes(*hash).to_hex();
        // What was not proved there is told without a hash: whoever wanted it so knows.
        match &line.blake3 {
            Some(announced) if *announced != hash.as_str() => Err(RestoreError::NotAnnounced {
                path: line.path.clone(),
                what: "another content was announced",
            }),
            _ => Ok(()),
        }
    }
}

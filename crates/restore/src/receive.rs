//! What another host sends: first what comes, name by name, then the content. Nothing counts before its last byte.

use crate::{
    error::{RestoreError, io_on},
    extract::{Announced, Header, Sort, room},
    names::{Policy, UPLOADS},
    record::Lines,
    space::{Needs, fits},
    survey::Few,
};
use jiff::Timestamp;
use mastmaint_verify::{Kind, Line, Nanos, Place, prove::Stat, shown};
use mastmaint_words::{
    BackupName,
    restore::{Amount, Generation, RestoreOrder, Uploads},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek as _},
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
    /// Whether it was asked for all uploads, `public/system/cache` among them. Who sends from before that was told does
    /// not say it.
    #[serde(default)]
    pub(crate) with_cache: Option<bool>,
}

/// What was announced and has not come yet.
pub(crate) struct Received {
    head: Head,
    needs: Needs,
    /// Files that are listed without the hash that was proved.
    unproved: Few,
    lines: Lines,
    last: Option<Line>,
}

fn broken(source: io::Error) -> RestoreError {
    RestoreError::Broken { name: "what another host sends".to_owned(), source }
}

fn not_announced(what: &'static str) -> RestoreError {
    RestoreError::NotAnnounced { path: "what another host sends".to_owned(), what }
}

impl Received {
    /// Reads what is announced, and keeps it in a file without a name. Nothing of it is believed: what it says of itself
    /// is counted, and what it takes is known before anything of it comes.
    pub(crate) fn begin(input: &mut dyn Read, path: &Path, policy: &Policy) -> Result<Self, RestoreError> {
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
        let mut file = spool(path, length)?;
        if io::copy(&mut input.take(length), &mut file).map_err(broken)? < length {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        let again = || -> io::Result<Lines> {
            let mut file = file.try_clone()?;
            file.rewind()?;
            Ok(Lines::of(file, path))
        };
        let mut lines = again().map_err(io_on(path, "read"))?;
        let head: Head = lines.read()?.ok_or_else(|| not_announced("nothing is announced"))?;
        if head.version != VERSION {
            let what = format!(
                "the other host sends version {} and this one understands {VERSION}; let both be of one version",
                head.version
            );
            return Err(RestoreError::NotNow { what });
        }
        let (needs, unproved) = counted(&head, lines, policy)?;
        let mut lines = again().map_err(io_on(path, "read"))?;
        lines.read::<Head>()?;
        Ok(Self { head, needs, unproved, lines, last: None })
    }

    pub(crate) const fn head(&self) -> &Head {
        &self.head
    }

    /// What the copy takes at least; uploads that are put beside today's come on top.
    pub(crate) const fn needs(&self) -> Needs {
        self.needs
    }

    /// Files that nothing is compared with.
    pub(crate) const fn unproved(&self) -> &Few {
        &self.unproved
    }

    /// Why nothing speaks for it: who sends it says so, or says that it is proved and not what was. What another host
    /// says is shown, and obeyed by no terminal.
    pub(crate) fn doubt(&self) -> Option<String> {
        let told = self.head.doubt.as_ref().map(|doubt| shown(doubt.as_bytes()));
        let Few { count, .. } = self.unproved;
        let unproved = (count > 0)
            .then(|| format!("{count} of its files come without a hash: {}", self.unproved.told()));
        let never = || self.head.proved_at.is_none().then(|| "it does not say when it was proved".to_owned());
        told.or(unproved).or_else(never)
    }

    /// Whether it is what the order wants. A key may be good for one backup and nothing else, so that another one comes,
    /// or the newest state for one that was chosen.
    pub(crate) fn is_what_was_asked_for(&self, order: &RestoreOrder) -> Result<(), RestoreError> {
        let Head { backup, generation, .. } = &self.head;
        if let Place::Pulled(pulled) = &order.backup.place
            && pulled.from.backup() != backup
        {
            return Err(not_announced("another backup is announced than was asked for"));
        }
        if order.snapshot.as_ref().is_some_and(|wanted| *wanted != generation.name) {
            return Err(not_announced("another state is announced than was asked for"));
        }
        Ok(())
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

/// A file that is gone with us, if there is room for what is to be kept in it.
fn spool(path: &Path, length: u64) -> Result<File, RestoreError> {
    let above = path.parent().unwrap_or(path);
    let directory = File::open(above).map_err(io_on(above, "open"))?;
    fits(Needs { bytes: length, inodes: 1 }, room(&directory.into(), above)?, &above.display().to_string())?;
    let file = OpenOptions::new().create(true).read(true).write(true).truncate(true).mode(0o600).open(path);
    let file = file.map_err(io_on(path, "write"))?;
    std::fs::remove_file(path).map_err(io_on(path, "remove"))?;
    Ok(file)
}

/// Counts what is announced: it must be as much as is said, and says what it takes, and what of it has no hash.
fn counted(head: &Head, lines: Lines, policy: &Policy) -> Result<(Needs, Few), RestoreError> {
    let (mut needs, mut amount, mut unproved) = (Needs::default(), Amount::default(), Few::default());
    let today = |path: &[u8]| {
        let upload = path.strip_prefix(UPLOADS).and_then(|rest| rest.strip_prefix(b"/"));
        upload.is_some() && matches!(policy.uploads, Uploads::Stay | Uploads::Link)
    };
    for line in lines {
        let line = line?;
        let size = if line.kind == Kind::File { line.size.unwrap_or_default() } else { 0 };
        if line.kind == Kind::File {
            amount.files += 1;
            amount.bytes = amount.bytes.saturating_add(size);
        }
        let path = line.path_bytes().unwrap_or_default();
        let path = path.strip_prefix(b"live/").unwrap_or(&path);
        if line.kind == Kind::File && line.blake3.is_none() {
            unproved.add(path);
        }
        if policy.takes(path) && !today(path) {
            needs.add(size);
        }
    }
    if amount == head.amount {
        Ok((needs, unproved))
    } else {
        Err(not_announced("another amount is announced than is listed"))
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

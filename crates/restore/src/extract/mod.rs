//! Writes what comes as a stream of tar into the copy. Whoever made the stream may have meant ill: nothing is written
//! but below the copy, no link is followed, nothing is written twice, and what is odd is refused by its name.

mod directories;
mod entry;
mod met;
mod name;
mod watch;
mod write;

pub(crate) use entry::{Header, Sort};
pub(crate) use met::Met;
pub(crate) use watch::{Watch, room};

use crate::{
    error::{RestoreError, io_at},
    file::PIECE,
    making::dressed,
    meter::Meter,
    names::{CACHE, Policy, UPLOADS},
    open::below,
    owners::{Owner, Owners},
    record::Recorder,
    stage::{LIVE, MISSING},
    writeback::Writeback,
};
use directories::Directories;
use mastmaint_verify::{Line, prove::Stat, shown};
use mastmaint_words::restore::Uploads;
use met::add;
use name::{Where, place};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    cell::Cell,
    ffi::CString,
    io::{self, Read},
    os::fd::OwnedFd,
};

/// Who owned live where the archive was made, and who owns it here.
#[derive(Debug, Clone)]
pub(crate) struct Whose {
    /// By number; not known before the archive tells.
    pub(crate) there: Option<Owner>,
    pub(crate) here: Owner,
    /// By name: in an archive that tells names they are the better ones.
    pub(crate) user: Vec<u8>,
    pub(crate) group: Vec<u8>,
}

impl Whose {
    fn owners(&self, header: &Header) -> Owners {
        let is = |told: Option<&Vec<u8>>, name: &[u8]| told.is_some_and(|told| told == name);
        let there = self.there.unwrap_or(self.here);
        let uid = if is(header.user.as_ref(), &self.user) { header.stat.uid } else { there.uid };
        let gid = if is(header.group.as_ref(), &self.group) { header.stat.gid } else { there.gid };
        Owners { there: Owner { uid, gid }, here: self.here }
    }
}

/// Who compares what comes with what was announced.
pub(crate) trait Announced {
    /// The next entry: what was announced of it, if more is known than its header tells.
    fn next(&mut self, header: &Header) -> Result<Option<Stat>, RestoreError>;
    /// The content of the entry that came last.
    fn content(&mut self, hash: &[u8; 32]) -> Result<(), RestoreError>;
}

/// Writes into the copy.
pub(crate) struct Extractor<'a> {
    pub(crate) run: &'a OwnedFd,
    /// Where the Rails root lies in the archive.
    pub(crate) live: &'a [u8],
    pub(crate) policy: &'a Policy,
    /// Today's uploads, or what their link leads to.
    pub(crate) uploads: Option<&'a OwnedFd>,
    pub(crate) whose: Whose,
    pub(crate) recorder: &'a Recorder,
    pub(crate) meter: &'a Meter<'a>,
    pub(crate) writeback: &'a Writeback,
    pub(crate) watch: Watch<'a>,
    /// For messages: the archive.
    pub(crate) name: &'a str,
}

/// Notes that nothing more comes.
struct Ending<'a> {
    input: &'a mut dyn Read,
    has_ended: &'a Cell<bool>,
}

impl Read for Ending<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.has_ended.set(true);
        }
        Ok(count)
    }
}

/// What is done with an entry below the Rails root.
enum Into {
    Copy(Vec<u8>),
    /// Among the uploads that are put beside today's.
    Missing(Vec<u8>),
    /// It is counted there, and no more: today's are a link.
    Counted,
    Nothing,
}

impl Extractor<'_> {
    /// Reads the archive to its end.
    pub(crate) fn extract(
        mut self,
        input: &mut dyn Read,
        announced: Option<&mut dyn Announced>,
    ) -> Result<Met, RestoreError> {
        let name = self.name.to_owned();
        let has_ended = Cell::new(false);
        // Whatever is wrong with what comes when nothing more comes: it was cut.
        let broken = |source: io::Error| {
            let source = if has_ended.get() { io::ErrorKind::UnexpectedEof.into() } else { source };
            RestoreError::Broken { name: name.clone(), source }
        };
        let (mut met, mut directories) = (Met::default(), Directories::new(self.run));
        let mut announced = announced;
        let mut buffer = vec![0; PIECE];
        let mut archive = tar::Archive::new(Ending { input, has_ended: &has_ended });
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            entry::refuse_unknown_sparse(&mut entry)?;
            let mut header = Header::of(&mut entry).map_err(broken)?;
            let bad = |(code, what)| RestoreError::Archive { code, name: shown(&header.name), what };
            let at = place(&header.name, self.live).map_err(bad)?;
            if let Some(announced) = announced.as_deref_mut()
                && let Some(stat) = announced.next(&header)?
            {
                header.stat = stat;
            }
            let path = match at {
                Where::Outside => continue,
                Where::Root if header.sort == Sort::Directory => {
                    self.whose.there.get_or_insert(header.owner());
                    directories.say(LIVE.as_bytes(), self.dressed(&header))?;
                    continue;
                }
                Where::Root => return Err(bad(("archive-root", "should be the directory of live"))),
                Where::Below(path) => path,
            };
            match self.decide(&path, &header)? {
                Into::Nothing => {}
                Into::Counted => add(&mut met.missing, header.stat.size),
                Into::Copy(into) | Into::Missing(into) => {
                    let content = self.entry(&header, &into, &mut entry, &mut directories, &mut buffer)?;
                    met.count(&header, &path, into.starts_with(MISSING.as_bytes()));
                    if let (Some(hash), Some(announced)) = (content, announced.as_deref_mut()) {
                        announced.content(&hash)?;
                    }
                }
            }
        }
        self.record(directories)?;
        Ok(met)
    }

    fn dressed(&self, header: &Header) -> Stat {
        dressed(&self.whose.owners(header), &header.stat)
    }

    /// Where an entry goes.
    fn decide(&self, path: &[u8], header: &Header) -> Result<Into, RestoreError> {
        let upload = path.strip_prefix(UPLOADS).and_then(|rest| rest.strip_prefix(b"/"));
        let stays = matches!(self.policy.uploads, Uploads::Stay | Uploads::Link);
        let Some(upload) = upload.filter(|_| stays) else {
            let into = || Into::Copy([LIVE.as_bytes(), b"/", path].concat());
            return Ok(if self.policy.takes(path) { into() } else { Into::Nothing });
        };
        let is_cached =
            upload.strip_prefix(CACHE).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
        let is_file = matches!(header.sort, Sort::File | Sort::Second);
        // Directories come with what is in them.
        if is_cached || !is_file || self.is_there(upload, path)? {
            return Ok(Into::Nothing);
        }
        Ok(match self.policy.uploads {
            Uploads::Link => Into::Counted,
            _ => Into::Missing([MISSING.as_bytes(), b"/", upload].concat()),
        })
    }

    /// Whether today has something of this name, or on the way to it.
    fn is_there(&self, upload: &[u8], path: &[u8]) -> Result<bool, RestoreError> {
        let Some(uploads) = self.uploads else { return Ok(true) };
        let name = CString::new(upload).map_err(|_| io_at::<Errno>(path, "use the name")(Errno::INVAL))?;
        match below(uploads, name.as_c_str(), OFlags::PATH, Mode::empty()) {
            Ok(_) | Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(io_at(path, "look at today's")(error)),
        }
    }

    /// Directories come last: then all is known of them. One that the archive does not tell of is the instance's.
    fn record(&self, directories: Directories<'_>) -> Result<(), RestoreError> {
        let Owner { uid, gid } = self.whose.here;
        let mtime = mastmaint_verify::Nanos(
            i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default(),
        );
        for (path, stat) in directories.into_all() {
            if path == MISSING.as_bytes() {
                continue;
            }
            let untold = Stat {
                ino: 0,
                size: 0,
                mtime,
                birth: mastmaint_verify::Nanos::default(),
                links: 1,
                mode: 0o040_755,
                uid,
                gid,
            };
            self.recorder.add(&Line::of(&path, &stat.unwrap_or(untold), None, None))?;
        }
        Ok(())
    }
}

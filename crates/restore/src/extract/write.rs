//! One entry of an archive, written.

use super::{
    Extractor, Header, Into, Sort, Where,
    directories::{Directories, twice},
    place,
};
use crate::{
    error::{RestoreError, io_at},
    file::{self, create, dress, hash_of, write_all},
    making::dress_of,
    open::below,
    stage::MISSING,
};
use mastmaint_verify::{
    Line,
    prove::{stat_at, stat_of},
    shown,
};
use rustix::{
    fs::{AtFlags, Mode, OFlags, linkat},
    io::Errno,
};
use std::{
    ffi::CString,
    io::{self, Read},
    os::fd::{AsFd as _, OwnedFd},
};

impl Extractor<'_> {
    /// Writes an entry; says the hash of its content, if it has one.
    pub(super) fn entry(
        &mut self,
        header: &Header,
        into: &[u8],
        content: &mut dyn Read,
        directories: &mut Directories<'_>,
        buffer: &mut [u8],
    ) -> Result<Option<[u8; 32]>, RestoreError> {
        let stat = self.dressed(header);
        let of = |what| io_at::<Errno>(into, what);
        let there =
            |what| move |error: Errno| if error == Errno::EXIST { twice(into) } else { of(what)(error) };
        match header.sort {
            Sort::Directory => directories.say(into, stat).map(|()| None),
            Sort::Other => Ok(None),
            Sort::Link => {
                let (above, name) = directories.above(into)?;
                let target = header.target.as_deref().unwrap_or_default();
                let named = CString::new(target).map_err(|_| of("use its target")(Errno::INVAL))?;
                let dressing = dress_of(&stat);
                file::link(above.as_fd(), &name, &named, dressing.owner, dressing.mtime)
                    .map_err(there("make in the copy"))?;
                self.recorder.add(&Line::of(into, &stat, None, Some(target)))?;
                Ok(None)
            }
            Sort::Second => self.second(header, into, directories, buffer).map(Some),
            Sort::File => {
                self.watch.more(header.stat.size)?;
                let (above, name) = directories.above(into)?;
                let file = create(&*above, &name).map_err(there("make in the copy"))?;
                let hash = self.content(header, into, content, &file, buffer)?;
                dress(&file, dress_of(&stat)).map_err(of("set owner, permissions and time in the copy"))?;
                self.recorder.add(&Line::of(into, &stat, Some(hash), None))?;
                self.meter.file(header.stat.size);
                self.writeback.file(header.stat.size);
                Ok(Some(hash))
            }
        }
    }

    fn content(
        &self,
        header: &Header,
        into: &[u8],
        content: &mut dyn Read,
        file: &OwnedFd,
        buffer: &mut [u8],
    ) -> Result<[u8; 32], RestoreError> {
        let broken = |source| RestoreError::Broken { name: self.name.to_owned(), source };
        let mut hasher = blake3::Hasher::new();
        let mut length = 0_u64;
        loop {
            let count = match content.read(buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken(error)),
            };
            hasher.update(&buffer[..count]);
            length += count as u64;
            write_all(file, &buffer[..count]).map_err(io_at(into, "write into the copy"))?;
        }
        if length != header.stat.size {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(*hasher.finalize().as_bytes())
    }

    /// A second name of a file that came before, and of nothing else.
    fn second(
        &self,
        header: &Header,
        into: &[u8],
        directories: &mut Directories<'_>,
        buffer: &mut [u8],
    ) -> Result<[u8; 32], RestoreError> {
        let out = |what| RestoreError::Archive { code: "archive-link-out", name: shown(&header.name), what };
        let target = header.target.as_deref().unwrap_or_default();
        let Ok(Where::Below(path)) = place(target, self.live) else {
            return Err(out("is a second name of something outside of live"));
        };
        let first = match self.decide(&path, header)? {
            Into::Copy(first) => first,
            Into::Missing(first) if into.starts_with(MISSING.as_bytes()) => first,
            _ => return Err(out("is a second name of something that is not restored")),
        };
        let not_there = || out("is a second name of something that did not come before it");
        let (first_above, first_name) = directories.above(&first)?;
        let found = stat_at(first_above.as_fd(), &first_name).map_err(|_| not_there())?;
        if !found.is_file() {
            return Err(not_there());
        }
        let (above, name) = directories.above(into)?;
        linkat(&*first_above, &first_name, &*above, &name, AtFlags::empty()).map_err(
            |error| match error {
                Errno::EXIST => twice(into),
                error => io_at(into, "link in the copy")(error),
            },
        )?;
        let file =
            below(&*above, name.as_c_str(), OFlags::RDONLY, Mode::empty()).map_err(io_at(into, "open"))?;
        let stat = stat_of(&file).map_err(io_at(into, "look at in the copy"))?;
        let hash = hash_of(&file, stat.size, buffer).map_err(io_at(into, "read in the copy"))?;
        self.recorder.add(&Line::of(into, &stat, Some(hash), None))?;
        Ok(hash)
    }
}

//! The directories of a copy whose content comes as a stream: made as they are needed, opened by way of the copy and of
//! nothing else.

use crate::{
    error::{RestoreError, io_at},
    making::make_directory,
    open::directory_below,
};
use mastmaint_verify::{prove::Stat, shown};
use rustix::io::Errno;
use std::{collections::BTreeMap, ffi::CString, os::fd::OwnedFd, rc::Rc};

/// All directories that were made, with what the archive says of them.
pub(crate) struct Directories<'a> {
    run: &'a OwnedFd,
    made: BTreeMap<Vec<u8>, Option<Stat>>,
    /// The last one: most entries lie where the one before them lay.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
}

impl<'a> Directories<'a> {
    /// None yet.
    pub(crate) const fn new(run: &'a OwnedFd) -> Self {
        Self { run, made: BTreeMap::new(), last: None }
    }

    /// Opens the directory in which a path of the copy lies, made if it is not there, and says the last name.
    pub(crate) fn above(&mut self, path: &[u8]) -> Result<(Rc<OwnedFd>, CString), RestoreError> {
        let at = path.iter().rposition(|b| *b == b'/');
        let (above, name) = at.map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]));
        let name = CString::new(name).map_err(|_| io_at::<Errno>(path, "use the name")(Errno::INVAL))?;
        Ok((self.open(above)?, name))
    }

    /// Opens a directory of the copy, made if it is not there.
    pub(crate) fn open(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, RestoreError> {
        if let Some((last, fd)) = self.last.as_ref().filter(|(last, _)| last == path) {
            debug_assert_eq!(last, path);
            return Ok(Rc::clone(fd));
        }
        let fd = if path.is_empty() {
            self.run.try_clone().map_err(io_at(path, "open in the copy"))?
        } else if self.made.contains_key(path) {
            let name = CString::new(path).map_err(|_| io_at::<Errno>(path, "use the name")(Errno::INVAL))?;
            directory_below(self.run, name.as_c_str()).map_err(io_at(path, "open in the copy"))?
        } else {
            let (above, name) = self.above(path)?;
            let made = make_directory(&above, &name, path).map_err(|error| in_the_way(path, error))?;
            self.made.insert(path.to_vec(), None);
            made
        };
        let fd = Rc::new(fd);
        self.last = Some((path.to_vec(), Rc::clone(&fd)));
        Ok(fd)
    }

    /// What the archive says of a directory; nothing may be said twice.
    pub(crate) fn say(&mut self, path: &[u8], stat: Stat) -> Result<(), RestoreError> {
        self.open(path)?;
        match self.made.insert(path.to_vec(), Some(stat)) {
            Some(Some(_)) => Err(twice(path)),
            _ => Ok(()),
        }
    }

    /// All of them, with what is known of each.
    pub(crate) fn into_all(self) -> impl Iterator<Item = (Vec<u8>, Option<Stat>)> {
        self.made.into_iter()
    }
}

/// Something that the archive itself has put there is on the way: a file, or a link that leads elsewhere.
fn in_the_way(path: &[u8], error: RestoreError) -> RestoreError {
    match &error {
        RestoreError::Io { source, .. } if Errno::from_io_error(source) == Some(Errno::EXIST) => {
            RestoreError::Archive {
                code: "archive-through-a-link",
                name: shown(path),
                what: "is a link or a file, and something should lie in it",
            }
        }
        _ => error,
    }
}

/// The same name a second time.
pub(crate) fn twice(path: &[u8]) -> RestoreError {
    RestoreError::Archive { code: "archive-twice", name: shown(path), what: "is in it twice" }
}

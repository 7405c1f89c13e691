//! Looking into a file backup without caring whether it is a directory or an archive.

use crate::{
    found::matches,
    prove::{Stat, open_directory, open_file, stat_at, stat_of},
    rsnapshot::names,
    stamp::{Nanos, Stamp},
    stream::{self, Input},
};
use rustix::{fs::readlinkat, io::Errno};
use std::{
    ffi::CString,
    fmt,
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd as _, OwnedFd},
};

/// What a name in a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// A file with its size.
    File(u64),
    /// A directory, and whether something is in it.
    Directory {
        /// Whether nothing is in it.
        is_empty: bool,
    },
    /// A link, a pipe or the like.
    Other,
}

/// Files that are larger than this are not configuration.
pub const SMALL: u64 = 1024 * 1024;

/// Files that are looked for in a backup by a pattern: the last part of the path may have `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    directory: String,
    name: String,
}

impl Wanted {
    /// From a path with a pattern.
    pub fn parse(pattern: &str) -> Self {
        let pattern = pattern.trim_matches('/');
        let (directory, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        Self { directory: directory.to_owned(), name: name.to_owned() }
    }

    /// The same below a directory.
    pub(crate) fn below(&self, above: &str) -> Self {
        Self::parse(&format!("{above}/{self}"))
    }

    /// Whether it is this file.
    pub(crate) fn takes(&self, path: &str) -> bool {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        directory == self.directory && matches(self.name.as_bytes(), name.as_bytes())
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.directory.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}/{}", self.directory, self.name)
    }
}

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Its path there.
    pub path: String,
    /// Last change of its content.
    pub changed: Nanos,
    /// Bytes.
    pub size: u64,
}

/// A file backup. Paths are relative, parted by slashes.
pub trait Tree {
    /// What there is at a path; `None` if nothing.
    fn thing(&self, path: &str) -> io::Result<Option<Thing>>;
    /// What is written in a link; `None` for all that is none.
    fn link(&self, path: &str) -> io::Result<Option<String>>;
    /// The content of a small file.
    fn small_file(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
    /// The names in a directory; none if it is not there.
    fn list(&self, path: &str) -> io::Result<Vec<String>>;
    /// When it was finished: what is newer in the database need not be in it.
    fn finished(&self) -> Option<Stamp>;
    /// The files of a pattern. What is read once from end to end knows only the pattern that it was opened for.
    fn matching(&self, wanted: &Wanted) -> io::Result<Vec<Inside>>;
    /// The content of a file, however large.
    fn open(&self, path: &str) -> io::Result<Input>;
    /// A directory, opened; none where there are only archives.
    fn directory(&self, _path: &str) -> io::Result<Option<OwnedFd>> {
        Ok(None)
    }
}

/// A directory that is a file backup.
#[derive(Debug)]
pub struct DirectoryTree {
    root: OwnedFd,
    finished: Option<Stamp>,
}

impl DirectoryTree {
    /// A tree below an open directory.
    pub fn new(root: OwnedFd, finished: Option<Stamp>) -> Self {
        Self { root, finished }
    }

    /// Opens the directory above the last name of a path. A link on the way is not followed: it may lead out of the
    /// backup, into the running instance.
    fn above(&self, path: &str) -> Result<(OwnedFd, CString), Errno> {
        let mut names = path.split('/').filter(|n| !n.is_empty() && *n != ".").collect::<Vec<_>>();
        let last = names.pop().unwrap_or(".");
        let mut directory = open_directory(self.root.as_fd(), c".")?.fd;
        for name in names {
            if name == ".." {
                return Err(Errno::INVAL);
            }
            directory = open_directory(directory.as_fd(), &c_string(name)?)?.fd;
        }
        Ok((directory, c_string(last)?))
    }
}

fn c_string(name: &str) -> Result<CString, Errno> {
    CString::new(name).map_err(|_| Errno::INVAL)
}

/// Nothing there is an answer, not an error.
fn if_there<T>(found: Result<T, Errno>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Tree for DirectoryTree {
    fn thing(&self, path: &str) -> io::Result<Option<Thing>> {
        let Some((above, name)) = if_there(self.above(path))? else { return Ok(None) };
        let Some(stat) = if_there(stat_at(above.as_fd(), &name))? else { return Ok(None) };
        if stat.is_file() {
            return Ok(Some(Thing::File(stat.size)));
        }
        if !stat.is_directory() {
            return Ok(Some(Thing::Other));
        }
        let opened = open_directory(above.as_fd(), &name)?;
        Ok(Some(Thing::Directory { is_empty: names(opened.fd.as_fd())?.is_empty() }))
    }

    fn link(&self, path: &str) -> io::Result<Option<String>> {
        let Some((above, name)) = if_there(self.above(path))? else { return Ok(None) };
        let target = if_there(readlinkat(&above, &name, Vec::new()))?;
        Ok(target.map(|t| t.to_string_lossy().into_owned()))
    }

    fn small_file(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some((above, name)) = if_there(self.above(path))? else { return Ok(None) };
        let Some(file) = if_there(open_file(above.as_fd(), &name))? else { return Ok(None) };
        if !stat_of(&file)?.is_file() {
            return Ok(None);
        }
        let mut content = Vec::new();
        File::from(file).take(SMALL).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let Some((above, name)) = if_there(self.above(path))? else { return Ok(Vec::new()) };
        let Some(opened) = if_there(open_directory(above.as_fd(), &name))? else { return Ok(Vec::new()) };
        Ok(names(opened.fd.as_fd())?.into_iter().map(|n| n.to_string_lossy().into_owned()).collect())
    }

    fn finished(&self) -> Option<Stamp> {
        self.finished
    }

    fn matching(&self, wanted: &Wanted) -> io::Result<Vec<Inside>> {
        let mut found = Vec::new();
        for name in self.list(&wanted.directory)? {
            let path = Wanted { name, ..wanted.clone() }.to_string();
            if !wanted.takes(&path) {
                continue;
            }
            let Some((above, name)) = if_there(self.above(&path))? else { continue };
            if let Some(stat) = if_there(stat_at(above.as_fd(), &name))?.filter(Stat::is_file) {
                found.push(Inside { path, changed: stat.mtime, size: stat.size });
            }
        }
        Ok(found)
    }

    fn open(&self, path: &str) -> io::Result<Input> {
        let (above, name) = self.above(path)?;
        let file = open_file(above.as_fd(), &name)?;
        if !stat_of(&file)?.is_file() {
            return Err(Errno::INVAL.into());
        }
        Ok(stream::gentle(File::from(file)))
    }

    fn directory(&self, path: &str) -> io::Result<Option<OwnedFd>> {
        let Some((above, name)) = if_there(self.above(path))? else { return Ok(None) };
        Ok(if_there(open_directory(above.as_fd(), &name))?.map(|opened| opened.fd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_link_out_of_the_backup_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("live/empty")).unwrap();
        fs::write(place.path().join("live/.env"), "A=1").unwrap();
        std::os::unix::fs::symlink("/etc", place.path().join("out")).unwrap();
        let tree = DirectoryTree::new(File::open(place.path()).unwrap().into(), None);
        assert_eq!(tree.thing("live/.env").unwrap(), Some(Thing::File(3)));
        assert_eq!(tree.thing("live").unwrap(), Some(Thing::Directory { is_empty: false }));
        assert_eq!(tree.thing("live/empty/").unwrap(), Some(Thing::Directory { is_empty: true }));
        assert_eq!(tree.thing("out").unwrap(), Some(Thing::Other));
        for none in ["out/passwd", "live/../live/.env", "none/none", "live/.env/x"] {
            assert_eq!(tree.thing(none).unwrap(), None, "{none}");
        }
        assert_eq!(tree.small_file("live/.env").unwrap().unwrap(), b"A=1");
        assert_eq!(tree.small_file("out/hostname").unwrap(), None);
        assert_eq!(tree.list("live").unwrap().len(), 2);
    }

    #[test]
    fn files_are_found_by_a_pattern_in_the_backup_and_nowhere_else() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("var/dumps/b.dump")).unwrap();
        fs::write(place.path().join("var/dumps/a.dump"), "A").unwrap();
        fs::write(place.path().join("var/dumps/a.txt"), "A").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", place.path().join("var/dumps/c.dump")).unwrap();
        let tree = DirectoryTree::new(File::open(place.path()).unwrap().into(), None);
        let paths = |pattern: &str| {
            let found = tree.matching(&Wanted::parse(pattern)).unwrap();
            found.into_iter().map(|f| f.path).collect::<Vec<_>>()
        };
        assert_eq!(paths("/var/dumps/*.dump"), ["var/dumps/a.dump"]);
        assert_eq!(paths("none/*.dump"), Vec::<String>::new());
        let mut text = String::new();
        tree.open("var/dumps/a.dump").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "A");
        for none in ["var/dumps/c.dump", "var/dumps", "var/none"] {
            assert!(tree.open(none).is_err(), "{none}");
        }
    }
}

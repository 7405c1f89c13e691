//! Every file of the Rails root as it stood before the change, so that it can be said what else was changed: that is not
//! put back. Nothing of it is read but names and what `stat` tells.

use super::tree::{self, Named, kind};
use rustix::fs::FileType;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
};

/// What is written all the time, or by every build: media, logs, caches, and what git keeps for itself.
const NEVER_LISTED: [&str; 7] = [
    "public/system",
    "log",
    "tmp",
    ".git",
    "node_modules/.cache",
    "node_modules/.vite",
    "node_modules/.vite-temp",
];
/// So many are named.
const MOST_NAMED: usize = 5;
const DEEPEST: usize = 64;

/// A file as `stat` tells it: size, inode, when it was written, who may do what with it. Not when anything of it was
/// changed: another name of it (a backup by hard links) is no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([i128; 6]);

/// The files below a Rails root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listing(BTreeMap<PathBuf, Stamp>);

impl Listing {
    /// Lists what is there but the paths that are kept.
    pub(super) fn take(live: BorrowedFd<'_>, kept: &[&Path]) -> io::Result<Self> {
        let mut listing = Self::default();
        let skips = |path: &Path| {
            NEVER_LISTED.iter().any(|never| path == Path::new(never)) || kept.contains(&path) || is_ours(path)
        };
        listing.add(live, Path::new(""), &skips, 0)?;
        Ok(listing)
    }

    fn add(
        &mut self,
        at: BorrowedFd<'_>,
        path: &Path,
        skips: &dyn Fn(&Path) -> bool,
        depth: usize,
    ) -> io::Result<()> {
        for name in tree::names(at)? {
            let (own, below) = (Named { at, name: &name }, path.join(&name));
            if skips(&below) {
                continue;
            }
            // Gone in between.
            let Some(stat) = own.stat()? else { continue };
            if kind(&stat) == FileType::Directory {
                // What cannot be entered, or has no end, is no part of what the change could be blamed for.
                if let Some(directory) = own.directory().ok().filter(|_| depth < DEEPEST) {
                    self.add(directory.as_fd(), &below, skips, depth + 1)?;
                }
                continue;
            }
            let written = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
            let stamp = Stamp([
                i128::from(stat.st_size),
                i128::from(stat.st_ino),
                written,
                i128::from(stat.st_mode),
                i128::from(stat.st_uid),
                i128::from(stat.st_gid),
            ]);
            self.0.insert(below, stamp);
        }
        Ok(())
    }

    /// Writes it down: a name may hold anything but a NUL.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(fs::File::create(path)?);
        for (path, Stamp(stamp)) in &self.0 {
            file.write_all(path.as_os_str().as_bytes())?;
            file.write_all(b"\0")?;
            let numbers: Vec<String> = stamp.iter().map(ToString::to_string).collect();
            file.write_all(numbers.join(" ").as_bytes())?;
            file.write_all(b"\0")?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// Reads it back.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the list of files is damaged");
        let mut fields = BufReader::new(fs::File::open(path)?).split(0);
        let mut listing = Self::default();
        while let Some(path) = fields.next() {
            let numbers = fields.next().ok_or_else(damaged)??;
            let numbers: Option<Vec<i128>> = std::str::from_utf8(&numbers)
                .ok()
                .and_then(|text| text.split(' ').map(|n| n.parse().ok()).collect());
            let stamp = numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(damaged)?;
            listing.0.insert(PathBuf::from(OsString::from_vec(path?)), Stamp(stamp));
        }
        Ok(listing)
    }

    /// What is not any more as it was, for people; nothing if all of it is.
    pub(super) fn changes(&self, now: &Self) -> Option<String> {
        let gone = self.0.keys().filter(|path| !now.0.contains_key(*path)).map(|path| (path, " (removed)"));
        let other = now.0.iter().filter_map(|(path, stamp)| match self.0.get(path) {
            None => Some((path, " (new)")),
            Some(before) => (before != stamp).then_some((path, "")),
        });
        let all: BTreeMap<_, _> = gone.chain(other).collect();
        let named: Vec<String> =
            all.iter().take(MOST_NAMED).map(|(path, how)| format!("{}{how}", path.display())).collect();
        let more = match all.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!named.is_empty()).then(|| format!("{}{more}", named.join(", ")))
    }
}

/// Where something is put back just now.
fn is_ours(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".mastmaintd-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_outside_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let live = scratch.path().join("live");
        let write = |file: &str, text: &str| {
            fs::create_dir_all(live.join(file).parent().unwrap()).unwrap();
            fs::write(live.join(file), text).unwrap();
        };
        for file in
            ["app/models/user.rb", "public/packs/a.css", "public/system/x", "log/production.log", "Gemfile"]
        {
            write(file, "before");
        }
        let taken = || {
            let root = fs::File::open(&live).unwrap();
            Listing::take(root.as_fd(), &[Path::new("public/packs")]).unwrap()
        };
        let before = taken();
        let saved = scratch.path().join("listing");
        before.save(&saved).unwrap();
        assert_eq!(Listing::load(&saved).unwrap(), before);
        assert_eq!(before.changes(&taken()), None);
        for file in ["public/packs/a.css", "public/packs/b.css", "public/system/y", "log/production.log"] {
            write(file, "changed");
        }
        assert_eq!(before.changes(&taken()), None, "kept, or written all the time");
        write("app/models/user.rb", "after!");
        write("lib/new\nline.rb", "x");
        fs::remove_file(live.join("Gemfile")).unwrap();
        let said = before.changes(&taken()).unwrap();
        assert_eq!(said, "Gemfile (removed), app/models/user.rb, lib/new\nline.rb (new)");
        fs::write(&saved, b"path\x001 2").unwrap();
        assert!(Listing::load(&saved).is_err());
    }
}

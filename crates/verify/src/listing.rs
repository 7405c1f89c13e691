//! What is in a backup that is told name by name: an archive read from end to end, a snapshot that its program lists.

use crate::{
    look::{Inside, Thing, Wanted},
    stamp::{Nanos, Stamp},
};
use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

/// Sizes by a digest of the path, so that a million names take little memory, and the few names that matter.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    sizes: HashMap<u64, u64>,
    directories: HashMap<u64, bool>,
    links: HashMap<u64, String>,
    migrations: BTreeMap<String, Vec<String>>,
    wanted: Option<Wanted>,
    found: Vec<Inside>,
    data_directories: Vec<String>,
    /// Names in it.
    pub(crate) paths: u64,
    /// Bytes of its files.
    pub(crate) bytes: u64,
    /// The youngest change in it.
    pub(crate) youngest: Option<Stamp>,
}

/// A name as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// A file and its size.
    File(u64),
    Directory,
    /// Another name of a file that was told before, and its size.
    Again(u64),
    Other,
}

fn digest(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// A path without what comes before its first name and after its last.
pub(crate) fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_matches('/')
}

impl Listing {
    /// An empty one that also keeps the files of a pattern.
    pub(crate) fn wanting(wanted: Option<Wanted>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Takes in one name.
    pub(crate) fn add(&mut self, path: &str, told: Told, changed: Option<Nanos>) {
        let path = plain(path);
        self.paths += 1;
        self.youngest = self.youngest.max(changed.map(|c| Stamp::of(c.at())));
        let mut above = path;
        while let Some((directory, _)) = above.rsplit_once('/') {
            // Whoever is known to hold something has told those above it.
            if self.directories.insert(digest(directory), false) == Some(false) {
                break;
            }
            above = directory;
        }
        let size = match told {
            Told::Directory => {
                self.directories.entry(digest(path)).or_insert(true);
                return;
            }
            Told::Other => return,
            Told::File(size) => {
                self.bytes += size;
                size
            }
            Told::Again(size) => size,
        };
        self.sizes.insert(digest(path), size);
        if self.is_wanted(path) {
            let changed = changed.unwrap_or_default();
            self.found.push(Inside { path: path.to_owned(), changed, size });
        }
        let Some((directory, file)) = path.rsplit_once('/') else { return };
        if directory.ends_with("db/migrate") || directory.ends_with("db/post_migrate") {
            self.migrations.entry(directory.to_owned()).or_default().push(file.to_owned());
        } else if file == "PG_VERSION" && !directory.contains("/base/") {
            self.data_directories.push(directory.to_owned());
        }
    }

    /// What there is at a path.
    pub(crate) fn thing(&self, path: &str) -> Option<Thing> {
        let key = digest(plain(path));
        if let Some(size) = self.sizes.get(&key) {
            return Some(Thing::File(*size));
        }
        if self.links.contains_key(&key) {
            return Some(Thing::Other);
        }
        self.directories.get(&key).map(|is_empty| Thing::Directory { is_empty: *is_empty })
    }

    /// Takes in what is written in a link that was told.
    pub(crate) fn add_link(&mut self, path: &str, target: String) {
        self.links.insert(digest(plain(path)), target);
    }

    /// What is written in a link.
    pub(crate) fn link(&self, path: &str) -> Option<String> {
        self.links.get(&digest(plain(path))).cloned()
    }

    /// The size of a file.
    pub(crate) fn size(&self, path: &str) -> Option<u64> {
        self.sizes.get(&digest(plain(path))).copied()
    }

    /// Whether it is a file of the pattern that it was made for.
    pub(crate) fn is_wanted(&self, path: &str) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| wanted.takes(path))
    }

    /// The names in a directory of migrations; none of any other.
    pub(crate) fn list(&self, path: &str) -> Vec<String> {
        self.migrations.get(plain(path)).cloned().unwrap_or_default()
    }

    /// The files of the pattern that it was made for.
    pub(crate) fn matching(&self, wanted: &Wanted) -> Vec<Inside> {
        self.found.iter().filter(|f| wanted.takes(&f.path)).cloned().collect()
    }

    /// Directories that a PostgreSQL works in, copied as they were.
    pub(crate) fn data_directories(&self) -> impl Iterator<Item = &str> {
        self.data_directories
            .iter()
            .map(String::as_str)
            .filter(|directory| self.thing(&format!("{directory}/global/pg_control")).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_looked_into_like_a_directory() {
        let mut listing = Listing::wanting(Some(Wanted::parse("/dumps/*.dump")));
        listing.add("/live/public/system/a.png", Told::File(5), Some(Nanos::new(5, 0)));
        listing.add("/live/empty", Told::Directory, None);
        listing.add("/live/public", Told::Directory, None);
        listing.add("/dumps/a.dump", Told::File(7), Some(Nanos::new(9, 0)));
        listing.add("/live/link", Told::Other, None);
        let directory = |is_empty| Some(Thing::Directory { is_empty });
        assert_eq!(listing.thing("live/public/system/a.png"), Some(Thing::File(5)));
        assert_eq!(listing.thing("live/public/"), directory(false));
        assert_eq!(listing.thing("live"), directory(false));
        assert_eq!(listing.thing("live/empty"), directory(true));
        assert_eq!(listing.thing("live/none"), None);
        assert_eq!((listing.paths, listing.bytes, listing.youngest), (5, 12, Some(Stamp(9))));
        let found = listing.matching(&Wanted::parse("dumps/*.dump"));
        assert_eq!(found, [Inside { path: "dumps/a.dump".to_owned(), changed: Nanos::new(9, 0), size: 7 }]);
    }

    #[test]
    fn the_directory_of_a_running_database_is_known_by_its_files() {
        let mut listing = Listing::default();
        for file in ["PG_VERSION", "global/pg_control", "base/1/PG_VERSION", "postmaster.pid"] {
            listing.add(&format!("var/lib/postgresql/17/main/{file}"), Told::File(3), None);
        }
        listing.add("etc/PG_VERSION", Told::File(3), None);
        assert_eq!(listing.data_directories().collect::<Vec<_>>(), ["var/lib/postgresql/17/main"]);
    }
}

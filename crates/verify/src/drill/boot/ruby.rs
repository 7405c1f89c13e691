//! What Mastodon is run by: the Ruby that its `.ruby-version` names, Bundler, the gems.

use crate::drill::Network;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where rbenv and its like keep versions of Ruby beside those that are named.
const ROOTS: [&str; 3] = ["/usr/local/rbenv/versions", "/opt/rbenv/versions", "/opt/rubies"];
/// Where one Ruby of the whole host is.
const OF_THE_HOST: [&str; 2] = ["/usr/local/bin", "/usr/bin"];

/// Where this host keeps what Mastodon runs by, and what it would reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Directories with a directory for each version of Ruby.
    pub rubies: Vec<PathBuf>,
    /// Directories of gems for a backup that has none of its own.
    pub gems: Vec<PathBuf>,
    /// What can be reached from here.
    pub network: Network,
}

/// A Ruby with its Bundler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruby {
    pub(super) bin: PathBuf,
}

impl Host {
    /// The Ruby of this version, else the one of the host: whether that will do is for Bundler to say. Or what is
    /// missing.
    pub(super) fn ruby(&self, version: Option<&str>) -> Result<Ruby, String> {
        let roots = self.rubies.iter().map(PathBuf::as_path).chain(ROOTS.iter().map(Path::new));
        let of_version = roots.flat_map(|root| {
            let names =
                version.map(|v| v.trim_start_matches("ruby-")).map(|v| [v.to_owned(), format!("ruby-{v}")]);
            names.into_iter().flatten().map(|name| root.join(name).join("bin"))
        });
        let mut without_bundler = None;
        for bin in of_version.chain(OF_THE_HOST.iter().map(PathBuf::from)) {
            match (bin.join("ruby").exists(), bin.join("bundle").exists()) {
                (true, true) => return Ok(Ruby { bin }),
                (true, false) => without_bundler = without_bundler.or(Some(bin)),
                (false, _) => {}
            }
        }
        let named =
            version.map_or_else(|| "Ruby".to_owned(), |v| format!("Ruby {}", v.trim_start_matches("ruby-")));
        Err(without_bundler.map_or_else(
            || format!("there is no {named} that this room may run"),
            |bin| format!("{} has no Bundler beside it", bin.join("ruby").display()),
        ))
    }

    /// Gems: those of the backup, else those of the host; `None` for what is installed with Ruby itself.
    pub(super) fn gems(&self, live: &Path) -> Option<PathBuf> {
        let own = live.join("vendor/bundle");
        let has_something = |path: &PathBuf| fs::read_dir(path).is_ok_and(|mut names| names.next().is_some());
        std::iter::once(&own).chain(&self.gems).find(|path| has_something(path)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(root: &Path, version: &str, programs: &[&str]) {
        let bin = root.join(version).join("bin");
        fs::create_dir_all(&bin).unwrap();
        for program in programs {
            fs::write(bin.join(program), "").unwrap();
        }
    }

    #[test]
    fn the_version_that_is_named_comes_first() {
        let root = tempfile::tempdir().unwrap();
        install(root.path(), "3.4.7", &["ruby", "bundle"]);
        install(root.path(), "ruby-3.3.1", &["ruby", "bundle"]);
        let host = Host { rubies: vec![root.path().to_owned()], ..Host::default() };
        let bin = |version| host.ruby(Some(version)).unwrap().bin;
        assert_eq!(bin("3.4.7"), root.path().join("3.4.7/bin"));
        assert_eq!(bin("ruby-3.4.7"), root.path().join("3.4.7/bin"));
        assert_eq!(bin("3.3.1"), root.path().join("ruby-3.3.1/bin"));
        // What another one comes to depends on the host: its own, or none, and never one of another version.
        assert!(host.ruby(Some("9.9.9")).map_or_else(
            |missing| missing.contains("Ruby 9.9.9") || missing.contains("Bundler"),
            |ruby| !ruby.bin.starts_with(root.path()),
        ));
    }

    #[test]
    fn gems_of_the_backup_come_first() {
        let place = tempfile::tempdir().unwrap();
        let (live, own) = (place.path().join("live"), place.path().join("live/vendor/bundle"));
        let gems = vec![place.path().join("none"), place.path().join("host")];
        let host = Host { gems, ..Host::default() };
        assert_eq!(host.gems(&live), None);
        fs::create_dir_all(place.path().join("host/ruby")).unwrap();
        assert_eq!(host.gems(&live), Some(place.path().join("host")));
        fs::create_dir_all(own.join("ruby")).unwrap();
        assert_eq!(host.gems(&live), Some(own));
    }
}

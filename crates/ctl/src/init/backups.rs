//! Looks for backups on a host: generations of rsnapshot, dumps, repositories. Changes nothing and runs nothing.

use super::{
    host::FoundBackup,
    inspect::{Looker, is_kind},
};
use mastmaint_verify::{dump::Kind, rsnapshot};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Where people keep backups.
const PLACES: [&str; 10] = [
    "/backup",
    "/backups",
    "/srv/backup",
    "/srv/backups",
    "/mnt/backup",
    "/mnt/backups",
    "/var/backups",
    "/var/lib/postgresql/backups",
    "/home/mastodon/backup",
    "/home/mastodon/backups",
];
/// So deep below these it is looked.
const DEEPEST: usize = 2;
/// A directory with more names than this is no directory of dumps.
const MOST_NAMES: usize = 2_000;
/// Where a Mastodon lies that somebody installed by the book.
const USUAL_LIVES: [&str; 2] = ["/home/mastodon/live", "/var/www/mastodon/live"];

/// Everything that looks like a backup.
pub(super) fn find(looker: &mut Looker, live: Option<&Path>) -> Vec<FoundBackup> {
    let mut found = rsnapshots(looker, live);
    found.extend(borgmatic(looker));
    for place in PLACES {
        below(looker, Path::new(place), 0, &mut found);
    }
    found
}

fn rsnapshots(looker: &mut Looker, live: Option<&Path>) -> Vec<FoundBackup> {
    let mut configs = vec![PathBuf::from("/etc/rsnapshot.conf")];
    for dir in ["/etc/rsnapshot", "/etc/rsnapshot.d"] {
        let names = looker.list(Path::new(dir));
        configs.extend(names.iter().filter(|n| is_kind(n, "conf")).map(|n| Path::new(dir).join(n)));
    }
    let mut found = Vec::new();
    for config in configs {
        let Some(text) = looker.read(&config) else { continue };
        let conf = rsnapshot::parse(&config, &text, &mut |file| fs::read_to_string(looker.at(file))).conf;
        let Some(lowest) = conf.levels.first() else { continue };
        let newest = looker.at(&conf.snapshot_root).join(format!("{}.0", lowest.name));
        // The configuration of the package is there wherever rsnapshot is installed.
        if !newest.is_dir() {
            continue;
        }
        let lives = live.into_iter().chain(USUAL_LIVES.map(Path::new));
        let mut candidates = lives.flat_map(|live| {
            let live = live.to_string_lossy().trim_start_matches('/').to_owned();
            conf.points
                .iter()
                .map(move |point| format!("{}/{live}", point.dest).trim_start_matches('/').to_owned())
        });
        let live = candidates.find(|at| newest.join(at).join("lib/mastodon/version.rb").is_file());
        found.push(FoundBackup::Rsnapshot { config, live });
    }
    found
}

/// Repositories that borgmatic writes to; not more of its configuration than that.
fn borgmatic(looker: &mut Looker) -> Vec<FoundBackup> {
    let mut configs = vec![PathBuf::from("/etc/borgmatic/config.yaml")];
    let more = looker.list(Path::new("/etc/borgmatic.d"));
    configs.extend(more.iter().map(|name| Path::new("/etc/borgmatic.d").join(name)));
    let mut found = Vec::new();
    for config in configs {
        if looker.read(&config).is_some_and(|text| text.contains("repositories:")) {
            found.push(FoundBackup::Borgmatic { config });
        }
    }
    found
}

fn below(looker: &mut Looker, dir: &Path, depth: usize, found: &mut Vec<FoundBackup>) {
    let names = looker.list(dir);
    if names.is_empty() || names.len() > MOST_NAMES {
        return;
    }
    if let Some(repository) = repository(looker, dir, &names) {
        found.push(repository);
        return;
    }
    let mut patterns: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut directories = BTreeSet::new();
    for name in &names {
        let path = dir.join(name);
        let here = looker.at(&path);
        // A link would be found under two names.
        match fs::symlink_metadata(&here) {
            Ok(about) if about.is_dir() => {
                directories.insert(path);
            }
            Ok(about) if about.is_file() && name == "dump.rdb" && is_redis(&here) => {
                found.push(FoundBackup::Redis { path });
            }
            Ok(about) if about.is_file() && may_be_dump(name) => {
                patterns.entry(pattern(name)).or_insert(here);
            }
            _ => {}
        }
    }
    for (pattern, example) in patterns {
        if matches!(Kind::of(&example), Ok(Kind::Custom(_) | Kind::Plain | Kind::Cluster)) {
            found.push(FoundBackup::Postgres { path: dir.join(pattern) });
        }
    }
    if depth < DEEPEST {
        for directory in directories {
            below(looker, &directory, depth + 1, found);
        }
    }
}

fn repository(looker: &mut Looker, dir: &Path, names: &[String]) -> Option<FoundBackup> {
    let has = |wanted: &[&str]| wanted.iter().all(|name| names.iter().any(|n| n == name));
    if has(&["config", "data", "keys", "snapshots"]) {
        return Some(FoundBackup::Restic { path: dir.to_owned() });
    }
    let is_borg =
        has(&["config", "data", "README"]) && looker.read(&dir.join("config"))?.contains("[repository]");
    is_borg.then(|| FoundBackup::Borg { path: dir.to_owned() })
}

fn may_be_dump(name: &str) -> bool {
    let name = ["gz", "zst", "xz"]
        .iter()
        .find_map(|packed| name.strip_suffix(&format!(".{packed}")))
        .unwrap_or(name);
    [".dump", ".pgdump", ".sql", ".pgsql"].iter().any(|ending| name.ends_with(ending))
}

/// `mastodon-2026-11-26.dump` is one of `mastodon-*.dump`.
fn pattern(name: &str) -> String {
    let is_of_date = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | ':' | 'T' | '.');
    let Some(first) = name.find(|c: char| c.is_ascii_digit()) else { return name.to_owned() };
    let last = name.rfind(|c: char| c.is_ascii_digit()).unwrap_or(first);
    // A number in the middle of words is part of a name: what stands between the first and the last digit is a date.
    if name[first..last].chars().all(is_of_date) {
        format!("{}*{}", &name[..first], &name[last + 1..])
    } else {
        name.to_owned()
    }
}

fn is_redis(path: &Path) -> bool {
    let mut magic = [0; 5];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"REDIS"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_in_a_name_is_a_star() {
        assert_eq!(pattern("mastodon-2026-11-26.dump"), "mastodon-*.dump");
        assert_eq!(pattern("mastodon_20261126T021400.sql.gz"), "mastodon_*.sql.gz");
        assert_eq!(pattern("mastodon.dump"), "mastodon.dump");
        assert_eq!(pattern("db1-live-2.sql"), "db1-live-2.sql");
        assert!(may_be_dump("a.sql.zst") && may_be_dump("a.dump") && !may_be_dump("a.sql.txt"));
    }
}

//! The snapshots of a repository, which of them is the newest complete one, and looking into it.

use super::Repository;
use crate::{
    away,
    backup::{self, Backup},
    finding::{Code, Finding, shown},
    listing::{Listing, Told, ToldByName},
    look::Wanted,
    prove::Tell,
    repository::Refusal,
    stamp::{Nanos, Stamp},
    stream::{Input, Trouble},
    tool::{Stream, last_line},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::BTreeSet,
    ffi::OsStr,
    io::{self, BufRead as _, BufReader},
};

/// A snapshot as `restic snapshots --json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) time: Timestamp,
    #[serde(default)]
    pub(crate) hostname: String,
    #[serde(default)]
    pub(crate) paths: Vec<String>,
    #[serde(default)]
    pub(crate) tags: Option<Vec<String>>,
}

impl Snapshot {
    /// As restic shortens it.
    pub(crate) fn name(&self) -> String {
        format!("snapshot {}", self.id.get(..8).unwrap_or(&self.id))
    }

    /// Whether it is one of those that the backup is about.
    pub(crate) fn is_of(&self, place: &backup::Restic) -> bool {
        let tags = self.tags.as_deref().unwrap_or_default();
        place.host.as_ref().is_none_or(|host| *host == self.hostname)
            && place.tags.iter().all(|tag| tags.contains(tag))
    }

    /// Whether such a path can be in it, by what it was made of.
    fn covers(&self, path: &str) -> bool {
        let path = path.trim_matches('/');
        self.paths.iter().any(|of| {
            let of = of.trim_matches('/');
            let is_below = |a: &str, b: &str| {
                b.is_empty() || a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            is_below(path, of) || is_below(of, path)
        })
    }
}

/// The newest that can hold all that must be in the backup: a repository may have snapshots of other things too. Where
/// none can, the newest of all is taken, and what it lacks is found then.
pub(crate) fn choose<'a>(
    snapshots: &'a [Snapshot],
    place: &backup::Restic,
    backup: &Backup,
) -> Option<&'a Snapshot> {
    let mine = || snapshots.iter().filter(|s| s.is_of(place));
    let is_whole = |s: &&Snapshot| backup.require.iter().chain(&backup.live).all(|path| s.covers(path));
    mine().filter(is_whole).max_by_key(|s| s.time).or_else(|| mine().max_by_key(|s| s.time))
}

/// Says that the newest may be that of anybody: nothing tells which host's snapshots are meant.
pub(crate) fn of_anybody(snapshots: &[Snapshot], place: &backup::Restic, backup: &Backup) -> Option<Finding> {
    let is_told =
        place.host.is_some() || !place.tags.is_empty() || !backup.require.is_empty() || backup.live.is_some();
    let mine = snapshots.iter().filter(|s| s.is_of(place));
    let hosts: BTreeSet<&str> = mine.map(|s| s.hostname.as_str()).collect();
    (!is_told && hosts.len() > 1).then(|| {
        let what = "the repository holds snapshots of several hosts: the newest of any of them counts";
        let advice = "Name what is meant with `host:`, `tags:` or `live:`; else a host that makes none any more is not missed.";
        Finding::warn(Code::ConfigDoubt, what, advice).with(hosts.iter().map(|h| shown(h.as_bytes())))
    })
}

/// A line of `restic ls --json` that is a file, a directory or the like.
#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow, default)]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    mtime: Option<Timestamp>,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    /// What is written in a link; older versions of restic do not say.
    #[serde(borrow, default, rename = "linktarget")]
    target: Option<Cow<'a, str>>,
}

/// A snapshot and all names in it.
pub(crate) struct Listed {
    repository: Repository,
    pub(crate) snapshot: Snapshot,
    pub(crate) listing: Listing,
}

impl Repository {
    fn stream(&self, words: &[&OsStr]) -> io::Result<Stream> {
        let explain = if self.directory.is_some() { explain } else { explain_elsewhere };
        self.tool.stream(words, None, explain)
    }
}

impl Listed {
    /// Lists a snapshot.
    pub(crate) fn of(
        repository: &Repository,
        snapshot: &Snapshot,
        wanted: Option<&Wanted>,
        tell: &dyn Tell,
    ) -> Result<Self, Refusal> {
        let words = ["ls", "--json", &snapshot.id].map(OsStr::new);
        let mut lines = BufReader::new(repository.stream(&words)?);
        let mut listing = Listing::wanting(wanted.cloned());
        let mut line = Vec::new();
        let damaged = |error: io::Error| {
            let (at, says) = (snapshot.name(), error.to_string());
            match Trouble::within(&error) {
                Some(Trouble { code: Code::Unreadable, .. }) => Refusal::NoAnswer { at, says },
                _ => Refusal::Damaged { at, says },
            }
        };
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line).map_err(damaged)? == 0 {
                break;
            }
            let Ok(Node { path: Some(path), kind: Some(kind), size, mtime, target, .. }) =
                serde_json::from_slice(&line)
            else {
                continue;
            };
            let told = match &*kind {
                "file" => Told::File(size),
                "dir" => Told::Directory,
                _ => Told::Other,
            };
            let changed = mtime.map(|at| Nanos(i64::try_from(at.as_nanosecond()).unwrap_or(0)));
            listing.add(&path, told, changed);
            if let Some(target) = target.filter(|_| kind == "symlink") {
                listing.add_link(&path, target.into_owned());
            }
            if tell.is_cancelled() {
                return Err(Refusal::Cancelled);
            }
        }
        Ok(Self { repository: repository.clone(), snapshot: snapshot.clone(), listing })
    }

    pub(crate) fn name(&self) -> String {
        self.snapshot.name()
    }

    /// A directory of it with all that is in it, as tar.
    pub(crate) fn archive(&self, path: &str) -> io::Result<Input> {
        let path = format!("/{}", path.trim_matches('/'));
        let words = ["dump", "--archive", "tar", &self.snapshot.id, &path].map(OsStr::new);
        Ok(Box::new(self.repository.stream(&words)?))
    }

    /// Numbers of the owner and the group of a directory.
    pub(crate) fn owner_of(&self, path: &str) -> io::Result<Option<(u32, u32)>> {
        let path = format!("/{}", path.trim_matches('/'));
        let words = ["ls", "--json", &self.snapshot.id, &path].map(OsStr::new);
        let mut lines = BufReader::new(self.repository.stream(&words)?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let node = serde_json::from_slice::<Node<'_>>(&line).ok();
            if let Some(node) = node.filter(|node| node.path.as_deref() == Some(&path)) {
                return Ok(Some((node.uid, node.gid)));
            }
            line.clear();
        }
        Ok(None)
    }

    fn dump(&self, path: &str) -> io::Result<Input> {
        let path = format!("/{}", path.trim_matches('/'));
        let words = ["dump", &self.snapshot.id, &path].map(OsStr::new);
        Ok(Box::new(self.repository.stream(&words)?))
    }
}

fn explain_elsewhere(complaints: &str) -> Trouble {
    away::trouble(complaints).unwrap_or_else(|| explain(complaints))
}

fn explain(complaints: &str) -> Trouble {
    let fatal = complaints.lines().find(|l| l.starts_with("Fatal") || l.contains("error"));
    let says = fatal.map_or_else(|| last_line(complaints), str::to_owned);
    let advice = "Look after the disk that the repository lies on; `restic check --read-data` says all that is damaged.";
    Trouble {
        code: Code::Damaged,
        what: format!("cannot be read by restic to its end: {says}"),
        advice,
        says: vec![says],
    }
}

impl ToldByName for Listed {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn finished_at(&self) -> Option<Stamp> {
        Some(Stamp::of(self.snapshot.time))
    }

    fn content(&self, path: &str) -> io::Result<Input> {
        self.dump(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Place;

    fn snapshot(id: &str, time: &str, host: &str, path: &str, tags: &[&str]) -> Snapshot {
        let tags = Some(tags.iter().map(|t| (*t).to_owned()).collect());
        let (id, hostname) = (id.to_owned(), host.to_owned());
        Snapshot { id, time: time.parse().unwrap(), hostname, paths: vec![path.to_owned()], tags }
    }

    #[test]
    fn the_newest_is_chosen_by_what_it_is_of() {
        let all = [
            snapshot("a", "2026-11-21T02:00:00Z", "mastodon", "/home/mastodon", &["nightly"]),
            snapshot("b", "2026-11-22T02:00:00Z", "mastodon", "/home/mastodon", &["nightly"]),
            snapshot("c", "2026-11-22T03:00:00Z", "mastodon", "/etc", &["nightly"]),
            snapshot("d", "2026-11-23T02:00:00Z", "laptop", "/home/mastodon", &[]),
        ];
        let chosen = |host: Option<&str>, tags: &[&str], require: &[&str]| {
            let place = backup::Restic {
                host: host.map(str::to_owned),
                tags: tags.iter().map(|t| (*t).to_owned()).collect(),
                ..backup::Restic::default()
            };
            let text = r#"{"kind":"tree","path":"/","prove_every":"7d","wait":"2h"}"#;
            let mut backup: Backup = serde_json::from_str(text).unwrap();
            backup.require = require.iter().map(|r| (*r).to_owned()).collect();
            backup.place = Place::Restic(place.clone());
            choose(&all, &place, &backup).map(|s| s.id.clone())
        };
        assert_eq!(chosen(None, &[], &[]).as_deref(), Some("d"));
        assert_eq!(chosen(Some("mastodon"), &[], &[]).as_deref(), Some("c"));
        assert_eq!(
            chosen(Some("mastodon"), &[], &["home/mastodon/live/.env.production"]).as_deref(),
            Some("b")
        );
        assert_eq!(chosen(None, &["nightly"], &["home"]).as_deref(), Some("b"));
        assert_eq!(chosen(Some("mastodon"), &[], &["srv"]).as_deref(), Some("c"), "nothing holds it");
        assert_eq!(chosen(Some("none"), &[], &[]), None);
        let doubt = |host: Option<&str>, live: Option<&str>, tags: &[&str]| {
            let (host, tags) = (host.map(str::to_owned), tags.iter().map(|t| (*t).to_owned()).collect());
            let place = backup::Restic { host, tags, ..backup::Restic::default() };
            let text = r#"{"kind":"tree","path":"/","prove_every":"7d","wait":"2h"}"#;
            let mut backup: Backup = serde_json::from_str(text).unwrap();
            backup.live = live.map(str::to_owned);
            of_anybody(&all, &place, &backup).map(|f| f.code)
        };
        assert_eq!(doubt(None, None, &[]), Some(Code::ConfigDoubt));
        assert_eq!((doubt(Some("mastodon"), None, &[]), doubt(None, Some("home"), &[])), (None, None));
        assert_eq!(doubt(None, None, &["nightly"]), None, "a tag tells them apart, too");
    }
}

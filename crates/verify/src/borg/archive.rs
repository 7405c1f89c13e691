//! The archives of a repository, which of them is the newest, and looking into it.

use super::Repository;
use crate::{
    away, backup,
    finding::{Code, Finding, some_of},
    found::matches,
    listing::{Listing, Told, ToldByName, plain},
    look::Wanted,
    parts::{Weights, part_of},
    prove::Tell,
    repository::Refusal,
    stamp::{Nanos, Stamp},
    stream::{Input, Trouble},
    tool::{Stream, last_line},
};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Deserializer};
use std::{
    borrow::Cow,
    ffi::OsStr,
    io::{self, BufRead as _, BufReader},
};

/// An archive as `borg list --json` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Archive {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) id: String,
    /// When its making began.
    #[serde(deserialize_with = "instant")]
    pub(crate) start: Timestamp,
}

/// Borg writes times without a zone, in that of the process, which is UTC; newer versions write the zone too.
fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = Cow::<'de, str>::deserialize(from)?;
    utc(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no time")))
}

fn utc(text: &str) -> Option<Timestamp> {
    let without = || text.parse::<civil::DateTime>().ok().and_then(|t| TimeZone::UTC.to_timestamp(t).ok());
    text.parse().ok().or_else(without)
}

impl Archive {
    /// What was made until borg broke off.
    pub(crate) fn is_checkpoint(&self) -> bool {
        self.name.rsplit_once(".checkpoint").is_some_and(|(_, rest)| {
            rest.is_empty() || rest.strip_prefix('.').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        })
    }

    /// Whether it is one of those that the backup is about.
    pub(crate) fn is_of(&self, place: &backup::Borg) -> bool {
        place.archives.as_ref().is_none_or(|pattern| matches(pattern.as_bytes(), self.name.as_bytes()))
    }
}

/// The newest of the archives that the backup is about.
pub(crate) fn choose<'a>(archives: &'a [Archive], place: &backup::Borg) -> Option<&'a Archive> {
    archives.iter().filter(|a| a.is_of(place)).max_by_key(|a| a.start)
}

/// A line of `borg list --json-lines`.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    size: u64,
    #[serde(borrow, default)]
    mtime: Option<Cow<'a, str>>,
    #[serde(default)]
    healthy: Option<bool>,
    /// What is written in a link.
    #[serde(borrow, default)]
    linktarget: Option<Cow<'a, str>>,
}

/// An archive and all names in it.
pub(crate) struct Listed {
    repository: Repository,
    archive: Archive,
    pub(crate) listing: Listing,
    /// How much there is to read in each part of it.
    pub(crate) weights: Weights,
    broken: u64,
    broken_paths: Vec<String>,
}

/// What is asked of each item beside its path.
const FORMAT: &str = "{size}{mtime}{health}{linktarget}";

impl Repository {
    fn stream(&self, words: &[&OsStr]) -> io::Result<Stream> {
        let explain = if self.directory.is_some() { explain } else { explain_elsewhere };
        self.tool.stream(words, None, explain)
    }

    /// Hands each item of an archive to somebody.
    fn items(
        &self,
        archive: &Archive,
        tell: &dyn Tell,
        take: &mut dyn FnMut(Item<'_>) -> io::Result<()>,
    ) -> Result<(), Refusal> {
        let name = self.of(&archive.name);
        let words = ["list", "--bypass-lock", "--json-lines", "--format", FORMAT, &name].map(OsStr::new);
        let mut lines = BufReader::new(self.stream(&words)?);
        let mut line = Vec::new();
        let damaged = |error: io::Error| {
            let (at, says) = (archive.name.clone(), error.to_string());
            match Trouble::within(&error) {
                Some(Trouble { code: Code::Unreadable, .. }) => Refusal::NoAnswer { at, says },
                _ => Refusal::Damaged { at, says },
            }
        };
        loop {
            line.clear();
            if lines.read_until(b'\n', &mut line).map_err(damaged)? == 0 {
                return Ok(());
            }
            // Names that are no UTF-8 cannot be told in JSON.
            if let Ok(item) = serde_json::from_slice(&line) {
                take(item)?;
            }
            if tell.is_cancelled() {
                return Err(Refusal::Cancelled);
            }
        }
    }

    /// Writes the patterns of the files in one of `of` parts of an archive.
    pub(crate) fn patterns(
        &self,
        archive: &Archive,
        (part, of): (u8, u8),
        tell: &dyn Tell,
        out: &mut dyn io::Write,
    ) -> Result<u64, Refusal> {
        let mut count = 0;
        self.items(archive, tell, &mut |item| {
            if part_of(byte(&item.path), of) == part && item.kind == "-" && !item.path.contains('\n') {
                count += 1;
                writeln!(out, "+ pf:{}", item.path)?;
            }
            Ok(())
        })?;
        out.write_all(b"- re:.\n")?;
        Ok(count)
    }
}

/// What a path is put into its part by: the same each night.
fn byte(path: &str) -> u8 {
    blake3::hash(plain(path).as_bytes()).as_bytes()[0]
}

impl Listed {
    /// Lists an archive.
    pub(crate) fn of(
        repository: &Repository,
        archive: &Archive,
        wanted: Option<&Wanted>,
        tell: &dyn Tell,
    ) -> Result<Self, Refusal> {
        let mut listing = Listing::wanting(wanted.cloned());
        let mut weights = Weights::default();
        let (mut broken, mut broken_paths) = (0, Vec::new());
        repository.items(archive, tell, &mut |Item { path, kind, size, mtime, healthy, linktarget }| {
            let target = linktarget.as_deref().filter(|target| !target.is_empty());
            let told = match (&*kind, target) {
                // A second name of a file has no content of its own.
                ("-" | "h", Some(first)) => Told::Again(listing.size(first).unwrap_or(size)),
                ("-" | "h", None) => Told::File(size),
                ("d", _) => Told::Directory,
                _ => Told::Other,
            };
            let changed = mtime.and_then(|m| utc(&m));
            let changed = changed.map(|at| Nanos(i64::try_from(at.as_nanosecond()).unwrap_or(0)));
            listing.add(&path, told, changed);
            if let Some(target) = target.filter(|_| kind == "l") {
                listing.add_link(&path, target.to_owned());
            }
            weights.add(byte(&path), size);
            if healthy == Some(false) {
                broken += 1;
                if broken_paths.len() < 100 {
                    broken_paths.push(path.into_owned());
                }
            }
            Ok(())
        })?;
        let (repository, archive) = (repository.clone(), archive.clone());
        Ok(Self { repository, archive, listing, weights, broken, broken_paths })
    }

    pub(crate) fn name(&self) -> String {
        self.archive.name.clone()
    }

    /// The finding for files in which a repair has put zeros where content was lost.
    pub(crate) fn unhealthy(&self) -> Option<Finding> {
        (self.broken > 0).then(|| {
            let what = format!("{} files of {} have zeros where their content was lost", self.broken, self.archive.name);
            let advice = "`borg check --repair` has put them there. A new archive of the same files may heal them; until then take these from an older one.";
            let paths = self.broken_paths.iter().map(|p| crate::finding::shown(p.as_bytes()));
            Finding::fail(Code::Damaged, what, advice).with(some_of(paths, self.broken))
        })
    }

    /// A directory of it with all that is in it, as tar.
    pub(crate) fn tar(&self, path: &str) -> io::Result<Input> {
        let name = self.repository.of(&self.archive.name);
        let path = format!("pp:{}", plain(path));
        let mut words = vec!["export-tar", "--bypass-lock", &name, "-"];
        // Of the whole archive nothing is named.
        words.extend((path != "pp:").then_some(path.as_str()));
        let words: Vec<&OsStr> = words.into_iter().map(OsStr::new).collect();
        Ok(Box::new(self.repository.stream(&words)?))
    }

    fn extract(&self, path: &str) -> io::Result<Input> {
        let name = self.repository.of(&self.archive.name);
        // Of a full path (`pf:`) borg 1.2 says that it never matched.
        let path = format!("pp:{}", plain(path));
        let words = ["extract", "--bypass-lock", "--stdout", &name, &path].map(OsStr::new);
        Ok(Box::new(self.repository.stream(&words)?))
    }
}

fn explain_elsewhere(complaints: &str) -> Trouble {
    away::trouble(complaints).unwrap_or_else(|| explain(complaints))
}

fn explain(complaints: &str) -> Trouble {
    let spoken = complaints.lines().take_while(|l| !l.starts_with("Traceback"));
    let says =
        spoken.filter(|l| !l.trim().is_empty()).last().map_or_else(|| last_line(complaints), str::to_owned);
    let advice = "Look after the disk that the repository lies on; `borg check --verify-data` says all that is damaged.";
    Trouble {
        code: Code::Damaged,
        what: format!("cannot be read by borg to its end: {says}"),
        advice,
        says: vec![says],
    }
}

impl ToldByName for Listed {
    fn listing(&self) -> &Listing {
        &self.listing
    }

    fn finished_at(&self) -> Option<Stamp> {
        Some(Stamp::of(self.archive.start))
    }

    fn content(&self, path: &str) -> io::Result<Input> {
        self.extract(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(name: &str, start: &str) -> Archive {
        serde_json::from_str(&format!(r#"{{"name":"{name}","start":"{start}","id":"00"}}"#)).unwrap()
    }

    #[test]
    fn times_are_utc_with_and_without_their_zone() {
        let at = |text| archive("a", text).start.to_string();
        assert_eq!(at("2026-11-23T02:00:00.000000"), "2026-11-23T02:00:00Z");
        assert_eq!(at("2026-11-23T02:00:00.000000+01:00"), "2026-11-23T01:00:00Z");
    }

    #[test]
    fn the_newest_whole_one_of_the_right_name_is_chosen() {
        for (name, is) in
            [("a.checkpoint", true), ("a.checkpoint.3", true), ("a.checkpoints", false), ("a", false)]
        {
            assert_eq!(archive(name, "2026-11-23T02:00:00").is_checkpoint(), is, "{name}");
        }
        let all = [
            archive("mastodon-1", "2026-11-21T02:00:00"),
            archive("mastodon-2", "2026-11-22T02:00:00"),
            archive("laptop-1", "2026-11-23T02:00:00"),
        ];
        let chosen = |pattern: Option<&str>| {
            let place = backup::Borg { archives: pattern.map(str::to_owned), ..backup::Borg::default() };
            choose(&all, &place).map(|a| a.name.clone())
        };
        assert_eq!(chosen(Some("mastodon-*")).as_deref(), Some("mastodon-2"));
        assert_eq!(chosen(None).as_deref(), Some("laptop-1"));
        assert_eq!(chosen(Some("none-*")), None);
    }
}

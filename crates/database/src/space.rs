//! Space for the new database, where it can be known: a server on this host whose data directory is known.

use crate::{error::DatabaseError, listing::Look, psql::Server};
use mastmaint_words::human;
use std::path::{Path, PathBuf};

/// Where Debian and its relatives put the data of a version.
const ROOT: &str = "/var/lib/postgresql";
/// Measured: a database of 523 MB is a custom dump of 62 MB.
const UNPACKED: u64 = 10;
/// How far the server's log of changes grows while rows come in, where it does not say so: its usual limit.
const LOG: u64 = GB;
const GB: u64 = 1024 * MB;
const MB: u64 = 1024 * 1024;

/// The file system on which the server keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    at: PathBuf,
    /// The server does not say where its data is: it is where Debian puts it.
    is_guessed: bool,
    /// How far its log of changes grows.
    log: u64,
}

impl Disk {
    /// Where it is, if that can be known.
    pub(crate) fn of(server: &Server, admin: &str, look: &Look) -> Option<Self> {
        if !server.way.is_here() {
            return None;
        }
        let log = server.sql(admin, &["SELECT pg_size_bytes(current_setting('max_wal_size'))"]);
        let log = log.ok().and_then(|bytes| bytes.parse().ok()).unwrap_or(LOG);
        // Only few roles may ask the server.
        let said = server.sql(admin, &["SHOW data_directory"]).ok();
        let is_guessed = said.is_none();
        let of_version = || Path::new(ROOT).join(look.major().to_string());
        let at = said.map_or_else(of_version, PathBuf::from);
        Some(Self { at, is_guessed, log }).filter(|disk| disk.free().is_some())
    }

    /// Bytes that are free on it for whoever is not root.
    fn free(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(&self.at).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// What Mastodon's database must find free at any time.
    fn least(&self) -> u64 {
        rustix::fs::statvfs(&self.at)
            .map_or(0, |found| least_of(found.f_blocks.saturating_mul(found.f_frsize)))
    }

    /// Whether so little is free that a load has to end.
    pub(crate) fn is_full(&self) -> bool {
        self.free().is_some_and(|free| free < self.least())
    }

    /// Refuses where it is not enough.
    pub(crate) fn check(&self, needed: u64) -> Result<(), DatabaseError> {
        let Some(free) = self.free() else { return Ok(()) };
        // Indexes are built beside what they become, and today's database grows meanwhile.
        let left = self.log.saturating_add(needed / 10).max(self.least());
        if free >= needed.saturating_add(left) {
            return Ok(());
        }
        let what = format!(
            "the new database takes about {} and {} must stay free for PostgreSQL's log of changes and for others, but only {} are free in {}{}",
            human::bytes(needed),
            human::bytes(left),
            human::bytes(free),
            self.at.display(),
            if self.is_guessed { " (where its data seems to be: the role may not ask)" } else { "" }
        );
        Err(DatabaseError::NoSpace { what })
    }

    /// What is said where it became full.
    pub(crate) fn filled_up(disk: Option<&Self>) -> DatabaseError {
        let at = disk.map_or_else(|| "the new database".to_owned(), |disk| disk.at.display().to_string());
        DatabaseError::NoSpace { what: format!("the disk of {at} became full while the dump was loaded") }
    }
}

/// Less than this is full: PostgreSQL stops where its log of changes finds no room, and Mastodon with it.
fn least_of(size: u64) -> u64 {
    (size / 20).clamp(64 * MB, GB)
}

/// What is not known of the space.
pub(crate) fn told(disk: Option<&Disk>) -> Option<String> {
    match disk {
        None => Some("how much space the server has is not known from here".to_owned()),
        Some(disk) if disk.is_guessed => Some(format!(
            "where the server keeps its data its role may not ask: free space was looked at in {}, which may be on another disk; GRANT pg_read_all_settings lets it ask",
            disk.at.display()
        )),
        Some(_) => None,
    }
}

/// Bytes that the new database will take: as it was measured before, as today's takes, or a guess from the dump.
pub(crate) fn needed(measured: Option<u64>, today: Option<u64>, dump: u64) -> u64 {
    measured.or(today).unwrap_or_else(|| dump.saturating_mul(UNPACKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_counts_before_what_is_guessed() {
        assert_eq!(
            (needed(Some(1), Some(2), 3), needed(None, Some(2), 3), needed(None, None, 3)),
            (1, 2, 30)
        );
    }

    #[test]
    fn too_little_is_refused_with_its_numbers() {
        let disk = Disk { at: "/".into(), is_guessed: false, log: 0 };
        assert!(disk.check(u64::MAX).unwrap_err().to_string().contains("are free in /"));
        assert_eq!(Disk { at: "/nowhere".into(), ..disk.clone() }.free(), None);
        let free = disk.free().unwrap();
        assert!(disk.check(free / 100 * 95).is_err(), "a tenth more is left");
        // The log of changes comes on top.
        let log = Disk { log: free, is_guessed: true, ..disk.clone() };
        assert!(log.check(1).unwrap_err().to_string().contains("seems to be"));
        assert_eq!((told(Some(&disk)), told(Some(&log)).is_some(), told(None).is_some()), (None, true, true));
    }

    #[test]
    fn less_than_a_twentieth_is_full_within_limits() {
        assert_eq!([10 * MB, 10 * GB, 100_000 * GB].map(least_of), [64 * MB, 512 * MB, GB]);
    }
}

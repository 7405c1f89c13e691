//! Space for the new database, where it can be known: a server on this host whose data directory is known.

use crate::{error::DatabaseError, listing::Look, psql::Server};
use mastmaint_words::human;
use std::path::{Path, PathBuf};

/// Where Debian and its relatives put the data of a version.
const ROOT: &str = "/var/lib/postgresql";
/// Measured: a database of 523 MB is a custom dump of 62 MB.
const UNPACKED: u64 = 10;
/// What is left to others: the log of changes grows while rows come in.
const RESERVE: u64 = 256 * 1024 * 1024;
/// Less than this is full.
pub(crate) const FULL: u64 = 16 * 1024 * 1024;

/// The file system on which the server keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// Where it is, if that can be known.
    pub(crate) fn of(server: &Server, admin: &str, look: &Look) -> Option<Self> {
        if !server.way.is_here() {
            return None;
        }
        // Only few roles may ask the server.
        if let Ok(path) = server.sql(admin, &["SHOW data_directory"]) {
            return Some(Self(path.into())).filter(|disk| disk.free().is_some());
        }
        let of_version = Path::new(ROOT).join(look.major().to_string());
        Some(Self(of_version)).filter(|disk| disk.free().is_some())
    }

    /// Bytes that are free on it for whoever is not root.
    pub(crate) fn free(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(&self.0).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Refuses where it is not enough.
    pub(crate) fn check(&self, needed: u64) -> Result<(), DatabaseError> {
        let Some(free) = self.free() else { return Ok(()) };
        if free >= needed.saturating_add(RESERVE) {
            return Ok(());
        }
        let what = format!(
            "the new database takes about {} and leaves {} to others, but only {} are free in {}",
            human::bytes(needed),
            human::bytes(RESERVE),
            human::bytes(free),
            self.0.display()
        );
        Err(DatabaseError::NoSpace { what })
    }

    /// What is said where it became full.
    pub(crate) fn filled_up(disk: Option<&Self>) -> DatabaseError {
        let at = disk.map_or_else(|| "the new database".to_owned(), |disk| disk.0.display().to_string());
        DatabaseError::NoSpace { what: format!("the disk of {at} became full while the dump was loaded") }
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
        let disk = Disk("/".into());
        assert!(disk.check(u64::MAX).unwrap_err().to_string().contains("are free in /"));
        assert_eq!(Disk("/nowhere".into()).free(), None);
        assert!(disk.free().is_some());
    }
}

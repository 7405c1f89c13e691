//! Who is at work in a repository of Borg on this host: its lock directory, and the roster of those who share it.

use crate::{
    repository::{Locker, Locks, host_name},
    rsnapshot::is_alive,
};
use jiff::Timestamp;
use serde::Deserialize;
use std::{fs, io, path::Path, time::Duration};

/// Borg renews no lock; a process of another host that has one for longer than this has lost it.
const GOOD_FOR: Duration = Duration::from_hours(24);

/// The file `lock.roster`: host, process and thread of each.
#[derive(Debug, Default, Deserialize)]
struct Roster {
    #[serde(default)]
    shared: Vec<(String, i32, u64)>,
    #[serde(default)]
    exclusive: Vec<(String, i32, u64)>,
}

/// Looks at the locks of a repository.
pub(super) fn look(repository: &Path, now: Timestamp) -> io::Result<Locks> {
    let mut lockers = Vec::new();
    for entry in if_there(fs::read_dir(repository.join("lock.exclusive")))?.into_iter().flatten() {
        let entry = entry?;
        let at = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.try_into().ok());
        lockers.extend(of_name(&entry.file_name().to_string_lossy()).map(|l| Locker { at, ..l }));
    }
    let path = repository.join("lock.roster");
    if let Some(text) = if_there(fs::read(&path))? {
        let at = fs::metadata(&path).and_then(|m| m.modified()).ok().and_then(|at| at.try_into().ok());
        // One that is being written is looked at again soon.
        let roster: Roster = serde_json::from_slice(&text).unwrap_or_default();
        let all = roster.shared.into_iter().chain(roster.exclusive);
        lockers.extend(all.map(|(host, pid, _)| Locker { host: short(&host), pid, at }));
    }
    lockers.dedup_by(|a, b| (&a.host, a.pid) == (&b.host, b.pid));
    Ok(Locks::of(lockers, GOOD_FOR, &short(&host_name()), now, is_alive))
}

fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// `mastodon.example@2485377892354.1234-0`: host, number of its network card, process, thread.
fn of_name(name: &str) -> Option<Locker> {
    let (host, process) = name.rsplit_once('.')?;
    let pid = process.split_once('-')?.0.parse().ok()?;
    Some(Locker { host: short(host), pid, at: None })
}

/// A host without its domain and its network card: versions of Borg differ in how much of it they write.
fn short(host: &str) -> String {
    let host = host.split('@').next().unwrap_or(host);
    host.split('.').next().unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_read_from_names_and_from_the_roster() {
        let place = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        assert_eq!(look(place.path(), now).unwrap(), Locks::default());
        let (host, pid) = (host_name(), std::process::id());
        fs::create_dir(place.path().join("lock.exclusive")).unwrap();
        fs::write(place.path().join(format!("lock.exclusive/{host}.example@12.{pid}-0")), "").unwrap();
        let roster = format!(r#"{{"shared": [["{host}@12", 999999999, 0]], "exclusive": []}}"#);
        fs::write(place.path().join("lock.roster"), roster).unwrap();
        let locks = look(place.path(), now).unwrap();
        assert_eq!(locks.held.iter().map(|l| l.pid.unsigned_abs()).collect::<Vec<_>>(), [pid]);
        assert_eq!(locks.stale.iter().map(|l| l.pid).collect::<Vec<_>>(), [999_999_999]);
    }
}

//! The generations that are there, and which of them is the newest complete one: by content and name, never by luck.

use super::{Conf, Lock};
use crate::{
    prove::{open_directory, stat_of},
    stamp::Stamp,
};
use rustix::fs::{Mode, OFlags, RawDir, openat};
use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// A generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Position of its level.
    pub level: usize,
    /// Its number; 0 is the youngest of its level.
    pub number: u32,
    /// Its time: rsnapshot sets that of its directory when it is done, and rotations keep it.
    pub stamp: Stamp,
    /// What can be said of it.
    pub standing: Standing,
}

/// Whether a generation is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Every backup point is in it.
    Complete,
    /// It is being written, or was when the writer died.
    InDoubt,
    /// A backup point is not in it, or is empty.
    LacksAPoint,
}

impl Snapshot {
    /// `daily.0`.
    pub fn name(&self, conf: &Conf) -> String {
        format!("{}.{}", conf.levels[self.level].name, self.number)
    }
}

/// What is in the snapshot root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Present {
    /// The generations, the newest first.
    pub snapshots: Vec<Snapshot>,
    /// When `.sync` was finished, if it is there.
    pub sync: Option<Stamp>,
    /// What deletions have left: `_delete.1234`, `daily.delete`.
    pub left: Vec<String>,
}

impl Present {
    /// The time of a generation, where it tells it from the others: a copy without times gives all the same one.
    pub(crate) fn lone_stamp(&self, snapshot: &Snapshot) -> Option<Stamp> {
        let alike = self.snapshots.iter().filter(|other| other.stamp == snapshot.stamp).count();
        (alike == 1).then_some(snapshot.stamp)
    }

    /// Looks into the snapshot root.
    pub fn look(root: BorrowedFd<'_>, conf: &Conf, lock: Lock) -> io::Result<Self> {
        let mut present = Self::default();
        for name in names(root)? {
            let text = name.to_string_lossy().into_owned();
            if text.starts_with("_delete.") || text.ends_with(".delete") {
                present.left.push(text);
            } else if text == ".sync" {
                present.sync = Some(stamp(open_directory(root, &name)?.fd.as_fd())?);
            } else if let Some((level, number)) = parse_name(&text, conf) {
                // Rotated away since it was listed: not there.
                let Ok(opened) = open_directory(root, &name) else { continue };
                let stamp = stamp(opened.fd.as_fd())?;
                // What a run that is at work, or died at work, has under its hands.
                let in_hand = level == 0 && number == 0 && lock != Lock::Free && !conf.sync_first;
                let standing = match () {
                    () if in_hand => Standing::InDoubt,
                    () if conf.points.iter().all(|p| holds(&opened.fd, &p.dest)) => Standing::Complete,
                    () => Standing::LacksAPoint,
                };
                present.snapshots.push(Snapshot { level, number, stamp, standing });
            }
        }
        present.snapshots.sort_by_key(|s| (std::cmp::Reverse(s.stamp), s.level, s.number));
        present.left.sort();
        Ok(present)
    }

    /// The newest complete generation.
    pub fn newest(&self) -> Option<&Snapshot> {
        self.snapshots.iter().find(|s| s.standing == Standing::Complete)
    }
}

fn parse_name(name: &str, conf: &Conf) -> Option<(usize, u32)> {
    let (level, number) = name.rsplit_once('.')?;
    let level = conf.levels.iter().position(|l| l.name == level)?;
    let number: u32 = number.parse().ok().filter(|n: &u32| n.to_string() == number)?;
    Some((level, number))
}

fn stamp(directory: BorrowedFd<'_>) -> io::Result<Stamp> {
    Ok(Stamp::of(stat_of(directory)?.mtime.at()))
}

/// Whether a directory below holds something.
fn holds(generation: &OwnedFd, dest: &str) -> bool {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let path = if dest.is_empty() { "." } else { dest };
    openat(generation, path, flags, Mode::empty())
        .is_ok_and(|d| names(d.as_fd()).is_ok_and(|n| !n.is_empty()))
}

/// The names in a directory, without `.` and `..`.
pub fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    // A descriptor of its own: a listing moves the position of the one it reads.
    let own = open_directory(directory, c".")?.fd;
    let mut buffer = vec![MaybeUninit::uninit(); 32 * 1024];
    let mut listing = RawDir::new(own.as_fd(), &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = listing.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsnapshot::{Level, Point};
    use std::{
        fs,
        path::Path,
        time::{Duration, UNIX_EPOCH},
    };

    fn conf() -> Conf {
        let level = |name: &str, keep| Level { name: name.to_owned(), keep };
        Conf {
            levels: vec![level("daily", 7), level("weekly", 4)],
            points: vec![Point { source: "/a/".to_owned(), dest: "a".to_owned() }],
            ..Conf::default()
        }
    }

    fn generation(root: &Path, name: &str, at: u64, is_filled: bool) {
        let directory = root.join(name);
        fs::create_dir_all(directory.join("a")).unwrap();
        if is_filled {
            fs::write(directory.join("a/file"), "x").unwrap();
        }
        let time = UNIX_EPOCH + Duration::from_secs(at);
        fs::File::open(directory).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn the_newest_is_chosen_by_content_and_by_time() {
        let place = tempfile::tempdir().unwrap();
        for (name, at, is_filled) in [
            ("daily.0", 500, false),
            ("daily.1", 400, true),
            ("daily.10", 100, true),
            ("weekly.0", 200, true),
            ("daily.01", 900, true),
            ("manual.0", 900, true),
            ("_delete.77", 1, true),
        ] {
            generation(place.path(), name, at, is_filled);
        }
        let root = fs::File::open(place.path()).unwrap();
        let present = Present::look(root.as_fd(), &conf(), Lock::Free).unwrap();
        let names: Vec<_> = present.snapshots.iter().map(|s| s.name(&conf())).collect();
        assert_eq!(names, ["daily.0", "daily.1", "weekly.0", "daily.10"]);
        assert_eq!(present.newest().unwrap().name(&conf()), "daily.1", "daily.0 has an empty backup point");
        assert_eq!(present.left, ["_delete.77"]);
    }

    #[test]
    fn what_a_dead_or_living_run_has_in_hand_is_in_doubt() {
        let place = tempfile::tempdir().unwrap();
        generation(place.path(), "daily.0", 500, true);
        generation(place.path(), "daily.1", 400, true);
        let root = fs::File::open(place.path()).unwrap();
        for lock in [Lock::Held(1), Lock::Stale] {
            let present = Present::look(root.as_fd(), &conf(), lock).unwrap();
            assert_eq!(present.newest().unwrap().number, 1);
        }
        let first = Conf { sync_first: true, ..conf() };
        let present = Present::look(root.as_fd(), &first, Lock::Held(1)).unwrap();
        assert_eq!(present.newest().unwrap().number, 0, "a run with sync_first writes into .sync");
    }
}

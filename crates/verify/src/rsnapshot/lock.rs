//! Whether rsnapshot is at work: its lock file, and the process named in it.

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

/// The state of the lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nobody is at work.
    Free,
    /// This process is at work.
    Held(u32),
    /// The process that wrote it is gone: it died, or the host did.
    Stale,
}

impl Lock {
    /// Looks at a lock file; `None` is a configuration without one.
    pub fn look(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self::Free) };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Free),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // It is made before its number is written into it, and may be gone by now.
        if text.is_empty() && is_young(&file) {
            return Ok(Self::Held(0));
        }
        Ok(Self::of(&text, is_alive))
    }

    fn of(text: &str, is_alive: impl Fn(i32) -> bool) -> Self {
        let pid = text.lines().next().and_then(|line| line.parse::<i32>().ok());
        match pid.filter(|pid| *pid > 0 && is_alive(*pid)) {
            Some(pid) => Self::Held(pid.unsigned_abs()),
            None => Self::Stale,
        }
    }
}

/// Long enough to write a number.
const WRITING: Duration = Duration::from_secs(10);

fn is_young(file: &File) -> bool {
    let changed = file.metadata().and_then(|m| m.modified());
    // A time to come is that of a clock that was set back.
    changed.is_ok_and(|at| at.elapsed().map_or(true, |age| age < WRITING))
}

pub(crate) fn is_alive(pid: i32) -> bool {
    // Not ours to signal is alive too.
    Pid::from_raw(pid).is_some_and(|pid| matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_lock_is_held_by_the_living() {
        assert_eq!(Lock::of("123\n", |_| true), Lock::Held(123));
        assert_eq!(Lock::of("123", |_| false), Lock::Stale);
        for rubbish in ["", "abc", "-1", "0"] {
            assert_eq!(Lock::of(rubbish, |_| true), Lock::Stale, "{rubbish:?}");
        }
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("pid");
        assert_eq!(Lock::look(Some(&path)).unwrap(), Lock::Free);
        fs::write(&path, std::process::id().to_string()).unwrap();
        assert_eq!(Lock::look(Some(&path)).unwrap(), Lock::Held(std::process::id()));
        // Made, and not written yet; one that stays so was left by somebody who died.
        let empty = File::create(&path).unwrap();
        assert_eq!(Lock::look(Some(&path)).unwrap(), Lock::Held(0));
        empty.set_modified(std::time::SystemTime::now() - 2 * WRITING).unwrap();
        assert_eq!(Lock::look(Some(&path)).unwrap(), Lock::Stale);
        assert_eq!(Lock::look(None).unwrap(), Lock::Free);
    }
}

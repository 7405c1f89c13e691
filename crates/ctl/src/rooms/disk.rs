//! Drop-ins on disk: compared with what is wanted, written as a whole or not at all, removed only if they are ours.

use super::plan::{self, MARK, Wanted};
use crate::error::CtlError;
use serde::Serialize;
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Name of our file in a unit's drop-in directory.
const NAME: &str = "50-mastmaintd-rooms.conf";
const AS_ROOT: &str = "run it as root (sudo mastmaintctl rooms --apply)";

/// How the drop-in on disk compares with the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The shipped unit fits; there is none.
    NotNeeded,
    /// It says what is wanted.
    UpToDate,
    /// It is wanted and not there.
    Missing,
    /// It says something else.
    Differs,
    /// It is ours and no longer wanted.
    Leftover,
    /// There is a file of that name that is not ours.
    NotOurs,
}

impl State {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotNeeded => "not needed",
            Self::UpToDate => "as wanted",
            Self::Missing => "missing",
            Self::Differs => "differs",
            Self::Leftover => "left over",
            Self::NotOurs => "not ours",
        }
    }

    /// Whether the room is as the configuration wants it.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::NotNeeded | Self::UpToDate)
    }
}

/// What was done to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Written.
    Wrote(PathBuf),
    /// Removed.
    Removed(PathBuf),
}

/// Where the drop-in of a room is.
pub fn path(systemd_dir: &Path, wanted: &Wanted) -> PathBuf {
    systemd_dir.join(format!("{}.d", plan::unit(wanted.room))).join(NAME)
}

/// Compares.
pub fn state(systemd_dir: &Path, wanted: &Wanted) -> Result<State, CtlError> {
    let path = path(systemd_dir, wanted);
    let found = match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(CtlError::File { what: "cannot read", path, source, advice: AS_ROOT }),
    };
    Ok(match (&wanted.drop_in, found) {
        (None, None) => State::NotNeeded,
        (Some(_), None) => State::Missing,
        (_, Some(found)) if !found.starts_with(MARK.as_bytes()) => State::NotOurs,
        (Some(text), Some(found)) if text.as_bytes() == found => State::UpToDate,
        (Some(_), Some(_)) => State::Differs,
        (None, Some(_)) => State::Leftover,
    })
}

/// Makes the disk as wanted and tells what changed. Touches nothing if a file that is not ours is in the way.
pub fn apply(systemd_dir: &Path, all: &[Wanted]) -> Result<Vec<Change>, CtlError> {
    let states = all.iter().map(|wanted| state(systemd_dir, wanted)).collect::<Result<Vec<_>, _>>()?;
    for (wanted, state) in all.iter().zip(&states) {
        if wanted.drop_in.is_some() && *state == State::NotOurs {
            return Err(CtlError::InTheWay {
                what: "there is a file that is not ours at",
                path: path(systemd_dir, wanted),
                advice: "rename it, then apply again",
            });
        }
    }
    let mut changes = Vec::new();
    for (wanted, state) in all.iter().zip(states) {
        let path = path(systemd_dir, wanted);
        match (&wanted.drop_in, state) {
            (Some(text), State::Missing | State::Differs) => {
                write(&path, text).map_err(|source| CtlError::File {
                    what: "cannot write",
                    path: path.clone(),
                    source,
                    advice: AS_ROOT,
                })?;
                changes.push(Change::Wrote(path));
            }
            (None, State::Leftover) => {
                remove(&path).map_err(|source| CtlError::File {
                    what: "cannot remove",
                    path: path.clone(),
                    source,
                    advice: AS_ROOT,
                })?;
                changes.push(Change::Removed(path));
            }
            _ => {}
        }
    }
    Ok(changes)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(dir)?;
    // systemd reads only names that end in .conf, so a half-written one is never in force.
    let beside = path.with_extension("conf.new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    fs::File::open(dir)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    if let Some(dir) = path.parent() {
        // Stays if the admin keeps files of their own in it.
        let _ = fs::remove_dir(dir);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::Room;

    fn wanted(drop_in: Option<&str>) -> Wanted {
        Wanted {
            room: plan::Which::Steps(Room::Tootctl),
            user: "mastodon".into(),
            network: "none",
            writes: Vec::new(),
            drop_in: drop_in.map(|rest| format!("{MARK}\n{rest}")),
        }
    }

    #[test]
    fn applying_twice_changes_once_and_follows_the_wish() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mastmaintd-tootctl@.service.d/50-mastmaintd-rooms.conf");
        let first = [wanted(Some("a"))];
        assert_eq!(state(dir.path(), &first[0]).unwrap(), State::Missing);
        assert_eq!(apply(dir.path(), &first).unwrap(), [Change::Wrote(file.clone())]);
        assert_eq!(apply(dir.path(), &first).unwrap(), []);
        assert_eq!(state(dir.path(), &first[0]).unwrap(), State::UpToDate);
        let second = [wanted(Some("b"))];
        assert_eq!(state(dir.path(), &second[0]).unwrap(), State::Differs);
        assert_eq!(apply(dir.path(), &second).unwrap(), [Change::Wrote(file.clone())]);
        assert!(fs::read_to_string(&file).unwrap().ends_with("\nb"));
        let none = [wanted(None)];
        assert_eq!(state(dir.path(), &none[0]).unwrap(), State::Leftover);
        assert_eq!(apply(dir.path(), &none).unwrap(), [Change::Removed(file.clone())]);
        assert!(!file.parent().unwrap().exists());
        assert_eq!(apply(dir.path(), &none).unwrap(), []);
    }

    #[test]
    fn what_is_not_ours_is_never_touched() {
        let dir = tempfile::tempdir().unwrap();
        let units = dir.path().join("mastmaintd-tootctl@.service.d");
        fs::create_dir(&units).unwrap();
        fs::write(units.join(NAME), "[Service]\n").unwrap();
        fs::write(units.join("own.conf"), "x").unwrap();
        assert!(matches!(apply(dir.path(), &[wanted(Some("a"))]), Err(CtlError::InTheWay { .. })));
        assert_eq!(apply(dir.path(), &[wanted(None)]).unwrap(), []);
        assert_eq!(fs::read_to_string(units.join(NAME)).unwrap(), "[Service]\n");
        fs::remove_file(units.join(NAME)).unwrap();
        apply(dir.path(), &[wanted(Some("a"))]).unwrap();
        apply(dir.path(), &[wanted(None)]).unwrap();
        assert_eq!(fs::read_to_string(units.join("own.conf")).unwrap(), "x");
    }
}

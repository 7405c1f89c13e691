//! Where it is staged: in the boot room of this host, or, where there are no rooms, by a child of this program in a
//! directory that goes with it.

use super::{StageError, door::Door};
use crate::{
    error::CtlError,
    manifest,
    walls::{self, walled},
};
use nix::unistd::{Uid, User, geteuid, mkdtemp};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Who drills, and where.
const DRILLS: &str = "mastmaintd-drill";
const PLACE: &str = "/var/lib/mastmaintd-drill";
/// Behind which the boot room waits.
const BOOTS: &str = "/run/mastmaintd-rooms/boot.sock";
/// The one capability of the room that reads backups.
const CAPABILITIES: &str = "CAP_DAC_READ_SEARCH";

/// Where it is staged.
#[derive(Debug)]
pub(super) enum Ground {
    /// Behind the walls of the room.
    Room {
        /// Whose it is.
        user: Uid,
    },
    /// In a directory of our own.
    Own(Own),
}

/// A directory that goes when this is dropped.
#[derive(Debug)]
pub(super) struct Own(PathBuf);

impl Ground {
    pub(super) fn find() -> Result<Self, CtlError> {
        if walls::are_here() && manifest::program() == Path::new(manifest::PACKAGED) {
            if !geteuid().is_root() {
                return Err(StageError::NotRoot.into());
            }
            let user = User::from_name(DRILLS).ok().flatten().ok_or(StageError::NoUser(DRILLS))?;
            return Ok(Self::Room { user: user.uid });
        }
        let pattern = std::env::temp_dir().join("mastmaint-stage-XXXXXX");
        let made = mkdtemp(&pattern);
        made.map(|path| Self::Own(Own(path))).map_err(|source| CtlError::File {
            what: "cannot make",
            path: pattern,
            source: source.into(),
            advice: "make room there, or name another directory with TMPDIR",
        })
    }

    /// The program that opens the backups and asks the room, up to its own words.
    pub(super) fn command(&self) -> Command {
        let program = manifest::program();
        match self {
            Self::Room { .. } => {
                let unit = format!("mastmaint-stage-{}", std::process::id());
                let scratch = format!("/run/{unit}");
                let more = [
                    format!("RuntimeDirectory={unit}"),
                    "RuntimeDirectoryMode=0700".to_owned(),
                    // Backups lie anywhere.
                    "ProtectHome=read-only".to_owned(),
                    "Nice=10".to_owned(),
                    "IOSchedulingClass=idle".to_owned(),
                ];
                let mut command = walled(&unit, CAPABILITIES, &more, &program);
                command.args(["--boots", BOOTS, "--state", &scratch]);
                command
            }
            Self::Own(Own(path)) => {
                let mut command = Command::new(program);
                command.arg("--state").arg(path);
                command
            }
        }
    }

    /// The way to what was staged there.
    pub(super) fn door(&self) -> Result<Door, StageError> {
        match self {
            Self::Room { user } => Door::open(Path::new(PLACE), *user),
            Self::Own(Own(path)) => Door::open(&path.join("drill"), geteuid()),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Empty but for a lock.
        let _ = fs::remove_dir_all(&self.0);
    }
}

//! Where it is staged: in the boot room of this host, or, where there are no rooms, by a child of this program in a
//! directory that goes with it.

use super::{
    StageError,
    door::{Door, SCRATCH as SWEPT},
};
use crate::{
    error::CtlError,
    manifest,
    walls::{self, walled},
};
use nix::unistd::{Uid, User, geteuid, mkdtemp};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Who drills, and where.
const DRILLS: &str = "mastmaintd-drill";
const PLACE: &str = "/var/lib/mastmaintd-drill";
/// Behind which the boot room waits.
const BOOTS: &str = "/run/mastmaintd-rooms/boot.sock";
/// Where the unit's programs may write: `PrivateTmp=` makes it the unit's own, on a disk, and it goes with it.
const SCRATCH: &str = "/var/tmp";
/// The one capability of the room that reads backups.
const CAPABILITIES: &str = "CAP_DAC_READ_SEARCH";
/// Whoever speaks with browsers is a user that there is only meanwhile, and has no network but what was accepted for it.
const NOBODY: [&str; 7] = [
    "DynamicUser=yes",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "SystemCallFilter=~@privileged @resources",
    "TasksMax=128",
    "MemoryMax=256M",
];
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// One that lives still takes its servers down.
const SWEEPING: Duration = Duration::from_secs(30);

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
        if geteuid().is_root() {
            return Err(StageError::IsRoot.into());
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
                // Backups lie anywhere.
                let more = ["ProtectHome=read-only", "Nice=10", "IOSchedulingClass=idle"].map(str::to_owned);
                let mut command = walled(&unit, CAPABILITIES, &more, &program);
                command.args(["--boots", BOOTS, "--state", SCRATCH]);
                command
            }
            Self::Own(Own(path)) => {
                let mut command = Command::new(program);
                command.arg("--state").arg(path);
                command
            }
        }
    }

    /// The program that speaks with browsers: nobody, who sees nothing of this host but what it is handed. Without rooms it
    /// is whoever stages.
    pub(super) fn apart(&self, host: &str) -> Result<Command, CtlError> {
        let program = std::env::current_exe();
        let program =
            program.map_err(|source| CtlError::System { what: "cannot find its own program", source })?;
        let mut command = match self {
            Self::Room { .. } => {
                let unit = format!("mastmaint-stage-relay-{}", std::process::id());
                walled(&unit, "", &NOBODY.map(str::to_owned), &program)
            }
            Self::Own(_) => Command::new(program),
        };
        command.args(["stage-relay", "--host", host]);
        Ok(command)
    }

    /// The way to what was staged there.
    pub(super) fn door(&self) -> Result<Door, StageError> {
        match self {
            Self::Room { user } => Door::open(Path::new(PLACE), *user),
            Self::Own(own) => Door::open(&own.place(), geteuid()),
        }
    }
}

impl Own {
    /// Where `mastmaint-verify` has `mastmaint-drill` work.
    fn place(&self) -> PathBuf {
        self.0.join("drill")
    }

    /// Ends and removes what a killed `mastmaint-drill` has left; one that lives is not touched.
    fn sweep(&self) {
        let mut sweep = Command::new(manifest::program().with_file_name("mastmaint-drill"));
        sweep.arg("--sweep").arg("--place").arg(self.place()).stdin(Stdio::null());
        // Tried again as long as something is there.
        let _ = sweep.status();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let begun = Instant::now();
        loop {
            self.sweep();
            let is_swept = !self.place().join(SWEPT).exists();
            if (is_swept && fs::remove_dir_all(&self.0).is_ok()) || begun.elapsed() > SWEEPING {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

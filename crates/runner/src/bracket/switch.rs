//! A switch of restored files that was cut is finished before any service is started: Mastodon must not come up on half of
//! one tree and half of another. What it takes is known to `mastmaint-restore` alone; here it is only seen that it is owed.

use super::Scene;
use mastmaint_config::settings::SystemctlVerb;
use mastmaint_words::{UnitName, restore::Restoring};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// A handful of renames, on a disk that may be slow.
const PATIENCE: Duration = Duration::from_mins(10);
/// The unit that finishes it, as it does at boot.
const UNIT: &str = "mastmaintd-resume";

/// Has it finished, if there is one.
///
/// # Errors
/// If one is left: then nothing may be started.
pub(super) fn finish(scene: &mut Scene<'_>) -> Result<(), String> {
    let state = state_of_restores(scene.state);
    let owed = owed(&state);
    if owed.is_empty() {
        return Ok(());
    }
    scene.say(format!("the switch to restored files was cut ({}); it is finished first", owed.join(", ")));
    let done = if scene.systemctl.is_walled() {
        UNIT.parse::<UnitName>()
            .map_err(|error| error.to_string())
            .and_then(|unit| scene.systemctl.act(SystemctlVerb::Start, std::slice::from_ref(&unit), PATIENCE))
    } else {
        by_program(&state)
    };
    let left = self::owed(&state);
    if left.is_empty() {
        return Ok(());
    }
    let why = done.err().unwrap_or_else(|| "it ended without having done it".to_owned());
    Err(format!(
        "the switch to restored files of run {} was cut and cannot be finished: {why}; services stay down until it is: \
         see \"journalctl -u {UNIT}\", then \"systemctl start {UNIT}\"",
        left.join(", ")
    ))
}

/// Of the restore room, which stands beside that of the systemctl room.
fn state_of_restores(own: &Path) -> PathBuf {
    let name = own.file_name().unwrap_or_default().to_string_lossy();
    own.with_file_name(name.replace("systemctl", "restore"))
}

/// The runs whose switch has begun and not ended.
fn owed(state: &Path) -> Vec<String> {
    let entries = fs::read_dir(Restoring::switching(state)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn by_program(state: &Path) -> Result<(), String> {
    let program = std::env::current_exe().unwrap_or_default().with_file_name("mastmaint-restore");
    let ended = Command::new(&program)
        .arg("--state")
        .arg(state)
        .arg("resume")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
    if ended.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&ended.stderr).trim().replace('\n', "; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restores_stand_beside_brackets() {
        let of = |own: &str| state_of_restores(Path::new(own));
        assert_eq!(of("/var/lib/mastmaintd-systemctl"), Path::new("/var/lib/mastmaintd-restore"));
        assert_eq!(of("/tmp/state/rooms/systemctl"), Path::new("/tmp/state/rooms/restore"));
    }

    #[test]
    fn what_was_begun_and_not_ended_is_owed() {
        let state = tempfile::tempdir().unwrap();
        assert!(owed(state.path()).is_empty());
        fs::create_dir(Restoring::switching(state.path())).unwrap();
        fs::write(Restoring::switching(state.path()).join("20261126T200000Z-7k3f9q"), "").unwrap();
        assert_eq!(owed(state.path()), ["20261126T200000Z-7k3f9q"]);
    }
}

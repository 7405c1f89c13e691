//! `mastmaintctl rooms`: the rooms follow the configuration. Shows what each room is and, with `--apply`, writes the
//! drop-ins that fit the shipped units to this host's Mastodon.

pub mod disk;
pub mod plan;
pub(crate) mod sight;

use crate::{check, error::CtlError, exit, init::dotenv, print};
use disk::{Change, State};
use mastmaint_config::settings::{Instance, Settings};
use mastmaint_verify::rsnapshot;
use mastmaint_words::backup::{Borg, Place, Restic};
use plan::{Resident, Wanted};
use serde::Serialize;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where units of the admin are kept.
pub const SYSTEMD_DIR: &str = "/etc/systemd/system";

#[derive(Serialize)]
struct Listing {
    version: u16,
    rooms: Vec<Line>,
}

/// A room in the listing.
#[derive(Debug, Serialize)]
struct Line {
    room: &'static str,
    unit: String,
    user: String,
    network: &'static str,
    writes: Vec<PathBuf>,
    drop_in: PathBuf,
    state: State,
}

pub(crate) fn rooms(config: &Path, systemd_dir: &Path, apply: bool, json: bool) -> Result<u8, CtlError> {
    let settings = check::load(config)?;
    let wanted = wanted(&settings)?;
    if apply {
        for change in disk::apply(systemd_dir, &wanted)? {
            print::talk(&match change {
                Change::Wrote(path) => format!("wrote {}", path.display()),
                Change::Removed(path) => format!("removed {}", path.display()),
            });
        }
        // Also when nothing changed: an earlier one may have been interrupted before this.
        if systemd_dir == Path::new(SYSTEMD_DIR) {
            daemon_reload()?;
        }
    }
    let lines = wanted.iter().map(|room| line(systemd_dir, room)).collect::<Result<Vec<_>, _>>()?;
    let is_settled = lines.iter().all(|line| line.state.is_settled());
    if json {
        print::json(&Listing { version: mastmaint_control::words::VERSION, rooms: lines })?;
    } else {
        print::data(&text(&lines))?;
        if !is_settled {
            print::talk(
                "the rooms are not as the configuration wants them; run `mastmaintctl rooms --apply` as root",
            );
        }
    }
    Ok(if is_settled { exit::FINE } else { exit::NOT_FINE })
}

/// Every room as these settings want it on this host.
pub(crate) fn wanted(settings: &Settings) -> Result<Vec<Wanted>, CtlError> {
    let resident = settings.instance.as_ref().map(resident).transpose()?;
    plan::plan(resident.as_ref(), &places(settings)).map_err(|e| CtlError::Rooms(e.to_string()))
}

/// Where the backups are, as far as this user can see it.
fn places(settings: &Settings) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for backup in settings.backups.values() {
        match &backup.place {
            Place::Rsnapshot { config } => {
                places.extend(rsnapshot::read(config).ok().map(|parsed| parsed.conf.snapshot_root));
                places.push(config.clone());
            }
            Place::Tree { path } | Place::Tar { path } | Place::Postgres { path } | Place::Redis { path } => {
                places.push(path.clone());
            }
            Place::Restic(Restic { repository, .. }) | Place::Borg(Borg { repository, .. }) => {
                places.push(repository.into());
            }
            Place::Pulled(_) => {}
        }
    }
    places
}

/// What the host knows of the instance beyond the configuration.
fn resident(instance: &Instance) -> Result<Resident, CtlError> {
    let account = nix::unistd::User::from_name(&instance.user).map_err(|e| CtlError::System {
        what: "cannot look up the user of the instance",
        source: e.into(),
    })?;
    if account.is_none() {
        print::talk(&format!("warning: there is no user {} on this host", instance.user));
    }
    let env_file = instance.live.join(".env.production");
    let mut vars = match fs::read_to_string(&env_file) {
        Ok(text) => dotenv::parse(&text),
        Err(e) => {
            print::talk(&format!(
                "warning: cannot read {}: {e}; a PAPERCLIP_ROOT_PATH in it is not seen",
                env_file.display()
            ));
            dotenv::Variables::new()
        }
    };
    vars.extend(instance.environment.clone());
    let mut media = Vec::new();
    if let crate::init::host::Media::Local { path, .. } = dotenv::media(&vars, &instance.live) {
        // A link is followed by the kernel, so what it leads to has to be open as well.
        if let Ok(real) = fs::canonicalize(&path)
            && real != path
            && fs::canonicalize(&instance.live).is_ok_and(|live| !real.starts_with(live))
        {
            media.push(real);
        }
        media.insert(0, path);
    }
    Ok(Resident {
        user: instance.user.clone(),
        home: account.map(|account| account.dir),
        live: instance.live.clone(),
        path: instance.environment.get("PATH").cloned(),
        media,
    })
}

fn daemon_reload() -> Result<(), CtlError> {
    let failed = |why: String| CtlError::Command { command: "systemctl daemon-reload".to_owned(), why };
    let done = Command::new("systemctl").arg("daemon-reload").output().map_err(|e| failed(e.to_string()))?;
    if done.status.success() {
        return Ok(());
    }
    Err(failed(print::tame(&String::from_utf8_lossy(&done.stderr)).trim().replace('\n', " ")))
}

fn line(systemd_dir: &Path, wanted: &Wanted) -> Result<Line, CtlError> {
    Ok(Line {
        room: wanted.room.as_str(),
        unit: plan::unit(wanted.room),
        user: wanted.user.clone(),
        network: wanted.network,
        writes: wanted.writes.clone(),
        drop_in: disk::path(systemd_dir, wanted),
        state: disk::state(systemd_dir, wanted)?,
    })
}

fn text(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let mut writes: Vec<String> = line.writes.iter().map(|path| path.display().to_string()).collect();
        writes.insert(0, "its own state".to_owned());
        let _ = write!(
            text,
            "{}\n  unit     {}\n  user     {}\n  network  {}\n  writes   {}\n  drop-in  {}: {}\n",
            line.room,
            line.unit,
            line.user,
            line.network,
            writes.join("\n           "),
            line.drop_in.display(),
            line.state.as_str()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::Room;
    use plan::Which;

    #[test]
    fn the_listing_says_who_may_do_what() {
        let lines = [Line {
            room: "tootctl",
            unit: plan::unit(Which::Steps(Room::Tootctl)),
            user: "mastodon".into(),
            network: "as the instance needs",
            writes: vec!["/srv/live/log".into()],
            drop_in: "/etc/systemd/system/x.conf".into(),
            state: State::Missing,
        }];
        assert_eq!(
            text(&lines),
            "tootctl\n  unit     mastmaintd-tootctl@.service\n  user     mastodon\n  network  as the instance needs\n  \
             writes   its own state\n           /srv/live/log\n  drop-in  /etc/systemd/system/x.conf: missing\n"
        );
    }
}

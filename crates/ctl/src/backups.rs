//! `mastmaintctl backups` and `backup`: what the last verifications say.

use crate::{client::Daemon, error::CtlError, exit, look::print_json, print, render, when::When};
use mastmaint_control::words::{BackupLine, Reply, Request};
use mastmaint_words::BackupName;
use serde::Serialize;

#[derive(Serialize)]
struct Backups<'a> {
    backups: &'a [BackupLine],
}

pub(crate) fn list(daemon: &Daemon, when: &When, json: bool) -> Result<u8, CtlError> {
    let backups = ask(daemon)?;
    if json {
        print_json(Backups { backups: &backups })?;
    } else if backups.is_empty() {
        print::talk("no backup has been verified yet; a job with a `verify:` step does it");
    } else {
        print::data(&render::backups(&backups, when, print::width()))?;
    }
    Ok(exit::FINE)
}

pub(crate) fn show(daemon: &Daemon, when: &When, name: &BackupName, json: bool) -> Result<u8, CtlError> {
    let backups = ask(daemon)?;
    let Some(backup) = backups.iter().find(|backup| backup.backup == name.as_str()) else {
        print::talk(&format!(
            "{name} has not been verified yet; `mastmaintctl backups` lists those that have"
        ));
        return Ok(exit::NOT_FINE);
    };
    if json {
        print_json(backup)?;
    } else {
        print::data(&render::backup(backup, when))?;
    }
    Ok(exit::FINE)
}

fn ask(daemon: &Daemon) -> Result<Vec<BackupLine>, CtlError> {
    match daemon.ask(&Request::Backups)? {
        Reply::Backups { backups } => Ok(backups),
        _ => Err(CtlError::BadReply),
    }
}

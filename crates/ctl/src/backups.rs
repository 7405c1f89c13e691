//! `mastmaintctl backups` and `backup`: what the last verifications say.

use crate::{
    client::Daemon,
    error::CtlError,
    exit,
    look::print_json,
    order::{self, How},
    print, render,
    when::When,
};
use mastmaint_control::words::{BackupLine, OverdueBackup, Reply, Request};
use mastmaint_words::{BackupName, JobName, RunId};
use serde::Serialize;

#[derive(Serialize)]
struct Listing<'a> {
    backups: &'a [BackupLine],
    overdue: &'a [OverdueBackup],
    unverified: &'a [BackupName],
}

#[derive(Serialize)]
struct Begun {
    run: RunId,
}

pub(crate) fn list(daemon: &Daemon, when: &When, json: bool) -> Result<u8, CtlError> {
    let Reply::Backups { backups, overdue, unverified } = daemon.ask(&Request::Backups)? else {
        return Err(CtlError::BadReply);
    };
    if json {
        print_json(Listing { backups: &backups, overdue: &overdue, unverified: &unverified })?;
    } else if backups.is_empty() && unverified.is_empty() {
        print::talk("the configuration names no backups; add them under `backups:`");
    } else {
        if !backups.is_empty() {
            print::data(&render::backups(&backups, when, print::width()))?;
        }
        print::data(&render::not_well_known(&overdue, &unverified, when))?;
    }
    Ok(if overdue.is_empty() { exit::FINE } else { exit::OVERDUE })
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
        Reply::Backups { backups, .. } => Ok(backups),
        _ => Err(CtlError::BadReply),
    }
}

pub(crate) fn verify(
    daemon: &Daemon,
    backup: &BackupName,
    full: bool,
    follow: bool,
    json: bool,
) -> Result<u8, CtlError> {
    let job = JobName::by_hand(backup, full);
    if !json {
        return order::run(daemon, job, How { follow, dry_run: false, despite_hold: false });
    }
    let request = Request::Run { job, dry_run: false, despite_hold: false };
    let Reply::Queued { run, .. } = daemon.ask(&request)? else { return Err(CtlError::BadReply) };
    print_json(Begun { run })?;
    Ok(exit::FINE)
}

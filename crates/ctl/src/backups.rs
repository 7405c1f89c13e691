//! The commands about backups that ask the daemon: `backups`, `backup`, `verify`.

use crate::{
    client::Daemon,
    error::CtlError,
    exit,
    look::print_json,
    order::{self, How},
    print, render,
    when::When,
};
use mastmaint_control::words::{BackupDetail, BackupLine, Reply, Request};
use mastmaint_words::{BackupName, JobName, RunId};
use serde::Serialize;

#[derive(Serialize)]
struct Backups<'a> {
    backups: &'a [BackupLine],
}

pub(crate) fn backups(daemon: &Daemon, when: &When, json: bool) -> Result<u8, CtlError> {
    let Reply::Backups { backups } = daemon.ask(&Request::Backups)? else {
        return Err(CtlError::BadReply);
    };
    if json {
        print_json(Backups { backups: &backups })?;
    } else if backups.is_empty() {
        print::talk("the configuration names no backups; add them under `backups:`");
    } else {
        print::data(&render::backups(&backups, when, print::width()))?;
    }
    Ok(backups.iter().map(exit_of).max().unwrap_or(exit::FINE))
}

pub(crate) fn backup(daemon: &Daemon, when: &When, backup: BackupName, json: bool) -> Result<u8, CtlError> {
    let Reply::Backup(detail) = daemon.ask(&Request::Backup { backup })? else {
        return Err(CtlError::BadReply);
    };
    let detail: BackupDetail = *detail;
    if json {
        print_json(&detail)?;
    } else {
        print::data(&render::backup(&detail, when))?;
    }
    Ok(exit_of(&detail.line))
}

/// Not known to be fresh counts for more than findings of a backup that is.
const fn exit_of(line: &BackupLine) -> u8 {
    match (&line.overdue, line.findings.fail) {
        (Some(_), _) => exit::OVERDUE,
        (None, 0) => exit::FINE,
        (None, _) => exit::NOT_FINE,
    }
}

#[derive(Serialize)]
struct Begun {
    run: RunId,
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

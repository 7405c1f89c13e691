//! Finds what already runs Mastodon's maintenance on a host: cron and systemd timers, also through a script.

use super::{
    cron,
    host::{FoundUnit, Rival, SwitchOff},
    inspect::{Looker, is_kind},
    units,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Crontabs with one command a line.
const TABLES: [&str; 2] = ["/etc/cron.d", "/var/spool/cron/crontabs"];
/// Directories of scripts that cron runs.
const SCRIPTS: [&str; 4] = ["/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"];

/// Everything that has to be switched off, cron first.
pub(super) fn find(
    looker: &mut Looker,
    files: &BTreeMap<String, PathBuf>,
    all: &BTreeMap<String, FoundUnit>,
) -> Vec<Rival> {
    let mut found = Vec::new();
    let mut tables = vec![PathBuf::from("/etc/crontab")];
    for dir in TABLES.map(Path::new) {
        tables.extend(looker.list(dir).into_iter().map(|name| dir.join(name)));
    }
    for file in tables {
        let Some(text) = looker.read(&file) else { continue };
        for (line, command) in cron::live_lines(&text) {
            if let Some(what) = what_it_does(looker, command) {
                found.push(Rival { file: file.clone(), line, what, switch_off: SwitchOff::Line });
            }
        }
    }
    for dir in SCRIPTS.map(Path::new) {
        for file in looker.list(dir).into_iter().map(|name| dir.join(name)) {
            let Some(text) = looker.read(&file) else { continue };
            let hit = cron::live_lines(&text)
                .find_map(|(line, command)| what_it_does(looker, command).map(|what| (line, what)));
            if let Some((line, what)) = hit {
                found.push(Rival { file, line, what, switch_off: SwitchOff::Script });
            }
        }
    }
    for (service, what) in maintaining(looker, all) {
        found.push(of_systemd(looker, files, &all[&service], what));
    }
    found
}

/// Services that do maintenance: no part of the instance, whatever they are called.
pub(super) fn services(looker: &mut Looker, all: &BTreeMap<String, FoundUnit>) -> Vec<String> {
    maintaining(looker, all).into_iter().map(|(name, _)| name).collect()
}

fn maintaining(looker: &mut Looker, all: &BTreeMap<String, FoundUnit>) -> Vec<(String, String)> {
    all.iter()
        .filter(|(name, _)| !name.starts_with("mastmaintd"))
        .filter_map(|(name, unit)| what_it_does(looker, &unit.exec).map(|what| (name.clone(), what)))
        .collect()
}

fn of_systemd(
    looker: &mut Looker,
    files: &BTreeMap<String, PathBuf>,
    service: &FoundUnit,
    what: String,
) -> Rival {
    let text = looker.read(&service.file).unwrap_or_default();
    let line = (1..)
        .zip(text.lines())
        .find(|(_, l)| l.trim_start().starts_with("ExecStart="))
        .map_or(1, |(number, _)| number);
    let timer = files.iter().filter(|(name, _)| is_kind(name, "timer")).find(|(name, file)| {
        looker.read(file).is_some_and(|text| units::timer_target(name, &text) == service.name)
    });
    let (what, unit) = match timer {
        Some((timer, _)) => (format!("{what}, started by {timer}"), timer.clone()),
        None => (what, service.name.clone()),
    };
    Rival { file: service.file.clone(), line, what, switch_off: SwitchOff::Unit(unit) }
}

/// What a command has to do with Mastodon's maintenance, if it does; looks into a script that it calls.
fn what_it_does(looker: &mut Looker, command: &str) -> Option<String> {
    for script in cron::paths(command).map(Path::new) {
        let Some(text) = looker.read(script).filter(|text| text.starts_with("#!")) else { continue };
        let hit =
            cron::live_lines(&text).find(|(_, line)| line.contains("tootctl") || cron::is_maintenance(line));
        if let Some((line, _)) = hit {
            return Some(format!("calls {}, which runs it in line {line}", script.display()));
        }
    }
    if command.contains("tootctl") {
        Some("runs tootctl".to_owned())
    } else if cron::is_maintenance(command) {
        Some("runs Mastodon's maintenance".to_owned())
    } else {
        None
    }
}

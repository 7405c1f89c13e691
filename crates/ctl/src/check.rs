//! `mastmaintctl check` and `config`: a configuration is looked at without the daemon.

use crate::{cli, error::CtlError, exit, order::count, print, rooms::sight::Sight, when::When};
use mastmaint_config::{Loaded, Rejection, Settings, Source, Trust, guard::GuardAction, settings::Action};
use mastmaint_words::{BackupName, backup::Backup};
use std::{fmt::Write as _, path::Path};

/// How many of the next starts are named.
const NAMED: usize = 10;

pub(crate) fn check(file: &Path, when: &When) -> Result<u8, CtlError> {
    let settings = settle(mastmaint_config::load_on_host(&source(file)))?;
    if file == Path::new(cli::CONFIG)
        && let Some(sight) = Sight::of_room()
    {
        for warning in hidden(&settings, &sight) {
            print::talk(&print::tame(&warning));
        }
    }
    print::data(&summary(&settings, when))?;
    Ok(exit::FINE)
}

/// A warning for each guard of which the room does not see a command; it fails until it does.
fn hidden(settings: &Settings, sight: &Sight) -> Vec<String> {
    let commands = settings.jobs.iter().flat_map(|(name, job)| {
        job.steps.iter().filter_map(move |step| match &step.action {
            Action::Guard(GuardAction::Command(command)) => Some((name, command)),
            _ => None,
        })
    });
    let missed = commands.filter_map(|(name, command)| Some((name, sight.missed(command)?)));
    missed.map(|(name, missed)| format!("warning: the guard of job {name}: {}", missed.advice())).collect()
}

pub(crate) fn config(file: &Path) -> Result<u8, CtlError> {
    let yaml = mastmaint_config::shown_yaml(&load(file)?).map_err(CtlError::BadConfig)?;
    print::data(&yaml)?;
    Ok(exit::FINE)
}

/// A backup by its name.
pub(crate) fn backup<'s>(settings: &'s Settings, name: &BackupName) -> Result<&'s Backup, CtlError> {
    settings.backups.get(name).ok_or_else(|| {
        let known: Vec<_> = settings.backups.keys().map(BackupName::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        CtlError::Usage(format!("there is no backup {name}; there are: {known}"))
    })
}

/// Loads a configuration; warnings and mistakes are printed.
pub(crate) fn load(file: &Path) -> Result<Settings, CtlError> {
    settle(mastmaint_config::load(&source(file)))
}

fn source(file: &Path) -> Source {
    // The daemon's own configuration has to be root's; any other may belong to whoever tries it out.
    let trust = if file == Path::new(cli::CONFIG) {
        Trust::Root
    } else {
        Trust::Invoker { uid: nix::unistd::geteuid().as_raw() }
    };
    Source { main: file.to_owned(), trust }
}

fn settle(loaded: Result<Loaded, Rejection>) -> Result<Settings, CtlError> {
    let (warnings, answer) = match loaded {
        Ok(loaded) => (loaded.warnings, Ok(loaded.settings)),
        Err(rejection) => (rejection.warnings, Err(rejection.mistakes)),
    };
    for warning in warnings {
        print::talk(&format!("warning: {}", print::tame(&warning.to_string())));
    }
    answer.map_err(|mistakes| {
        for mistake in &mistakes {
            print::talk(&print::tame(&mistake.to_string()));
        }
        let number = count(mistakes.len(), "mistake");
        CtlError::BadConfig(format!("{number} in the configuration; mend them where the lines above say"))
    })
}

fn summary(settings: &Settings, when: &When) -> String {
    let mut text = format!("ok: {}", count(settings.jobs.len(), "job"));
    let mut next: Vec<_> = settings
        .jobs
        .iter()
        .filter_map(|(name, job)| Some((job.schedule.as_ref()?.next_after(when.now)?, name)))
        .collect();
    next.sort();
    let by_hand = settings.jobs.len() - next.len();
    if by_hand > 0 {
        let _ = write!(text, ", {by_hand} of them by hand only");
    }
    text.push('\n');
    for (at, name) in next.iter().take(NAMED) {
        let _ = writeln!(text, "  {}  {name}", when.both(*at));
    }
    if next.len() > NAMED {
        let _ = writeln!(text, "  and {} later", count(next.len() - NAMED, "job"));
    }
    text
}

//! `restore`, `rollback`, `prune`: the way back by hand. What is done is done by runs, in rooms; this asks,
//! shows and, for what only a person may do, starts `mastmaint-restore` itself.

mod asking;
mod job;
mod typed;

pub use typed::Typed;
pub(crate) use typed::variable;

use crate::{
    by_hand::{self, Fragment, Ran},
    check,
    client::Daemon,
    error::CtlError,
    exit, print, received,
};
use asking::{can_be_asked, is_wanted};
use job::Parts;
use mastmaint_config::Settings;
use mastmaint_words::{
    JobName, RunId,
    restore::{BY_HAND, Phase, Restoring},
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use typed::Wanted;

/// Where the restore room keeps its journals.
pub(crate) const STATE: &str = "/var/lib/mastmaintd-restore";
/// What `mastmaint-restore` says by its exit status when there is nothing to do.
const NOTHING_TO_DO: i32 = 3;

/// Rehearses, asks, and switches in what was rehearsed.
pub(crate) fn restore(daemon: &Daemon, config: &Path, asked: &Typed) -> Result<u8, CtlError> {
    let settings = check::load(config)?;
    let prepared = match prepare(daemon, config, asked, &settings)? {
        Prepared::Lies(run) => run,
        Prepared::Not(status) => return Ok(status),
    };
    let parts = Parts::of(Path::new(STATE), &prepared);
    let variables = asked.environment.iter().map(|(name, value)| format!(" --env {name}={value}"));
    let variables: String = variables.collect();
    let later = format!(
        "`mastmaintctl restore --prepared {prepared}{variables}` switches it in, or `mastmaintctl prune {prepared}{variables}` removes it"
    );
    if asked.rehearse {
        print::talk(&format!("what comes back lies beside, checked, and nothing was changed; {later}"));
        return Ok(exit::FINE);
    }
    if !asked.yes && !is_wanted(&format!("Stop Mastodon for the switch and bring back {}?", parts.named()))? {
        print::talk(&format!(
            "nothing was stopped and nothing was changed; what was prepared is kept: {later}"
        ));
        return Ok(exit::NOT_FINE);
    }
    let job = job::switch(parts, asked, &prepared, settings.instance.as_ref())?;
    run_by_hand(daemon, config, &job).map(|ran| ran.status)
}

/// What became of a preparation.
enum Prepared {
    /// It lies beside, under this run.
    Lies(RunId),
    /// There is none, and this is the exit status.
    Not(u8),
}

/// Copies, receives or finds what comes back.
fn prepare(daemon: &Daemon, config: &Path, asked: &Typed, settings: &Settings) -> Result<Prepared, CtlError> {
    if let Some(run) = &asked.prepared {
        return Ok(Prepared::Lies(run.clone()));
    }
    let (run, status) = if asked.stdin {
        let Some(received) = received::receive(settings, asked)? else {
            return Ok(Prepared::Not(exit::NOT_FINE));
        };
        let looked = run_by_hand(daemon, config, &job::look(asked, &received)?)
            .inspect_err(|_| tell_what_is_kept(&received))?;
        (received, looked.status)
    } else {
        if !asked.yes && !asked.rehearse {
            can_be_asked()?;
        }
        let job = job::rehearsal(asked, &Wanted::among(settings, &asked.backups)?)?;
        let rehearsed = run_by_hand(daemon, config, &job)?;
        (rehearsed.run, rehearsed.status)
    };
    if status != exit::FINE {
        tell_what_is_kept(&run);
        return Ok(Prepared::Not(status));
    }
    Ok(Prepared::Lies(run))
}

/// Says what a rehearsal that did not go well has left, if it has left something.
fn tell_what_is_kept(run: &RunId) {
    let journal = fs::read(Restoring::path(Path::new(STATE), run)).ok();
    let journal: Option<Restoring> = journal.and_then(|text| serde_json::from_slice(&text).ok());
    let is_copied = journal.is_some_and(|journal| matches!(journal.phase, Phase::Prepared));
    if is_copied || Parts::of(Path::new(STATE), run).database {
        print::talk(&format!(
            "what was prepared is kept: `mastmaintctl restore --prepared {run}` goes on once nothing is in its way, or \
             `mastmaintctl prune {run}` removes it"
        ));
    }
}

/// Runs a job that is written for this one run. No hold keeps a restore from running.
fn run_by_hand(daemon: &Daemon, config: &Path, job: &str) -> Result<Ran, CtlError> {
    let name: JobName = BY_HAND.parse().map_err(|_| CtlError::BadReply)?;
    let text = format!("jobs:\n  {BY_HAND}: {job}\n");
    by_hand::run(daemon, &Fragment { config, what: "restore", job: name, text, despite_hold: false })
}

/// Changes places again.
pub(crate) fn rollback(
    daemon: &Daemon,
    config: &Path,
    run: &RunId,
    environment: &[(String, String)],
    yes: bool,
) -> Result<u8, CtlError> {
    if !yes && !is_wanted(&format!("Stop Mastodon and switch back to what was there before {run}?"))? {
        print::talk("nothing was stopped and nothing was changed");
        return Ok(exit::NOT_FINE);
    }
    let parts = Parts::of(Path::new(STATE), run);
    run_by_hand(daemon, config, &job::back(parts, run, environment)?).map(|ran| ran.status)
}

/// Removes what a restore has replaced. Only a person does that: no job that is configured can.
pub(crate) fn prune(
    daemon: &Daemon,
    config: &Path,
    state: &Path,
    run: &RunId,
    environment: &[(String, String)],
) -> Result<u8, CtlError> {
    let parts = Parts::left_of(state, run);
    // The files first: they are kept while they hold uploads that only the database beside them names. Where the
    // databases are, settings that came back with the files may say.
    let leave: &[&str] = if parts.database { &["--leave-settings"] } else { &[] };
    if parts.files && !prune_files(state, run, leave)? {
        return Ok(exit::NOT_FINE);
    }
    if !parts.database {
        return Ok(exit::FINE);
    }
    let ran = run_by_hand(daemon, config, &job::removal(run, environment)?)?;
    if parts.files && ran.status == exit::FINE && !prune_files(state, run, &[])? {
        return Ok(exit::NOT_FINE);
    }
    Ok(ran.status)
}

/// Whether the files that a restore has replaced are gone, now or before.
fn prune_files(state: &Path, run: &RunId, leave: &[&str]) -> Result<bool, CtlError> {
    let program = received::program();
    let failed = |why: String| CtlError::Command { command: format!("{} prune", program.display()), why };
    let status = Command::new(&program)
        .arg("--state")
        .arg(state)
        .arg("prune")
        .args(leave)
        .args(["--run", run.as_str()])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| failed(error.to_string()))?;
    Ok(status.success() || status.code() == Some(NOTHING_TO_DO))
}

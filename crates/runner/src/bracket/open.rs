//! Opening a bracket: what runs is looked up and recorded, and only then stopped.

use super::{
    Scene, held, others,
    record::{Phase, Record, Service},
    units,
    verdict::NOT_ALL_UP,
};
use crate::systemctl::{Systemctl, UnitState};
use jiff::Timestamp;
use mastmaint_config::settings::SystemctlVerb;
use mastmaint_failpoints::failpoint;
use mastmaint_words::{Digest, Grade, JobName, Numbers, Outcome, Reason, RunId, Span, UnitName, Verdict};
use std::time::{Duration, Instant};

/// What is to be stopped, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) run: RunId,
    pub(crate) job: JobName,
    pub(crate) digest: Digest,
    /// As the configuration names them.
    pub(crate) units: Vec<UnitName>,
    /// Only the run itself may start them again.
    pub(crate) must_match: bool,
    /// It may mend what an earlier run has left without a whole set, or not up.
    pub(crate) mends: bool,
    /// How long each must stay up once it is started again.
    pub(crate) settle: Span,
    /// How long the stop may take.
    pub(crate) timeout: Duration,
}

/// Records what runs and stops it.
pub(crate) fn open(opening: &Opening, scene: &mut Scene<'_>) -> Verdict {
    match try_to(opening, scene) {
        Ok(verdict) => verdict,
        Err(reason) => Verdict::because(Outcome::Failed, Grade::Read, reason),
    }
}

/// Why what would be stopped might not come back.
pub(super) fn not_recorded(error: &dyn std::fmt::Display) -> Reason {
    let text = format!("nothing was stopped, because its start could not be made sure of: {error}");
    Reason::new("no-record", text)
}

fn try_to(opening: &Opening, scene: &mut Scene<'_>) -> Result<Verdict, Reason> {
    let begin = Instant::now();
    let brackets = others::lock(opening, scene)?;
    let (running, mut down) = named(scene.systemctl, &opening.units, opening.mends)?;
    // A run that stops again what a restart of the host has started goes on with its own record.
    let before = brackets.of_run(&opening.run).map_err(|error| not_recorded(&error))?;
    let taken = others::owed(opening, scene)?;
    let was_all_up = taken.is_empty() && running.iter().all(|(_, state)| state.is_up());
    let mut services: Vec<Service> = running
        .into_iter()
        .map(|(unit, state)| Service { unit, before: state.invocation, ours: None })
        .collect();
    let boot = scene.systemctl.boot();
    let was_restarted = before.as_ref().is_some_and(|before| before.boot != boot);
    let opened = before.as_ref().map_or_else(Timestamp::now, |before| before.opened);
    let is_known = |services: &[Service], unit: &UnitName| services.iter().any(|s| s.unit == *unit);
    for earlier in before.into_iter().chain(taken.iter().cloned()) {
        for one in earlier.services {
            if !is_known(&services, &one.unit) {
                services.push(Service { ours: None, ..one });
            }
        }
        down.extend(earlier.down);
    }
    down.retain(|unit| opening.must_match && !is_known(&services, unit));
    down.sort();
    down.dedup();
    let mut record = Record {
        run: opening.run.clone(),
        job: opening.job.clone(),
        digest: opening.digest.clone(),
        opened,
        boot,
        rebooted: false,
        early: vec![],
        must_match: opening.must_match,
        resumed: None,
        settle: opening.settle,
        phase: Phase::Stopping,
        services,
        down,
    };
    failpoint!("open.before-record");
    brackets.write(&record).map_err(|error| not_recorded(&error))?;
    failpoint!("open.recorded");
    others::take_over(opening, taken, &brackets)?;
    if record.services.is_empty() {
        scene.say("nothing was running, so nothing is stopped".to_owned());
    } else {
        let names: Vec<&str> = record.services.iter().map(|service| service.unit.as_str()).collect();
        scene.say(format!("stopping {}", names.join(" ")));
    }
    // After a restart of the host systemd may have the start of what is down in its queue.
    let units: Vec<UnitName> = if was_restarted { record.all_units() } else { record.units() };
    if !units.is_empty() {
        let left = opening.timeout.saturating_sub(begin.elapsed());
        let stopped = scene.systemctl.act(SystemctlVerb::Stop, &units, left);
        failpoint!("open.stopped");
        still_up(scene.systemctl, &units, stopped)?;
    }
    record.phase = Phase::Stopped;
    held::release(&record.run);
    // The record as it is says enough: what it names is started again either way.
    let _ = brackets.write(&record);
    failpoint!("open.noted");
    let reasons = if was_all_up { vec![] } else { vec![not_all_up()] };
    Ok(Verdict { outcome: Outcome::Ok, grade: Grade::Read, reasons, numbers: Numbers::default() })
}

/// Why a set that is switched back in would not come up, either.
fn not_all_up() -> Reason {
    Reason::new(NOT_ALL_UP, "not all of Mastodon was up before; it is started with the rest")
}

/// Whether the units went down; what systemctl said counts less than their states.
fn still_up(systemctl: &Systemctl, units: &[UnitName], said: Result<(), String>) -> Result<(), Reason> {
    let states = systemctl.look(units).map_err(|error| {
        let error = said.as_ref().err().unwrap_or(&error);
        Reason::new("state-unknown", format!("whether the services are stopped is not known: {error}"))
    })?;
    let up: Vec<&str> = units
        .iter()
        .zip(&states)
        .filter(|(_, state)| !state.is_down())
        .map(|(unit, _)| unit.as_str())
        .collect();
    if up.is_empty() {
        return Ok(());
    }
    let said = said.err().map_or_else(String::new, |error| format!(" ({error})"));
    Err(Reason::new(
        "not-stopped",
        format!("{} did not stop{said}; what was stopped is started again", up.join(" ")),
    ))
}

/// What runs of the units that are named, and what does not. What has failed is meant to run, where a restore is to bring it
/// back to life; what somebody has masked is not.
#[expect(clippy::type_complexity, reason = "two halves of one list, each with what it needs")]
fn named(
    systemctl: &Systemctl,
    named: &[UnitName],
    mends: bool,
) -> Result<(Vec<(UnitName, UnitState)>, Vec<UnitName>), Reason> {
    let all = units::all_of(systemctl, named).map_err(|error| {
        Reason::new("state-unknown", format!("nothing was stopped, because what runs is not known: {error}"))
    })?;
    let is_loaded = |state: &UnitState| state.load == "loaded";
    let (running, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, state)| {
        state.is_meant_to_run() || (mends && is_loaded(state) && state.active == "failed")
    });
    let down = others.into_iter().filter(|(_, state)| is_loaded(state)).map(|(unit, _)| unit);
    Ok((running, down.collect()))
}

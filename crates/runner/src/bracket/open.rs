//! Opening a bracket: what runs is looked up and recorded, and only then stopped.

use super::{
    Scene,
    record::{Brackets, Phase, Record, Seen, Service},
};
use crate::systemctl::{Claim, Systemctl, UnitState, claim, template_of};
use jiff::Timestamp;
use mastmaint_config::settings::SystemctlVerb;
use mastmaint_failpoints::failpoint;
use mastmaint_words::{Digest, Grade, JobName, Numbers, Outcome, Reason, RunId, Span, UnitName, Verdict};
use std::time::Duration;

/// Nobody holds the lock for longer unless services are being started, and then none is stopped.
const LOCK: Duration = Duration::from_secs(10);

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

fn try_to(opening: &Opening, scene: &mut Scene<'_>) -> Result<Verdict, Reason> {
    let not_recorded = |error: &dyn std::fmt::Display| {
        let text = format!("nothing was stopped, because its start could not be made sure of: {error}");
        Reason::new("no-record", text)
    };
    let brackets =
        Brackets::lock(scene.state, LOCK).map_err(|error| not_recorded(&error))?.ok_or_else(|| {
            Reason::new(
                "bracket-busy",
                "nothing was stopped: services are just being started after another run",
            )
        })?;
    let running = running(scene.systemctl, &opening.units)?;
    // A run that stops again what a restart of the host has started goes on with its own record.
    let before = brackets.of_run(&opening.run).map_err(|error| not_recorded(&error))?;
    let others = Brackets::list(scene.state).0;
    let ours = |other: &&Record| other.run != opening.run && shares(other, &opening.units);
    // Whoever restores again mends what an earlier restore has left without a whole set.
    let (kept_down, others): (Vec<&Record>, Vec<&Record>) =
        others.iter().filter(ours).partition(|other| matches!(other.phase, Phase::KeptDown { .. }));
    if let Some(other) = others.first() {
        let text = format!(
            "nothing was stopped: run {} of {} has stopped services too and has not seen all of them come back; see \
             \"mastmaintctl status\"",
            other.run, other.job
        );
        return Err(Reason::new("bracket-open", text));
    }
    let mut services: Vec<Service> = running
        .into_iter()
        .map(|(unit, state)| Service { unit, before: state.invocation, ours: None })
        .collect();
    let opened = before.as_ref().map_or_else(Timestamp::now, |before| before.opened);
    let of_kept = kept_down.iter().map(|kept| (*kept).clone());
    let owed = before.into_iter().chain(of_kept).flat_map(|before| before.services);
    let is_known = |services: &[Service], one: &Service| services.iter().any(|s| s.unit == one.unit);
    for one in owed {
        if !is_known(&services, &one) {
            services.push(Service { ours: None, ..one });
        }
    }
    let mut record = Record {
        run: opening.run.clone(),
        job: opening.job.clone(),
        digest: opening.digest.clone(),
        opened,
        boot: scene.systemctl.boot(),
        rebooted: false,
        early: vec![],
        must_match: opening.must_match,
        resumed: None,
        settle: opening.settle,
        phase: Phase::Stopping,
        services,
    };
    failpoint!("open.before-record");
    brackets.write(&record).map_err(|error| not_recorded(&error))?;
    failpoint!("open.recorded");
    for kept in kept_down {
        let how = format!("run {} has taken it over", opening.run);
        let phase = Phase::Closed { at: Timestamp::now(), how, seen: Seen::default() };
        // If it stays, mastmaintd-recover goes on saying so.
        let _ = brackets.put_away(&Record { phase, ..kept.clone() });
    }
    let units: Vec<UnitName> = record.services.iter().map(|service| service.unit.clone()).collect();
    if units.is_empty() {
        scene.say("nothing was running, so nothing is stopped".to_owned());
    } else {
        let names: Vec<&str> = units.iter().map(UnitName::as_str).collect();
        scene.say(format!("stopping {}", names.join(" ")));
        let stopped = scene.systemctl.act(SystemctlVerb::Stop, &units, opening.timeout);
        failpoint!("open.stopped");
        still_up(scene.systemctl, &units, stopped)?;
    }
    record.phase = Phase::Stopped;
    // The record as it is says enough: what it names is started again either way.
    let _ = brackets.write(&record);
    failpoint!("open.noted");
    Ok(Verdict { outcome: Outcome::Ok, grade: Grade::Read, reasons: vec![], numbers: Numbers::default() })
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

fn shares(other: &Record, units: &[UnitName]) -> bool {
    other.services.iter().any(|service| claim(&service.unit, units) != Claim::Foreign)
        || other.services.iter().any(|service| {
            units.iter().any(|unit| claim(unit, std::slice::from_ref(&service.unit)) != Claim::Foreign)
        })
}

/// The units that run of those that are named: themselves, and the loaded instances of templates and shims.
fn running(systemctl: &Systemctl, named: &[UnitName]) -> Result<Vec<(UnitName, UnitState)>, Reason> {
    let unknown = |error: String| {
        Reason::new("state-unknown", format!("nothing was stopped, because what runs is not known: {error}"))
    };
    let templates: Vec<String> = named.iter().filter_map(template_of).collect();
    let mut instances = systemctl.instances_of(&templates).map_err(unknown)?;
    instances.sort();
    let mut units: Vec<UnitName> = Vec::new();
    for name in named {
        let own = std::slice::from_ref(name);
        let is_template = name.with_suffix().contains("@.");
        let itself = own.iter().filter(|_| !is_template);
        let of_it = instances.iter().filter(|unit| matches!(claim(unit, own), Claim::InstanceOf(_)));
        for unit in itself.chain(of_it) {
            if units.iter().all(|known| known.with_suffix() != unit.with_suffix()) {
                units.push(unit.clone());
            }
        }
    }
    let states = systemctl.look(&units).map_err(unknown)?;
    let running = units.into_iter().zip(states).filter(|(_, state)| state.is_meant_to_run());
    // An instance that no file of root stands behind is not ours to stop, as for any step.
    let ours = running.filter(|(unit, state)| {
        let is_named = named.iter().any(|name| name.with_suffix() == unit.with_suffix());
        is_named || Systemctl::trusts(state).is_ok()
    });
    Ok(ours.collect())
}

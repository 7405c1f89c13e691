//! Opening a bracket: what runs is looked up and recorded, and only then stopped.

use super::{
    Scene, held,
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
    /// It may mend what an earlier restore has left without a whole set.
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
    let (running, mut down) = named(scene.systemctl, &opening.units, opening.must_match)?;
    // A run that stops again what a restart of the host has started goes on with its own record.
    let before = brackets.of_run(&opening.run).map_err(|error| not_recorded(&error))?;
    let others = Brackets::list(scene.state).0;
    let ours = |other: &&Record| other.run != opening.run && shares(other, &opening.units);
    // Whoever restores again mends what an earlier restore has left without a whole set.
    let is_kept = |other: &&Record| opening.mends && matches!(other.phase, Phase::KeptDown { .. });
    let (kept_down, others): (Vec<&Record>, Vec<&Record>) = others.iter().filter(ours).partition(is_kept);
    if let Some(other) = others.first() {
        let why = match other.phase {
            Phase::KeptDown { .. } => "keeps Mastodon down",
            _ => "has stopped services too and has not seen all of them come back",
        };
        let text = format!(
            "nothing was stopped: run {} of {} {why}; see \"mastmaintctl status\"",
            other.run, other.job
        );
        return Err(Reason::new("bracket-open", text));
    }
    let mut services: Vec<Service> = running
        .into_iter()
        .map(|(unit, state)| Service { unit, before: state.invocation, ours: None })
        .collect();
    let boot = scene.systemctl.boot();
    let was_restarted = before.as_ref().is_some_and(|before| before.boot != boot);
    let opened = before.as_ref().map_or_else(Timestamp::now, |before| before.opened);
    let of_kept = kept_down.iter().map(|kept| (*kept).clone());
    let is_known = |services: &[Service], unit: &UnitName| services.iter().any(|s| s.unit == *unit);
    for earlier in before.into_iter().chain(of_kept) {
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
    for kept in kept_down {
        let how = format!("run {} has taken it over", opening.run);
        let phase = Phase::Closed { at: Timestamp::now(), how, seen: Seen::default() };
        // If it stays, mastmaintd-recover goes on saying so.
        let _ = brackets.put_away(&Record { phase, ..kept.clone() });
    }
    if record.services.is_empty() {
        scene.say("nothing was running, so nothing is stopped".to_owned());
    } else {
        let names: Vec<&str> = record.services.iter().map(|service| service.unit.as_str()).collect();
        scene.say(format!("stopping {}", names.join(" ")));
    }
    // After a restart of the host systemd may have the start of what is down in its queue.
    let units: Vec<UnitName> = if was_restarted { record.all_units() } else { record.units() };
    if !units.is_empty() {
        let stopped = scene.systemctl.act(SystemctlVerb::Stop, &units, opening.timeout);
        failpoint!("open.stopped");
        still_up(scene.systemctl, &units, stopped)?;
    }
    record.phase = Phase::Stopped;
    held::release(&record.run);
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

/// Whether a record is about units that are named. What keeps down nothing that it knows keeps down all.
fn shares(other: &Record, units: &[UnitName]) -> bool {
    let theirs = other.all_units();
    (theirs.is_empty() && matches!(other.phase, Phase::KeptDown { .. }))
        || theirs.iter().any(|unit| claim(unit, units) != Claim::Foreign)
        || units
            .iter()
            .any(|unit| theirs.iter().any(|one| claim(unit, std::slice::from_ref(one)) != Claim::Foreign))
}

/// What runs of the units that are named, and what does not: themselves, and the loaded instances of templates and shims.
/// What has failed is meant to run, where a restore is to bring it back to life.
#[expect(clippy::type_complexity, reason = "two halves of one list, each with what it needs")]
fn named(
    systemctl: &Systemctl,
    named: &[UnitName],
    is_restore: bool,
) -> Result<(Vec<(UnitName, UnitState)>, Vec<UnitName>), Reason> {
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
    // An instance that no file of root stands behind is not ours to stop, as for any step.
    let ours = units.into_iter().zip(states).filter(|(unit, state)| {
        let is_named = named.iter().any(|name| name.with_suffix() == unit.with_suffix());
        is_named || Systemctl::trusts(state).is_ok()
    });
    let (running, others): (Vec<_>, Vec<_>) =
        ours.partition(|(_, state)| state.is_meant_to_run() || (is_restore && state.active == "failed"));
    let down = others.into_iter().filter(|(_, state)| state.load == "loaded").map(|(unit, _)| unit);
    Ok((running, down.collect()))
}

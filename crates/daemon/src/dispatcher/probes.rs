//! What the dispatcher has to do with probes: it says when services are stopped on purpose and when assets are changed, and
//! shows where probes stand.

use super::{Active, Dispatcher, asks::error, reply};
use crate::probes::Heard;
use mastmaint_control::words::{IncidentLine, ProbeLine, ProbeState, Reply};
use mastmaint_health::Down;
use mastmaint_ledger::Incident;
use mastmaint_words::StepIndex;
use tokio::sync::mpsc;

/// Nobody reads further back on a terminal.
const MOST_INCIDENTS: u32 = 10_000;

impl Dispatcher {
    /// Says something to whoever asks the instance how it is.
    pub(super) fn watch(&self, heard: Heard) {
        if let Some(watcher) = &self.watcher {
            watcher.tell(heard);
        }
    }

    /// Says whether services are stopped on purpose and whether assets are changed, if that has changed.
    pub(super) fn tell_watcher(&mut self) {
        // What could not be started again is no purpose of anybody's.
        let bracket = self.brackets.iter().any(|bracket| bracket.not_confirmed.is_none());
        let stopped = bracket || self.runs.values().any(stops_services_now);
        let building = self.runs.values().any(changes_assets_now);
        if let Some(watcher) = &mut self.watcher {
            watcher.services_are_stopped(stopped);
            watcher.assets_are_built(building);
        }
    }

    /// Where each probe stands.
    pub(super) fn probe_lines(&self) -> Vec<ProbeLine> {
        self.watcher.as_ref().map(crate::probes::Watcher::seen).unwrap_or_default()
    }

    /// The probes that say no, for systemd's sentence.
    pub(super) fn what_is_down(&self) -> Vec<Down> {
        let down = self.probe_lines().into_iter().filter(|line| line.state == ProbeState::Down);
        down.filter_map(|line| {
            Some(Down { probe: line.probe, since: line.since?, why: line.said.unwrap_or_default() })
        })
        .collect()
    }

    pub(super) fn incidents(&self, limit: u32, replies: mpsc::Sender<Reply>) {
        let recorder = self.outside.recorder.clone();
        tokio::spawn(async move {
            let asked = recorder.with(move |ledger| ledger.incidents(limit.min(MOST_INCIDENTS))).await;
            let answer = match asked {
                Ok(incidents) => Reply::Incidents { incidents: incidents.into_iter().map(line).collect() },
                Err(not) => error(not.code, not.message),
            };
            reply(&replies, answer).await;
        });
    }
}

/// Whether a run is at a step that stops services, or between the two ends of its bracket.
fn stops_services_now(active: &Active) -> bool {
    let job = &active.spec.job;
    let is_at = active.steps.values().any(|record| {
        let step = job.steps.get(usize::from(record.key.step.0));
        record.end.is_none() && step.is_some_and(|step| step.action.stops_services())
    });
    let is_between = |stop: StepIndex, start: StepIndex| {
        let is_over = active.steps.get(&start).is_some_and(|record| record.end.is_some());
        active.steps.contains_key(&stop) && !is_over
    };
    is_at
        || job.bracket().is_some_and(|bracket| is_between(bracket.stop, bracket.start))
        || job.way_back().is_some_and(|way| is_between(way.stop_again, way.start_again))
}

/// Whether a guarded change of the run has begun and neither stays nor is put back.
fn changes_assets_now(active: &Active) -> bool {
    let Some(guard) = active.spec.job.guard() else { return false };
    let is_over = |step| active.steps.get(&step).is_some_and(|record| record.end.is_some());
    is_over(guard.begin) && !is_over(guard.keep) && !is_over(guard.put_back)
}

fn line(incident: Incident) -> IncidentLine {
    let Incident { probe, opened, known, closed, why, ended } = incident;
    IncidentLine { probe, opened, known, closed, why, ended }
}

//! The truth in the shapes that clients and systemd are shown.

use super::{Active, Dispatcher};
use crate::notify::{Messenger, Seen};
use jiff::Timestamp;
use mastmaint_config::{settings::Job, zone};
use mastmaint_control::words::{
    BracketLine, ConfigStatus, HoldLine, JobLine, LedgerStatus, NextLine, RunDetail, RunLine, RunState,
    SpaceLine, Status, StepLine, StepNow,
};
use mastmaint_health::{LastRun, NextRun, NowRunning, Phase, Refused, Situation, Stopped};
use mastmaint_ledger::{RunRecord, RunWithSteps, SpaceTrend, StepRecord};
use mastmaint_words::{JobName, Numbers, StepIndex};

impl Dispatcher {
    /// One page about everything.
    pub(super) fn status(&self, now: Timestamp) -> Status {
        let (running, queued): (Vec<_>, Vec<_>) = self
            .runs
            .values()
            .map(|active| self.active_line(active, now))
            .partition(|l| l.state == RunState::Running);
        let told = self.told();
        Status {
            daemon: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: self.since,
            sentence: self.sentence_now(now),
            config: ConfigStatus {
                digest: self.config.view.digest.clone(),
                path: self.config_path.clone(),
                since: self.config.since,
                warnings: self.config.warnings.clone(),
                refused: self.config.refused.clone(),
            },
            running,
            queued,
            brackets: self.brackets.clone(),
            next: self.next_line(),
            holds: self.hold_lines(now).into_iter().filter(|line| line.on).collect(),
            ledger: self.outside.recorder.status(),
            approvals: self.approval_lines(now),
            space: None,
            journal_lost: self.outside.teller.lost(),
            overdue: told.overdue,
            overdue_backups: told.overdue_backups,
            notify: told.targets,
            probes: self.probe_lines(),
        }
    }

    /// The job that is due next.
    pub(super) fn next_line(&self) -> Option<NextLine> {
        let jobs = self.config.view.jobs.keys();
        let (at, job) = jobs.filter_map(|job| Some((self.next_of(job)?.0, job))).min()?;
        Some(NextLine { job: job.clone(), at })
    }

    /// When a job runs next, and which retry that is.
    fn next_of(&self, job: &JobName) -> Option<(Timestamp, Option<u32>)> {
        let slot = self.next_slot(job).map(|at| (at, None));
        let retry = self.next_retry(job).map(|retry| (retry.not_before, Some(retry.attempt)));
        [slot, retry].into_iter().flatten().min()
    }

    /// Every job.
    pub(super) fn job_lines(&self, now: Timestamp) -> Vec<JobLine> {
        self.config
            .view
            .jobs
            .iter()
            .filter(|(name, _)| !name.is_by_hand() || self.admission.of_job(name).is_some())
            .map(|(name, job)| JobLine {
                job: name.clone(),
                description: job.description.clone(),
                schedule: job.schedule.as_ref().map(|s| format!("{} {}", s.as_str(), s.timezone_name())),
                next: self.next_of(name).map(|(at, _)| at),
                retry: self.next_of(name).and_then(|(_, attempt)| attempt),
                last: self.last.get(name).map(ended_line),
                current: self
                    .admission
                    .of_job(name)
                    .and_then(|id| self.runs.get(id))
                    .map(|active| self.active_line(active, now)),
                paused: self.paused.contains_key(name),
                change: job.change,
                held: self.held_line(job, now),
            })
            .collect()
    }

    /// The hold that keeps a job from running now.
    fn held_line(&self, job: &Job, now: Timestamp) -> Option<HoldLine> {
        let hold = self.hold_of(job, now)?;
        self.hold_lines(now).into_iter().find(|line| line.hold == *hold)
    }

    fn active_line(&self, active: &Active, now: Timestamp) -> RunLine {
        let spec = &active.spec;
        let waits_for = self.wait_line(active, now);
        let state = if self.admission.is_waiting(&spec.id) || self.admission.is_preparing(&spec.id) {
            RunState::Queued
        } else {
            RunState::Running
        };
        RunLine {
            run: spec.id.clone(),
            job: spec.job_name.clone(),
            trigger: spec.trigger.clone(),
            dry_run: spec.dry_run,
            state,
            queued: spec.queued,
            started: active.started,
            ended: None,
            took_seconds: active.started.map(|started| seconds_between(started, now)),
            outcome: None,
            grade: None,
            reason: self.wait_of(&spec.id),
            numbers: Numbers::default(),
            step: step_now(active),
            waits_for,
        }
    }

    /// What there is to see of telling people.
    pub(super) fn told(&self) -> Seen {
        self.messenger.as_ref().map(Messenger::seen).unwrap_or_default()
    }

    /// What systemd is told.
    pub(super) fn sentence_now(&self, now: Timestamp) -> String {
        let refused = self.config.refused.first().zip(self.config.refused_at);
        let not_recording = match self.outside.recorder.status() {
            LedgerStatus::Recording => None,
            LedgerStatus::NotRecording { why } => Some(why),
        };
        let told = self.told();
        let situation = Situation {
            stopped: self.brackets.iter().map(stopped).collect(),
            phase: if self.reload.checking { Phase::Reloading } else { Phase::Working },
            refused: refused.map(|(mistake, at)| Refused { at, mistake: first_line(mistake) }),
            not_recording,
            down: self.what_is_down(),
            hold: self.foremost_hold(now),
            not_notifying: told.targets.into_iter().find_map(|target| target.failing),
            overdue: told.overdue.into_iter().map(|line| line.job).collect(),
            stale: told.overdue_backups.into_iter().map(|line| line.backup).collect(),
            running: self.runs.values().filter_map(now_running).collect(),
            queued: self.runs.values().filter(|active| active.started.is_none()).count(),
            next: self.next_line().map(|next| NextRun { job: next.job, at: next.at }),
            last: self.last.values().filter_map(last_run).collect(),
        };
        situation.sentence(now, &zone::local())
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn stopped(bracket: &BracketLine) -> Stopped {
    Stopped {
        job: bracket.job.clone(),
        units: bracket.units.clone(),
        not_confirmed: bracket.not_confirmed.clone(),
    }
}

fn now_running(active: &Active) -> Option<NowRunning> {
    let step = active.steps.values().find(|step| step.end.is_none()).map(|step| step.key.step);
    Some(NowRunning {
        job: active.spec.job_name.clone(),
        step,
        of: active.spec.job.steps_in_sight(step.unwrap_or(StepIndex(0))),
        since: active.started?,
    })
}

/// The step that a run is at, and how far.
fn step_now(active: &Active) -> Option<StepNow> {
    let record = active.steps.values().find(|step| step.end.is_none())?;
    let newest = active.handle.progress.borrow();
    Some(StepNow {
        step: record.key.step,
        of: active.spec.job.steps_in_sight(record.key.step),
        title: record.title.clone(),
        since: record.at,
        progress: newest.as_ref().filter(|(of, _)| *of == record.key.step).map(|(_, p)| p.clone()),
    })
}

fn last_run(record: &RunRecord) -> Option<LastRun> {
    Some(LastRun {
        job: record.job.clone(),
        ended: record.ended?,
        outcome: record.outcome?,
        freed: record.numbers.bytes,
    })
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// The room on the file system of the media, as the ledger has it.
pub(super) fn space_line(trend: SpaceTrend) -> SpaceLine {
    SpaceLine {
        total_bytes: trend.total,
        free_bytes: trend.free,
        at: trend.at,
        earlier_free_bytes: trend.earlier.map(|(_, free)| free),
        earlier_at: trend.earlier.map(|(at, _)| at),
    }
}

/// A run that is over.
pub(super) fn ended_line(record: &RunRecord) -> RunLine {
    run_line(record, None, record.ended.unwrap_or(record.queued))
}

/// A run as the ledger has it; `waits_for` if it is known to wait.
pub(super) fn run_line(record: &RunRecord, waits_for: Option<String>, now: Timestamp) -> RunLine {
    let state = match (record.started, record.ended) {
        (_, Some(_)) => RunState::Ended,
        (Some(_), None) => RunState::Running,
        (None, None) => RunState::Queued,
    };
    RunLine {
        run: record.id.clone(),
        job: record.job.clone(),
        trigger: record.trigger.clone(),
        dry_run: record.dry_run,
        state,
        queued: record.queued,
        started: record.started,
        ended: record.ended,
        took_seconds: record.started.map(|started| seconds_between(started, record.ended.unwrap_or(now))),
        outcome: record.outcome,
        grade: record.grade,
        reason: record.reason.as_ref().map(|r| r.text.clone()).or(waits_for),
        numbers: record.numbers,
        step: None,
        waits_for: None,
    }
}

/// A run with its steps, as the ledger has them.
pub(super) fn run_detail(found: &RunWithSteps, now: Timestamp) -> RunDetail {
    RunDetail {
        run: run_line(&found.run, None, now),
        digest: found.run.digest.clone(),
        steps: found.steps.iter().map(|step| step_line(step, now)).collect(),
    }
}

fn step_line(record: &StepRecord, now: Timestamp) -> StepLine {
    let end = record.end.as_ref();
    StepLine {
        step: record.key.step,
        title: record.title.clone(),
        started: end.map_or(record.at, |e| e.started),
        ended: end.map(|e| e.ended),
        took_seconds: end.map_or_else(|| seconds_between(record.at, now), |e| e.took.get().as_secs_f64()),
        outcome: end.map(|e| e.verdict.outcome),
        grade: end.map(|e| e.verdict.grade),
        reasons: end.map(|e| e.verdict.reasons.clone()).unwrap_or_default(),
        numbers: end.map(|e| e.verdict.numbers).unwrap_or_default(),
        exit: end.and_then(|e| e.exit),
        signal: end.and_then(|e| e.signal.clone()),
        peak_rss_bytes: end.and_then(|e| e.peak_rss),
        space: end.and_then(|e| e.space),
        lines: end.map_or(0, |e| e.lines),
        bytes: end.map_or(0, |e| e.bytes),
        output_kept: record.output_kept,
    }
}

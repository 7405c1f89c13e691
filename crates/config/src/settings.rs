//! Checked settings: what the rest of mastmaintd works with. Nothing in here can be wrong any more; the only way to
//! make one is [`crate::load`] (or reading back what it once accepted).

pub use crate::actions::{Action, ServicesAction, SystemctlAction, SystemctlVerb, VerifyAction};
pub use crate::restores::{Copied, DatabaseAction, Dump, Restore, RestoreAction, Swap, WayBack};
pub use crate::steps::{Again, AtMost, Judged, OnPartial, Prove, Step};
use crate::{calendar::Schedule, probes::Probes, requires::Requires, targets::Target};
use mastmaint_words::{BackupName, Hold, JobName, LockName, Span, StepIndex, UnitName, backup::Backups};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// Variables of a process. Built from nothing: no variable of the daemon ever reaches a step.
pub type Environment = BTreeMap<String, String>;

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The Mastodon of this host; absent on a backup server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// What can be verified.
    #[serde(default, skip_serializing_if = "Backups::is_empty")]
    pub backups: Backups,
    /// Every job and runbook.
    pub jobs: BTreeMap<JobName, Job>,
    /// How long the ledger remembers.
    pub ledger: LedgerSettings,
    /// Periods in which jobs marked `change: true` do not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// Who is told what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Target>,
    /// Health questions to the instance.
    #[serde(default, skip_serializing_if = "Probes::is_empty")]
    pub probes: Probes,
}

/// The Mastodon on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its Rails root, absolute.
    pub live: PathBuf,
    /// The user that it runs as.
    pub user: String,
    /// Its systemd units; only these are ever acted on.
    pub services: Vec<UnitName>,
    /// A service that was started counts as up when it has stayed up, unchanged, for this long.
    #[serde(default = "usual_settle")]
    pub settle: Span,
    /// What every tootctl step finds in its environment beyond the defaults of `facts/mastodon.md`.
    #[serde(default, skip_serializing_if = "Environment::is_empty")]
    pub environment: Environment,
    /// Where visitors find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

fn usual_settle() -> Span {
    USUAL_SETTLE
}

/// [`Instance::settle`] where the configuration says nothing.
pub const USUAL_SETTLE: Span = Span::from_secs(10);

/// How long runs and their output are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerSettings {
    /// Runs older than this are forgotten, except the last one of each job.
    pub keep: Span,
    /// The kept output of steps older than this is dropped.
    pub keep_output: Span,
}

/// A named list of steps with a schedule and a policy; one without a schedule is a runbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What it is for, in the admin's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it is due; `None` for a runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// At most this much is added to each slot, the same for the same slot.
    pub random_delay: Span,
    /// Nothing is started by schedule, caught up or retried outside of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Whether one missed slot is run later.
    pub catch_up: bool,
    /// The whole run ends after this.
    pub timeout: Span,
    /// What happens after a failure.
    pub retry: Retry,
    /// Whether it changes the server: such a job does not run during a hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub change: bool,
    /// What must hold before a run of it is admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<Requires>,
    /// Runs that share it never overlap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockName>,
    /// A run that has waited this long for another one is skipped.
    #[serde(default = "usual_lock_wait")]
    pub lock_wait: Span,
    /// What is done, in order. A job that stops services has the stop first, its start after the steps that need them
    /// stopped, and after that what is done `then`.
    pub steps: Vec<Step>,
}

/// How long a run waits for another one where nothing else is written: a lock is free in every night.
pub const fn usual_lock_wait() -> Span {
    Span::from_secs(12 * 3600)
}

/// The part of the day in which a job may start, in the job's time zone.
///
/// `until` alone begins at the slot. The end is exclusive; an end before the begin lies on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Not before this time of day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<jiff::civil::Time>,
    /// Not at or after this time of day.
    pub until: jiff::civil::Time,
}

/// What happens after a run that did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// At most this many more runs.
    pub times: u32,
    /// Wait before the first retry; doubled before each further one.
    pub backoff: Span,
    /// After what.
    pub on: RetryOn,
}

/// After what a run is tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    /// Only if something did not answer: database, Redis, network.
    #[default]
    Unreachable,
    /// After every `failed`, `timed-out` or `interrupted` run.
    Failed,
}

impl Job {
    /// The steps with their positions.
    pub fn indexed_steps(&self) -> impl Iterator<Item = (StepIndex, &Step)> {
        (0_u16..).map(StepIndex).zip(&self.steps)
    }

    /// Whether a step of it can leave a service stopped.
    pub fn stops_services(&self) -> bool {
        self.steps.iter().any(|step| step.action.stops_services())
    }

    /// Whether a step of it verifies this backup.
    pub fn verifies(&self, backup: &BackupName) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(&step.action, Action::Verify(action) if action.backup == *backup))
    }

    /// Where its bracket begins and ends, if it stops services.
    pub fn bracket(&self) -> Option<Bracket<'_>> {
        let (stop, units) = self.indexed_steps().find_map(|(index, step)| match &step.action {
            Action::Services(ServicesAction::Stop { units, .. }) => Some((index, units.as_slice())),
            _ => None,
        })?;
        let is_start = |step: &Step| matches!(step.action, Action::Services(ServicesAction::Start));
        let start = self.indexed_steps().find(|(_, step)| is_start(step))?.0;
        Some(Bracket { stop, start, units })
    }
}

/// Where the bracket of a job lies among its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bracket<'a> {
    /// The step that stops the services.
    pub stop: StepIndex,
    /// The step that starts them again.
    pub start: StepIndex,
    /// What is stopped.
    pub units: &'a [UnitName],
}

impl Bracket<'_> {
    /// Whether a step runs while the services are stopped.
    pub fn holds(&self, step: StepIndex) -> bool {
        self.stop < step && step < self.start
    }

    /// Whether a step runs right after the stop.
    pub fn comes_first(&self, step: StepIndex) -> bool {
        self.holds(step) && step.0 == self.stop.0 + 1
    }
}

//! Checked settings: what the rest of mastmaintd works with. Nothing in here can be wrong any more; the only way to
//! make one is [`crate::load`] (or reading back what it once accepted).

pub use crate::restores::{Copied, DatabaseAction, Dump, Restore, RestoreAction, Swap};
use crate::{calendar::Schedule, guard::GuardAction, probes::Probes, requires::Requires, targets::Target};
use mastmaint_words::{
    BackupName, Bytes, Hold, JobName, LockName, Percent, ProbeName, Span, StepIndex, UnitName,
    backup::Backups,
};
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

/// One action of a job with its policy. All defaults are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    #[serde(flatten)]
    pub action: Action,
    /// TERM after this.
    pub timeout: Span,
    /// KILL this long after TERM.
    pub grace: Span,
    /// TERM after this much time without a sign of life; `None` for no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_limit: Option<Span>,
    /// Whether the next step runs after a `partial` one.
    pub on_partial: OnPartial,
    /// Whether the next step runs after one that did not end well.
    #[serde(rename = "continue")]
    pub go_on: bool,
    /// How its effect is looked at.
    #[serde(default, skip_serializing_if = "Prove::is_none")]
    pub prove: Prove,
    /// How much it may remove without a person's approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<AtMost>,
    /// A command that must never be scheduled is meant all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dangerous: bool,
    /// How it is judged beside what is known of its command.
    #[serde(flatten)]
    pub judged: Judged,
    /// Job's and step's variables, merged; the instance's come before them.
    #[serde(default, skip_serializing_if = "Environment::is_empty")]
    pub environment: Environment,
}

/// How the effect of a step is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prove {
    /// The same with `--dry-run` right after must find nearly nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
    /// So many rows that must go are looked at before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u16>,
}

impl Prove {
    /// Whether nothing is looked at.
    pub const fn is_none(&self) -> bool {
        self.again.is_none() && self.sample.is_none()
    }
}

/// The dry run right after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// It may find so many items.
    pub tolerance: u32,
}

/// How a step is judged beside what is known of its command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// So many items may fail: what is gone for ever fails for ever.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tolerated_errors: u32,
    /// Regular expressions; each must be found in a line of the output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<String>,
    /// Regular expressions; none may be found in a line of the output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fail_on: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How much a step may remove without a person's approval. What is absent has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// So many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// So many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// So many of a hundred files; only of remove-orphans it is known how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Percent>,
    /// So many times what it usually removes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_usual: Option<u32>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Arguments of `bin/tootctl`.
    Tootctl(Vec<String>),
    /// A verb and the units it acts on.
    Systemctl(SystemctlAction),
    /// A program of the admin with its arguments; no shell reads it.
    Run(Vec<String>),
    /// A backup that is verified.
    Verify(VerifyAction),
    /// A probe that is asked until it says yes.
    Probe(ProbeName),
    /// A part of a restore of files.
    Restore(RestoreAction),
    /// A part of a restore of a database.
    Database(DatabaseAction),
    /// The instance's Redis is emptied, once a person has seen what is in it.
    RedisFlush,
    /// An end of a bracket.
    Services(ServicesAction),
    /// A part of a guarded change.
    Guard(GuardAction),
}

/// What the verify room and the remote room do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyAction {
    /// Which backup.
    pub backup: BackupName,
    /// Everything is read, whatever the budget and the age of its proof.
    #[serde(default)]
    pub full: bool,
    /// It lies on another host: the remote room does it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remote: bool,
}

/// The two ends of a bracket, the time in which a job has stopped services and owes their start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServicesAction {
    /// Those of these units that run are recorded and stopped.
    Stop {
        /// In the order in which they are started again; a template stands for its loaded instances.
        units: Vec<UnitName>,
        /// What an earlier restore keeps down is taken over: this one brings a whole set.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        mends: bool,
    },
    /// What was recorded is started again and watched until it stays up and answers.
    Start,
    /// What was recorded stays down until a person starts it: there is nothing whole that it could run on.
    KeepDown,
}

/// What the systemctl room does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemctlAction {
    /// What to do.
    pub verb: SystemctlVerb,
    /// To which units, in this order; each named by `instance.services` or loaded from such a template.
    pub units: Vec<UnitName>,
}

/// What the systemctl room knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemctlVerb {
    /// Start units.
    Start,
    /// Stop units.
    Stop,
    /// Stop and start units.
    Restart,
    /// Ask units to read their configuration again.
    Reload,
    /// Show their state for people; fails if one is not active.
    Status,
    /// Show their properties for machines.
    Show,
    /// Forget that they failed.
    ResetFailed,
}

/// Whether the next step runs after a `partial` one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnPartial {
    /// It does.
    #[default]
    GoOn,
    /// It does not.
    Stop,
}

impl SystemctlVerb {
    /// Every verb.
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Stop, Self::Restart, Self::Reload, Self::Status, Self::Show, Self::ResetFailed];

    /// The word that systemctl knows it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Status => "status",
            Self::Show => "show",
            Self::ResetFailed => "reset-failed",
        }
    }

    /// Whether it can leave a service stopped: such a step is refused when the ledger cannot be written.
    pub const fn stops_services(self) -> bool {
        matches!(self, Self::Stop | Self::Restart)
    }
}

impl Action {
    /// Whether it can leave a service stopped.
    pub const fn stops_services(&self) -> bool {
        match self {
            Self::Systemctl(action) => action.verb.stops_services(),
            Self::Services(ServicesAction::Stop { .. }) => true,
            Self::Tootctl(_)
            | Self::Run(_)
            | Self::Verify(_)
            | Self::Probe(_)
            | Self::Restore(_)
            | Self::Database(_)
            | Self::RedisFlush
            | Self::Guard(_)
            | Self::Services(ServicesAction::Start | ServicesAction::KeepDown) => false,
        }
    }

    /// Whether it moves what is live: such a step is never left halfway.
    pub const fn moves_live(&self) -> bool {
        match self {
            Self::Restore(action) => action.moves_live(),
            Self::Database(action) => action.moves_live(),
            _ => false,
        }
    }

    /// Whether it moves the database that is live.
    pub const fn moves_a_database(&self) -> bool {
        matches!(self, Self::Database(action) if action.moves_live())
    }

    /// The room in which it runs.
    pub const fn room(&self) -> mastmaint_words::Room {
        use mastmaint_words::Room;
        match self {
            Self::Tootctl(_) | Self::RedisFlush | Self::Restore(RestoreAction::Try(_)) => Room::Tootctl,
            Self::Run(_) => Room::Run,
            Self::Systemctl(_) | Self::Services(_) => Room::Systemctl,
            Self::Verify(VerifyAction { remote: true, .. }) => Room::Remote,
            Self::Verify(_) => Room::Verify,
            Self::Probe(_) => Room::Probe,
            Self::Restore(_) => Room::Restore,
            Self::Database(action) => action.room(),
            Self::Guard(action) => action.room(),
        }
    }

    /// The word in the config.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tootctl(_) => "tootctl",
            Self::Systemctl(_) => "systemctl",
            Self::Run(_) => "run",
            Self::Verify(_) => "verify",
            Self::Probe(_) => "probe",
            Self::Restore(_) => "restore",
            Self::Database(_) => "restore-database",
            Self::RedisFlush => "redis-flush",
            Self::Services(_) => "services",
            Self::Guard(_) => "guard",
        }
    }

    /// One line for people: `tootctl media remove --days 7`. Variables are not part of it, and secrets among
    /// the arguments are taken out: it goes to the journal, the ledger and everybody who looks.
    pub fn title(&self) -> String {
        match self {
            Self::Tootctl(args) => format!("tootctl {}", crate::command_line::shown(args)),
            Self::Systemctl(action) => {
                let units: Vec<_> = action.units.iter().map(UnitName::as_str).collect();
                format!("systemctl {} {}", action.verb.as_str(), units.join(" "))
            }
            Self::Run(argv) => crate::command_line::shown(argv),
            Self::Verify(action) if action.full => format!("verify {} in full", action.backup),
            Self::Verify(action) => format!("verify {}", action.backup),
            Self::Probe(probe) => format!("probe {probe}"),
            Self::Restore(action) => action.title(),
            Self::Database(action) => action.title(),
            Self::RedisFlush => "empty Redis".to_owned(),
            Self::Services(ServicesAction::Stop { units, .. }) => {
                let units: Vec<_> = units.iter().map(UnitName::as_str).collect();
                format!("stop {}, to be started again", units.join(" "))
            }
            Self::Services(ServicesAction::KeepDown) => "leave the services stopped".to_owned(),
            Self::Services(ServicesAction::Start) => {
                "start what was stopped, and see that it works".to_owned()
            }
            Self::Guard(action) => action.title(),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_holds_no_secret() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let run = Action::Run(words("/usr/bin/curl -u backup:s3cr3tPassw0rd http://127.0.0.1:1/"));
        assert_eq!(run.title(), "/usr/bin/curl -u backup:[redacted] http://127.0.0.1:1/");
        let tootctl = Action::Tootctl(words("accounts create bob --api-token hunter2"));
        assert_eq!(tootctl.title(), "tootctl accounts create bob --api-token [redacted]");
        assert_eq!(Action::Tootctl(words("media remove --days 7")).title(), "tootctl media remove --days 7");
    }
}

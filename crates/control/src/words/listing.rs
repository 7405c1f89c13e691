//! Jobs, runs and steps as listings show them.

use jiff::Timestamp;
use mastmaint_words::{
    BackupName, Digest, Grade, Hold, HoldId, JobName, LockName, Numbers, Outcome, Reason, RunId, Space,
    StepIndex, Trigger,
    backup::{Drill, KnownFinding, Newest, Severity},
};
use serde::{Deserialize, Serialize};

/// A job in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobLine {
    /// Its name.
    pub job: JobName,
    /// In the admin's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// As written, with the zone: `30 0 * * * Europe/Paris`; absent for a runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// When it runs next, random delay included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Which retry the next run is, if it is one: 1 for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<u32>,
    /// Its newest finished run; neither a dry run nor a skipped slot, unless there is no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<RunLine>,
    /// Its run that runs or waits now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<RunLine>,
    /// Whether a person paused it.
    pub paused: bool,
    /// Whether it is marked `change: true`.
    #[serde(default)]
    pub change: bool,
    /// The hold that would keep it from starting now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HoldLine>,
}

/// A backup in a listing: what its last verification came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupLine {
    /// When it was verified.
    pub verified: Timestamp,
    /// By which run.
    pub run: RunId,
    /// Its name.
    pub backup: String,
    /// `rsnapshot`, `postgres`.
    pub kind: String,
    /// The newest complete one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// What would come back and how that is known.
    pub sentence: String,
    /// The worst finding; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Severity>,
    /// How much of it is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofLine>,
    /// The last time that it was brought to life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
    /// What there is to say, the worst first, with the ids by which people acknowledge it.
    pub findings: Vec<KnownFinding>,
    /// The run that verifies it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<RunId>,
}

/// A backup that is not known to be fresh: its newest is older than `max_age`, and nobody has seen a newer one though
/// there was time to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverdueBackup {
    /// Which.
    pub backup: BackupName,
    /// Since when.
    pub since: Timestamp,
    /// When it was verified last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// When the newest that was seen then was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
}

/// How much of a backup is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofLine {
    /// Different files in it.
    pub files: u64,
    /// Those whose content is proved.
    pub proved: u64,
    /// The oldest of these proofs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// Rotten, missing or unreadable.
    pub bad: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// A hold in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldLine {
    /// By which it is called; absent for one of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<HoldId>,
    /// When, for what and why.
    #[serde(flatten)]
    pub hold: Hold,
    /// Whether it is on now; else it is still to come.
    pub on: bool,
    /// Who set it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
}

/// What a waiting run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitLine {
    /// The lock; absent if both are runs of one job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockName>,
    /// The job of the run that it waits for.
    pub job: JobName,
    /// That run.
    pub run: RunId,
    /// Whether that one runs; else it waits before it.
    pub running: bool,
    /// It is skipped if it still waits then.
    pub until: Timestamp,
}

/// A run in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunLine {
    /// Its id.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// Why it exists.
    pub trigger: Trigger,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// Where it stands.
    pub state: RunState,
    /// When it was made.
    pub queued: Timestamp,
    /// When its first step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How long it took or has taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_seconds: Option<f64>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The lowest grade of its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// The sentence for people: the first reason of its worst step, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Sums over its steps.
    #[serde(default)]
    pub numbers: Numbers,
    /// The step that it is at, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepNow>,
    /// The run that it waits for, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitLine>,
}

/// The step that a run is at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepNow {
    /// Its position, from 0.
    pub step: StepIndex,
    /// Of how many.
    pub of: u16,
    /// What it does.
    pub title: String,
    /// Since when.
    pub since: Timestamp,
    /// How far it is, once it has shown something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<StepProgress>,
}

/// How far a running step is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepProgress {
    /// Lines of output so far.
    pub lines: u64,
    /// Lines so far that say that something went wrong.
    #[serde(default)]
    pub errors: u64,
    /// Share of the progress bar that is filled, in percent: an estimate from its width unless items are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_percent: Option<u8>,
    /// Items that are done, where the bar counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_done: Option<u64>,
    /// Items that there are, where the bar counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_of: Option<u64>,
    /// The newest line.
    #[serde(default)]
    pub last: String,
    /// The newest sign of life: `output`, `work` (processor time), `start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<String>,
    /// When it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_at: Option<Timestamp>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It waits for a lock or for its job's earlier run.
    Queued,
    /// It runs.
    Running,
    /// It is over.
    Ended,
}

/// A run with its steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDetail {
    /// The run.
    #[serde(flatten)]
    pub run: RunLine,
    /// The configuration that it follows.
    pub digest: Digest,
    /// Its steps, those that have begun.
    pub steps: Vec<StepLine>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepLine {
    /// Its position, from 0.
    pub step: StepIndex,
    /// What it does.
    pub title: String,
    /// When it began.
    pub started: Timestamp,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// How long it took or has taken.
    pub took_seconds: f64,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How sure that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What was counted.
    pub numbers: Numbers,
    /// Exit status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The most memory that one of its processes held at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_rss_bytes: Option<u64>,
    /// The room on the file system of the media before and after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<Space>,
    /// Lines of output.
    pub lines: u64,
    /// Bytes of output.
    pub bytes: u64,
    /// Whether a copy of the output is kept.
    pub output_kept: bool,
}

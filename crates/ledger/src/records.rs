//! What goes into the ledger and what comes out of it. Times are kept to the microsecond.

use jiff::Timestamp;
use mastmaint_words::{
    Digest, Grade, Hold, HoldId, JobName, Numbers, Outcome, Reason, Room, RunId, Space, Span, StepIndex,
    StepKey, Trigger, Verdict,
};
use std::collections::BTreeMap;

/// Up to where the slots of a job are dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Every slot up to and with this instant was run, caught up or given up.
    pub handled: Timestamp,
    /// What the scheduler keeps beside it, in its own words.
    pub state: String,
}

/// A run that is about to wait for its admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Its job.
    pub job: JobName,
    /// Why it exists.
    pub trigger: Trigger,
    /// The configuration that it follows.
    pub digest: Digest,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// When it was made.
    pub queued_at: Timestamp,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// Its job.
    pub job: JobName,
    /// Why it exists.
    pub trigger: Trigger,
    /// The configuration that it follows.
    pub digest: Digest,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// When it was made.
    pub queued: Timestamp,
    /// When it was admitted.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// What became of it; there as soon as `ended` is.
    pub outcome: Option<Outcome>,
    /// The lowest grade of its steps.
    pub grade: Option<Grade>,
    /// Why, in one sentence.
    pub reason: Option<Reason>,
    /// Sums over its steps.
    pub numbers: Numbers,
    /// When somebody cancelled it, if that was before it was over.
    pub cancel_asked: Option<Timestamp>,
}

/// A run with those of its steps that have begun, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunWithSteps {
    /// The run.
    pub run: RunRecord,
    /// Its steps.
    pub steps: Vec<StepRecord>,
}

/// A step that is about to be sent to its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepStart {
    /// Run and step.
    pub key: StepKey,
    /// What it does, for people.
    pub title: String,
    /// Where it runs.
    pub room: Room,
    /// When it was sent.
    pub at: Timestamp,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEnd {
    /// Run and step.
    pub key: StepKey,
    /// Outcome, grade, reasons, numbers.
    pub verdict: Verdict,
    /// When its process was started.
    pub started: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// How long it took by the monotonic clock.
    pub took: Span,
    /// Exit status, if it exited.
    pub exit: Option<i32>,
    /// Name of the signal that ended it.
    pub signal: Option<String>,
    /// Lines of output.
    pub lines: u64,
    /// Bytes of output.
    pub bytes: u64,
    /// Lines that are not in the kept copy.
    pub omitted: u64,
    /// Largest resident set of its process tree, in bytes.
    pub peak_rss: Option<u64>,
    /// The room on the file system of the media.
    pub space: Option<Space>,
}

/// A step that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    /// Run and step.
    pub key: StepKey,
    /// What it does, for people.
    pub title: String,
    /// Where it runs.
    pub room: Room,
    /// When it was sent to its room.
    pub at: Timestamp,
    /// Number of the newest of its events that the journal has.
    pub journaled: u64,
    /// Whether a copy of its output is kept.
    pub output_kept: bool,
    /// What became of it, once it is over.
    pub end: Option<StepEnd>,
}

/// A run that is owed because an earlier one found something that did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRetry {
    /// Whose.
    pub job: JobName,
    /// First run of the chain.
    pub of: RunId,
    /// 1 for the first retry.
    pub attempt: u32,
    /// The slot that the first run answered, if any.
    pub slot: Option<Timestamp>,
    /// Not before this instant.
    pub not_before: Timestamp,
    /// The configuration that the failed run followed.
    pub digest: Digest,
}

/// A run that was skipped because it would remove more than its job allows, and that a person may start all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The run that was skipped.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// When it was skipped.
    pub at: Timestamp,
    /// What the looks found, by step: so much is allowed once it is approved.
    pub found: BTreeMap<StepIndex, Numbers>,
    /// What those steps were when they were looked at: the approval is for nothing else.
    pub titles: BTreeMap<StepIndex, String>,
    /// What was too much, in a sentence.
    pub why: String,
    /// The run that was started with it.
    pub used_by: Option<RunId>,
}

/// How the room on the file system of the media has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceTrend {
    /// Its size.
    pub total: u64,
    /// What was free after the newest step that looked.
    pub free: u64,
    /// When that was.
    pub at: Timestamp,
    /// What was free about a week before that, or after the oldest step that looked if that is younger.
    pub earlier: Option<(Timestamp, u64)>,
}

/// What [`crate::Ledger::forget_old`] forgot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Runs, with their steps.
    pub runs: usize,
    /// Kept outputs, those of forgotten runs not counted.
    pub outputs: usize,
}

/// A job that a person paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Which.
    pub job: JobName,
    /// Since when.
    pub at: Timestamp,
    /// By whom.
    pub uid: u32,
}

/// A hold that was set by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandHold {
    /// By which it is called.
    pub id: HoldId,
    /// When it is on, for what, and why.
    pub hold: Hold,
    /// When it was set.
    pub at: Timestamp,
    /// By whom.
    pub uid: u32,
}

/// What a living daemon knows and a ledger that begins anew does not: see [`crate::Ledger::restore`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restore {
    /// Up to where each job's slots are dealt with.
    pub marks: BTreeMap<JobName, Mark>,
    /// The pauses.
    pub paused: Vec<Pause>,
    /// The retries that are owed.
    pub retries: Vec<PlannedRetry>,
    /// The holds that were set by hand.
    pub holds: Vec<HandHold>,
    /// Runs that wait for approval or have got one.
    pub approvals: Vec<Approval>,
    /// Runs, oldest first, with the steps that have begun.
    pub runs: Vec<RunWithSteps>,
}

//! Requests and replies. Times are RFC 3339, durations are seconds, sizes are bytes: these types are also what
//! `--json` prints, so a rename here is a change of a public format.

use jiff::Timestamp;
use mastmaint_words::{Digest, Grade, JobName, Numbers, Outcome, Reason, RunId, StepIndex, Trigger};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of this protocol and of every `--json` listing.
pub const VERSION: u16 = 1;
/// Longest request line, newline included.
pub const MAX_REQUEST: usize = 16 * 1024;
/// Longest reply line, newline included.
pub const MAX_REPLY: usize = 4 * 1024 * 1024;

/// What a client asks; one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum Request {
    /// One page about everything. Looking.
    Status,
    /// Every job. Looking.
    Jobs,
    /// Past runs, newest first. Looking.
    History {
        /// Of one job only.
        #[serde(default)]
        job: Option<JobName>,
        /// At most this many.
        limit: u32,
    },
    /// One run with its steps; an id, the beginning of one, or a job's name for its newest run. Looking.
    Show {
        /// Which.
        run: String,
    },
    /// The kept output of a step, as [`Reply::Output`] pieces and [`Reply::Done`]. Looking.
    Output {
        /// The run.
        run: RunId,
        /// The step.
        step: StepIndex,
    },
    /// What a run does from now on, as [`Reply::Follow`] lines up to its end. Looking.
    Follow {
        /// Which.
        run: RunId,
    },
    /// Run a job now. Doing.
    Run {
        /// Which.
        job: JobName,
        /// Change nothing where the commands can.
        dry_run: bool,
    },
    /// End a run. Doing.
    Cancel {
        /// Which: an id, the beginning of one, or a job's name.
        run: String,
    },
    /// Do not start a job by schedule. Doing.
    Pause {
        /// Which.
        job: JobName,
    },
    /// Take a pause back. Doing.
    Resume {
        /// Which.
        job: JobName,
    },
    /// Read the configuration again; answered when that is decided. Doing.
    Reload,
}

impl Request {
    /// Whether it changes anything: such requests are taken only on the control socket, from root or the daemon's
    /// own user.
    pub const fn is_doing(&self) -> bool {
        matches!(
            self,
            Self::Run { .. } | Self::Cancel { .. } | Self::Pause { .. } | Self::Resume { .. } | Self::Reload
        )
    }
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
pub enum Reply {
    /// To `Status`.
    Status(Box<Status>),
    /// To `Jobs`.
    Jobs {
        /// In the order of their names.
        jobs: Vec<JobLine>,
    },
    /// To `History`.
    History {
        /// Newest first.
        runs: Vec<RunLine>,
    },
    /// To `Show`.
    Run(Box<RunDetail>),
    /// A piece of a step's kept output.
    Output {
        /// Text; invalid UTF-8 was replaced.
        text: String,
    },
    /// A thing that a followed run did.
    Follow(FollowEvent),
    /// To `Run`: it waits for admission or runs.
    Queued {
        /// Its id.
        run: RunId,
        /// Why it does not run yet, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<String>,
        /// Whether it was there before it was asked for: a job never runs twice at once.
        #[serde(default)]
        already: bool,
        /// Whether the ledger could not take it: then `show` and `history` will not know it.
        #[serde(default)]
        unrecorded: bool,
    },
    /// To `Reload`: the new configuration is in force.
    Reloaded {
        /// Its digest.
        digest: Digest,
        /// What is odd but not wrong.
        warnings: Vec<String>,
    },
    /// To `Reload`: the old configuration stays in force.
    ReloadRefused {
        /// Rendered for people.
        mistakes: Vec<String>,
    },
    /// Done; nothing more to say.
    Done,
    /// Not done.
    Error {
        /// Stable code: `unknown-job`, `unknown-run`, `not-allowed`, `bad-request`, `too-large`, `too-many-clients`…
        code: String,
        /// What happened and what to do, one line.
        message: String,
    },
}

impl Reply {
    /// Whether nothing follows it in a streamed answer.
    pub const fn is_last(&self) -> bool {
        !matches!(
            self,
            Self::Output { .. }
                | Self::Follow(
                    FollowEvent::Waiting { .. }
                        | FollowEvent::StepStarted { .. }
                        | FollowEvent::Line { .. }
                        | FollowEvent::Progress { .. }
                        | FollowEvent::StepEnded { .. }
                )
        )
    }
}

/// One page about everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    pub daemon: String,
    /// Its process id.
    pub pid: u32,
    /// Since when it runs.
    pub since: Timestamp,
    /// The sentence of systemd's `STATUS=`.
    pub sentence: String,
    /// The configuration in force.
    pub config: ConfigStatus,
    /// What runs now.
    pub running: Vec<RunLine>,
    /// What waits for a lock.
    pub queued: Vec<RunLine>,
    /// The job that is due next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextLine>,
    /// Whether runs are being recorded; else why not.
    pub ledger: LedgerStatus,
    /// Log entries that the journal could not take.
    pub journal_lost: u64,
}

/// The configuration in force and what became of the newest try to replace it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// Its digest.
    pub digest: Digest,
    /// Where it was read.
    pub path: PathBuf,
    /// When it came into force.
    pub since: Timestamp,
    /// What is odd but not wrong.
    pub warnings: Vec<String>,
    /// Mistakes of a newer version that was refused; empty if none was.
    pub refused: Vec<String>,
}

/// The job that is due next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextLine {
    /// Which.
    pub job: JobName,
    /// When.
    pub at: Timestamp,
}

/// Whether runs are being recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum LedgerStatus {
    /// They are.
    Recording,
    /// They are not.
    NotRecording {
        /// Why and what to do.
        why: String,
    },
}

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
    /// Lines of output.
    pub lines: u64,
    /// Bytes of output.
    pub bytes: u64,
    /// Whether a copy of the output is kept.
    pub output_kept: bool,
}

/// A thing that a followed run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum FollowEvent {
    /// It waits for admission.
    Waiting {
        /// For what.
        why: String,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: StepIndex,
        /// Of how many.
        of: u16,
        /// What it does.
        title: String,
    },
    /// A line of output.
    Line {
        /// Which step.
        step: StepIndex,
        /// Whether it went to standard error.
        stderr: bool,
        /// The text.
        text: String,
    },
    /// Where a step stands.
    Progress {
        /// Which step.
        step: StepIndex,
        /// Lines so far.
        lines: u64,
        /// Share of the progress bar, in percent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bar_percent: Option<u8>,
        /// The newest line.
        last: String,
    },
    /// A step is over.
    StepEnded {
        /// It.
        step: Box<StepLine>,
    },
    /// The run is over; nothing follows.
    RunEnded {
        /// It.
        run: Box<RunLine>,
    },
}

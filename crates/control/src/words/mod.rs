//! Requests and replies. Times are RFC 3339, durations are seconds, sizes are bytes: these types are also what
//! `--json` prints, so a rename here is a change of a public format.

mod follow;
mod listing;
mod probes;
mod status;

pub use follow::FollowEvent;
pub use listing::{
    BackupLine, HoldLine, JobLine, OverdueBackup, ProofLine, RunDetail, RunLine, RunState, StepLine, StepNow,
    StepProgress, WaitLine,
};
pub use probes::{IncidentLine, ProbeLine, ProbeState};
pub use status::{
    ApprovalLine, BracketLine, ConfigStatus, LedgerStatus, NextLine, OverdueLine, SpaceLine, Status,
    TargetLine, TestAnswer,
};

use jiff::Timestamp;
use mastmaint_words::{BackupName, Digest, HoldId, HoldScope, JobName, RunId, StepIndex, backup::FindingId};
use serde::{Deserialize, Serialize};

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
        /// Also while a hold keeps it from running.
        #[serde(default)]
        despite_hold: bool,
    },
    /// End a run. Doing.
    Cancel {
        /// Which: an id, the beginning of one, or a job's name.
        run: String,
    },
    /// Start a run that was skipped because it would remove too much, allowing what its look found. Doing.
    Approve {
        /// Which: an id, the beginning of one, or a job's name for its newest.
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
    /// What is known of the backups. Looking.
    Backups,
    /// The times in which probes said no, newest first. Looking.
    Incidents {
        /// At most this many.
        limit: u32,
    },
    /// The holds that are on or still to come. Looking.
    Holds,
    /// Set a hold. Doing.
    HoldAdd {
        /// From here on.
        from: Timestamp,
        /// Not from here on any more.
        until: Timestamp,
        /// For which jobs.
        scope: HoldScope,
        /// Why.
        reason: String,
    },
    /// Take a hold back that was set by hand. Doing.
    HoldRemove {
        /// Which.
        id: HoldId,
    },
    /// Read the configuration again; answered when that is decided. Doing.
    Reload,
    /// Remind nobody of what is wrong with a job until that changes. Doing.
    Ack {
        /// Which.
        job: JobName,
        /// Not longer than this.
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// Remind nobody of a finding while it is there. Doing.
    AckFinding {
        /// Which.
        finding: FindingId,
        /// Not longer than this.
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// Send a test to those who are told; answered when all have answered. Doing.
    NotifyTest {
        /// To one only, counted from 1.
        #[serde(default)]
        target: Option<u16>,
    },
}

impl Request {
    /// Whether it changes anything: such requests are taken only on the control socket, from root or the daemon's
    /// own user.
    pub const fn is_doing(&self) -> bool {
        matches!(
            self,
            Self::Run { .. }
                | Self::Approve { .. }
                | Self::Cancel { .. }
                | Self::Pause { .. }
                | Self::Resume { .. }
                | Self::HoldAdd { .. }
                | Self::HoldRemove { .. }
                | Self::Reload
                | Self::Ack { .. }
                | Self::AckFinding { .. }
                | Self::NotifyTest { .. }
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
        /// The room on the disk of the media, where steps have seen it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        space: Option<SpaceLine>,
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
        /// The run, if it is over already: something that its job requires was not so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<Box<RunLine>>,
    },
    /// To `Backups`.
    Backups {
        /// By name.
        backups: Vec<BackupLine>,
        /// Those that are not known to be fresh.
        #[serde(default)]
        overdue: Vec<OverdueBackup>,
        /// Those of the configuration that were never verified.
        #[serde(default)]
        unverified: Vec<BackupName>,
    },
    /// To `Incidents`.
    Incidents {
        /// Newest first.
        incidents: Vec<IncidentLine>,
    },
    /// To `Holds`.
    Holds {
        /// Those that are on first, then by their begin.
        holds: Vec<HoldLine>,
    },
    /// To `HoldAdd`.
    HoldAdded {
        /// By which it is called.
        id: HoldId,
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
    /// To `NotifyTest`.
    Tested {
        /// In their order.
        answers: Vec<TestAnswer>,
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

//! The words between the daemon (client) and a room: one JSON object a line, at most [`MAX_FRAME`] bytes each.
//!
//! A request names digest, run, job and step, never a command line. The room says [`EventKind::Hello`] first, then
//! answers the requests of the connection in turn. Unknown fields are ignored and unknown kinds are errors, so that
//! versions N and N−1 understand each other.

mod notice;

pub use notice::Notice;

use crate::probe::Said;
pub use crate::requires::Unmet;
use jiff::Timestamp;
use mastmaint_words::{
    Digest, JobName, ProbeName, Room, RunId, Space, Span, StepKey, UnitName, Verdict, backup,
};
use serde::{Deserialize, Serialize};

/// The version that this build speaks.
pub const VERSION: u16 = 1;
/// The oldest version that this build understands.
pub const OLDEST_VERSION: u16 = 1;
/// Longest line in either direction, newline included.
pub const MAX_FRAME: usize = 64 * 1024;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Version of the speaker.
    pub v: u16,
    /// What is asked.
    #[serde(flatten)]
    pub op: Op,
}

/// The things that can be asked of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "op")]
pub enum Op {
    /// Check the configuration in its place and store it (systemctl room only).
    /// Answer: [`EventKind::Accepted`] or [`EventKind::Rejected`].
    Accept {
        /// Digests that runs still use; others may be thrown away.
        in_use: Vec<Digest>,
        /// It is not known what runs use: nothing may be thrown away.
        #[serde(default)]
        keep_all: bool,
    },
    /// Run a step; idempotent. Answer: events up to [`EventKind::Finished`] or [`EventKind::Refused`]. A step that
    /// was started before is followed instead, one that has finished is reported again, one whose runner died is
    /// reported `interrupted`; none runs twice.
    Start {
        /// Configuration that the step is looked up in.
        digest: Digest,
        /// Job that the step is looked up in.
        job: JobName,
        /// Run and step.
        key: StepKey,
        /// With `--dry-run` where the command has one, else `skipped`.
        #[serde(default)]
        dry_run: bool,
        /// Lowers the step's timeout to what is left of the job's; never raises it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<Span>,
    },
    /// Follow a running step or fetch the outcome of a finished one. Answer: as for `Start`, or
    /// [`EventKind::Unknown`].
    Collect {
        /// Run and step.
        key: StepKey,
        /// Leave out numbered events up to and with this one.
        #[serde(default)]
        after: u64,
    },
    /// End a running step: TERM, grace, KILL. A second one kills at once, unless it is said gently.
    /// Answer: [`EventKind::Cancelling`], [`EventKind::Unknown`], or [`EventKind::Refused`] with `not-running` if it
    /// has ended already; those who follow it get the outcome.
    Cancel {
        /// Run and step.
        key: StepKey,
        /// Do nothing if it is being ended already: said by whoever does not know whether the first was heard.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        gently: bool,
    },
    /// Tell somebody (notify room only). Answer: [`EventKind::Notified`], or [`EventKind::Refused`] with `not-told` and
    /// what the other side said.
    Notify {
        /// Configuration that the target is looked up in.
        digest: Digest,
        /// Position among the targets of `notify:`, from 0.
        target: u16,
        /// What to tell.
        notice: Box<Notice>,
    },
    /// Name every step that is kept. Answer: any number of [`EventKind::Kept`], then [`EventKind::Listed`].
    List,
    /// Name every bracket that is open (systemctl room only). Answer: any number of [`EventKind::Bracket`], then
    /// [`EventKind::Listed`].
    Brackets,
    /// A daemon goes on with a run whose services are stopped (systemctl room only). Answer: [`EventKind::Resumed`], or
    /// [`EventKind::Refused`] with `bracket-closed` if they have been started meanwhile.
    Resume {
        /// The run.
        run: RunId,
    },
    /// Ask a service of the instance whether it works (probe room only). Answer: [`EventKind::Probed`].
    Probe {
        /// Configuration that names the service.
        digest: Digest,
        /// Its unit.
        unit: UnitName,
        /// When it was started: an older sign of life does not count.
        since: Timestamp,
    },
    /// Ask probes of the configuration, all at once (probe room only). Answer: an [`EventKind::Answered`] for each as it
    /// comes, then [`EventKind::Listed`].
    Ask {
        /// Configuration that the probes are looked up in.
        digest: Digest,
        /// Which.
        probes: Vec<AskedProbe>,
    },
    /// Look at what a job requires of its host, as far as this room does (systemctl and probe room). Answer:
    /// [`EventKind::Looked`].
    Look {
        /// Configuration that the job is looked up in.
        digest: Digest,
        /// The job.
        job: JobName,
    },
    /// Throw away the outcome of a finished step: the ledger has it. Answer: [`EventKind::Forgotten`], also where
    /// nothing is known of it, or [`EventKind::Refused`] with `busy` while it runs.
    Forget {
        /// Run and step.
        key: StepKey,
    },
}

impl Op {
    /// The step that it is about, if it is about one.
    pub const fn key(&self) -> Option<&StepKey> {
        match self {
            Self::Accept { .. }
            | Self::Notify { .. }
            | Self::List
            | Self::Brackets
            | Self::Resume { .. }
            | Self::Probe { .. }
            | Self::Ask { .. }
            | Self::Look { .. } => None,
            Self::Start { key, .. }
            | Self::Collect { key, .. }
            | Self::Cancel { key, .. }
            | Self::Forget { key } => Some(key),
        }
    }
}

/// What a room says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Version of the speaker.
    pub v: u16,
    /// Number of the event among those of its step, from 1. 0 for answers and progress, which a later client does not
    /// get, and for copy and end, which every client gets whatever it has seen.
    #[serde(default)]
    pub seq: u64,
    /// What is said.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The things that a room can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum EventKind {
    /// First line of every connection.
    Hello {
        /// Which room this is.
        room: Room,
        /// Version of the program, for people.
        program: String,
        /// Oldest protocol version that it understands.
        oldest: u16,
    },
    /// The configuration is good and stored.
    Accepted {
        /// Its digest.
        digest: Digest,
        /// What is odd but not wrong, rendered for people.
        warnings: Vec<String>,
    },
    /// The configuration is bad; the one before it stays in force.
    Rejected {
        /// The mistakes, rendered for people with file, line, column and caret, cut to what fits a frame.
        mistakes: Vec<String>,
    },
    /// The step's process runs.
    Started {
        /// When.
        at: Timestamp,
        /// Its process id in the room.
        pid: i32,
    },
    /// A line of the bounded share of the output, redacted.
    Line {
        /// When it was read.
        at: Timestamp,
        /// Where it came from.
        stream: Stream,
        /// What it is.
        class: LineClass,
        /// The text, at most 4096 bytes, no newline, no escape codes.
        text: String,
    },
    /// This many lines are not shown between what came before and what follows.
    Omitted {
        /// How many.
        lines: u64,
    },
    /// Where it stands, about once a second while something changes.
    Progress(Progress),
    /// Still running after this much of its timeout; said once, before it is ended.
    Slow {
        /// Time since its start.
        running: Span,
    },
    /// No sign of life for half of its limit: it will be ended if none comes.
    Quiet {
        /// Time since its start.
        running: Span,
        /// Time since the last sign.
        silence: Span,
        /// The limit.
        limit: Span,
    },
    /// A limit was reached or a cancel came: TERM was sent.
    Ending {
        /// Why.
        why: EndingCause,
        /// KILL follows after this.
        grace: Span,
    },
    /// A piece of the kept copy of the output: gzip, base64. Pieces come in order, right before `Finished`.
    Copy {
        /// The piece.
        data: String,
    },
    /// It is over; the outcome is durable in the room until it is forgotten.
    Finished {
        /// What became of it.
        report: Box<StepReport>,
    },
    /// A step that the room keeps.
    Kept {
        /// Run and step.
        key: StepKey,
        /// Its job.
        job: JobName,
        /// The configuration that it follows.
        digest: Digest,
        /// When it was begun.
        at: Timestamp,
        /// Whether a runner works on it; else it is over or its runner died.
        working: bool,
    },
    /// A bracket that is open.
    Bracket(BracketLine),
    /// The services of the run are stopped still.
    Resumed,
    /// What the service said.
    Probed {
        /// It.
        said: Said,
    },
    /// What a probe was answered.
    Answered(ProbeAnswer),
    /// What was required was looked at.
    Looked {
        /// What of it does not hold; nothing if all of it does.
        unmet: Vec<Unmet>,
    },
    /// There are no more.
    Listed,
    /// The room knows nothing of this step.
    Unknown,
    /// The other side took the message.
    Notified {
        /// What it said.
        answer: String,
    },
    /// The cancel is under way.
    Cancelling,
    /// The outcome is thrown away.
    Forgotten,
    /// The request is not obeyed. Nothing ran.
    Refused {
        /// Stable code: `not-in-config`, `unit-not-named`, `busy`, `bad-request`, `too-large`, `version`,
        /// `not-running`, `not-told`, `wrong-room`, `no-state` (its start cannot be recorded durably: it could run twice).
        code: String,
        /// What happened and what to do, one line.
        message: String,
    },
    /// Something that a newer version says; it can be passed over.
    #[serde(other)]
    Other,
}

/// A probe that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedProbe {
    /// Which.
    pub name: ProbeName,
    /// What it noted the last time, for whoever asks now: the room itself remembers nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What a probe was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// Which probe.
    pub name: ProbeName,
    /// What was said.
    pub said: Said,
    /// What it notes for the next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A bracket that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BracketLine {
    /// The run that has stopped services.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// Since when.
    pub opened: Timestamp,
    /// What is owed a start.
    pub units: Vec<UnitName>,
    /// Why they do not count as started, if that was tried in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_confirmed: Option<String>,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a line of output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineClass {
    /// Plain output.
    Output,
    /// Worth a warning.
    Warning,
    /// Says that something went wrong.
    Error,
    /// The command's own statement of success.
    Success,
}

/// How far a step is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Lines read so far.
    pub lines: u64,
    /// Bytes read so far.
    pub bytes: u64,
    /// Error lines read so far.
    pub errors: u64,
    /// Share of the progress bar that is filled, in percent, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_percent: Option<u8>,
    /// Items of the progress bar that are done and that there are, where it counts: into a pipe it does not, and its
    /// share is an estimate from its width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar_items: Option<Items>,
    /// The newest line, redacted, at most 200 bytes.
    #[serde(default)]
    pub last: String,
    /// What the newest sign of life was; absent from versions that did not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<Sign>,
    /// When it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_at: Option<Timestamp>,
}

/// What a progress bar that counts has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// So many are done.
    pub done: u64,
    /// So many there are.
    pub of: u64,
}

/// What shows that a step lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// It was started; nothing since.
    Start,
    /// A byte of output.
    Output,
    /// Its processes use processor time.
    Work,
    /// Something that a newer version knows.
    #[serde(other)]
    Other,
}

/// Why a step is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndingCause {
    /// Its own timeout.
    StepTimeout,
    /// What was left of the job's timeout.
    JobTimeout,
    /// It showed no sign of life for as long as its `quiet_limit` allows.
    QuietLimit,
    /// Somebody asked.
    Cancel,
    /// The room itself is being stopped.
    RoomStopped,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Name of the signal that ended it (`SIGKILL`), if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Lines of output.
    pub lines: u64,
    /// Bytes of output.
    pub bytes: u64,
    /// Lines that are not in the kept copy.
    pub omitted: u64,
    /// Largest resident set of its process tree, in bytes, where the kernel told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_rss_bytes: Option<u64>,
    /// The room on the file system of the media, for a tootctl step on local storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<Space>,
    /// What a verification came to, in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Box<backup::Report>>,
}

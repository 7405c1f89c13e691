//! One entry of the journal: a sentence for people, and fields for machines.

use crate::MessageId;
use mastmaint_words::{Grade, JobName, Outcome, RunId, StepIndex, Trigger};
use std::time::Duration;

/// How much an entry matters; syslog's priorities 3 to 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is wrong and stays so until somebody acts.
    Error,
    /// Something is odd, or went wrong and may mend itself.
    Warning,
    /// Worth knowing although nothing is wrong.
    Notice,
    /// Everyday life.
    Info,
    /// For those who look for a fault in mastmaintd.
    Debug,
}

/// Where a line of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The word in `MASTMAINT_STREAM`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// An entry. Made by [`Entry::info`] and its like; the methods add fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How much it matters.
    pub level: Level,
    /// The sentence.
    pub message: String,
    /// What kind of event it is.
    pub message_id: Option<MessageId>,
    /// `MASTMAINT_JOB`.
    pub job: Option<JobName>,
    /// `MASTMAINT_RUN`.
    pub run: Option<RunId>,
    /// `MASTMAINT_STEP`, counted from 1 there.
    pub step: Option<StepIndex>,
    /// `MASTMAINT_OUTCOME`.
    pub outcome: Option<Outcome>,
    /// `MASTMAINT_GRADE`.
    pub grade: Option<Grade>,
    /// `MASTMAINT_TRIGGER`.
    pub trigger: Option<&'static str>,
    /// `MASTMAINT_STREAM`.
    pub stream: Option<Stream>,
    /// `MASTMAINT_DURATION_USEC`.
    pub duration: Option<Duration>,
    /// `MASTMAINT_ITEMS`.
    pub items: Option<u64>,
    /// `MASTMAINT_BYTES`.
    pub bytes: Option<u64>,
    /// `OBJECT_SYSTEMD_UNIT`: the unit that it is told of, where another one tells it.
    pub unit: Option<&'static str>,
}

impl Entry {
    /// An entry without fields.
    pub fn new(level: Level, message: impl Into<String>) -> Self {
        Self {
            level,
            message: message.into(),
            message_id: None,
            job: None,
            run: None,
            step: None,
            outcome: None,
            grade: None,
            trigger: None,
            stream: None,
            duration: None,
            items: None,
            bytes: None,
            unit: None,
        }
    }

    /// At [`Level::Error`].
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Level::Error, message)
    }

    /// At [`Level::Warning`].
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Level::Warning, message)
    }

    /// At [`Level::Notice`].
    pub fn notice(message: impl Into<String>) -> Self {
        Self::new(Level::Notice, message)
    }

    /// At [`Level::Info`].
    pub fn info(message: impl Into<String>) -> Self {
        Self::new(Level::Info, message)
    }

    /// At [`Level::Debug`].
    pub fn debug(message: impl Into<String>) -> Self {
        Self::new(Level::Debug, message)
    }

    /// What kind of event it is.
    pub const fn id(mut self, id: MessageId) -> Self {
        self.message_id = Some(id);
        self
    }

    /// Of which job.
    pub fn job(mut self, job: &JobName) -> Self {
        self.job = Some(job.clone());
        self
    }

    /// Of which run.
    pub fn run(mut self, run: &RunId) -> Self {
        self.run = Some(run.clone());
        self
    }

    /// Of which step.
    pub const fn step(mut self, step: StepIndex) -> Self {
        self.step = Some(step);
        self
    }

    /// What became of it.
    pub const fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// How sure that is.
    pub const fn grade(mut self, grade: Grade) -> Self {
        self.grade = Some(grade);
        self
    }

    /// Why the run exists.
    pub const fn trigger(mut self, trigger: &Trigger) -> Self {
        self.trigger = Some(trigger.as_str());
        self
    }

    /// Where a line of output came from.
    pub const fn stream(mut self, stream: Stream) -> Self {
        self.stream = Some(stream);
        self
    }

    /// How long it took.
    pub const fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// How many items were removed or changed, if that is known.
    pub const fn items(mut self, items: Option<u64>) -> Self {
        self.items = items;
        self
    }

    /// Another unit than that which tells it: `journalctl -u` of that unit shows it too.
    pub const fn of_unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// How many bytes were freed, if that is known.
    pub const fn bytes(mut self, bytes: Option<u64>) -> Self {
        self.bytes = bytes;
        self
    }
}

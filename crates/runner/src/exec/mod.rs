//! Runs one step as a process tree: starts it with nothing inherited, reads both pipes to their end, ends the whole
//! tree on a timeout or an order, and leaves nothing of it behind. One step runs at a time in a process, because
//! every descendant of the process is taken for a part of the step.

mod descriptors;
mod dispositions;
mod exit;
mod oom;
mod orders;
mod pulse;
mod run;
mod start;
mod tree;
mod watch;

pub use orders::{OrderReceiver, Orders};
pub use run::execute;

use crate::{
    output::{Patterns, Summary},
    protocol::{EndingCause, EventKind},
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A process to run as one step. Everything is decided; nothing is inherited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepCommand {
    /// Absolute, or a bare name that is looked up in the `PATH` of `environment`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// All of its variables.
    pub environment: BTreeMap<String, String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// What must and what must not be in its output.
    pub patterns: Patterns,
}

/// How long a step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// TERM after this.
    pub timeout: Duration,
    /// Whose timeout it is: the step's own or what is left of the job's.
    pub timeout_cause: EndingCause,
    /// KILL this long after TERM.
    pub grace: Duration,
    /// TERM after this much time without a sign of life, if there is such a limit.
    pub quiet: Option<Duration>,
}

/// Where events of the step go, unnumbered. An implementation must never block for long.
pub trait Sink {
    /// Takes one event.
    fn event(&mut self, kind: EventKind);
}

/// How the main process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal.
    Signalled {
        /// `SIGTERM`.
        name: String,
        /// KILL that nobody here sent, while the kernel counted an OOM kill.
        by_oom_killer: bool,
    },
    /// It never ran.
    CouldNotStart {
        /// Stable code: `program-missing`, `interpreter-missing`, `not-executable`, `directory-missing`…
        code: &'static str,
        /// What happened and what to do.
        text: String,
    },
}

/// What is known after the end, for the pure judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How the main process ended.
    pub ending: Ending,
    /// Why it was ended from here, if it was.
    pub cut_short: Option<EndingCause>,
    /// What it said.
    pub summary: Summary,
    /// Processes that it left behind and that had to be ended.
    pub survivors_killed: u32,
    /// OOM kills that the kernel counted in this control group meanwhile.
    pub oom_kills: u64,
}

impl Ended {
    /// One that nobody had a hand in and that left nothing behind.
    pub const fn by_itself(ending: Ending, summary: Summary) -> Self {
        Self { ending, cut_short: None, summary, survivors_killed: 0, oom_kills: 0 }
    }
}

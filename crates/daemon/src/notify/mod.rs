//! Telling people. The dispatcher says what happened ([`Fact`]); a task of its own decides what of it is worth telling,
//! to whom and when again, keeps that in the ledger, and has the notify room send it. A target that cannot be reached
//! costs nobody else anything: its messages wait.

mod backups;
mod compose;
mod deliver;
mod fresh;
mod incidents;
mod look;
mod news;
mod outbox;
mod overdue;
mod policy;
#[cfg(test)]
mod policy_tests;
mod send;
mod state;
mod summary;
mod task;
mod trend;

pub use policy::{Ended, JobState, Say};
pub use task::Needs;

use jiff::Timestamp;
use mastmaint_config::accepted::DaemonView;
use mastmaint_control::words::{OverdueBackup, OverdueLine, TargetLine, TestAnswer};
use mastmaint_ledger::{Incident, RunRecord};
use mastmaint_words::{JobName, RunId};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::{mpsc, oneshot, watch};

/// What the task is told.
#[derive(Debug)]
pub enum Fact {
    /// A configuration came into force.
    Config(Arc<DaemonView>),
    /// These jobs are paused, and no others.
    Paused(BTreeSet<JobName>),
    /// A run was admitted.
    Began {
        /// Of which job.
        job: JobName,
        /// Which.
        run: RunId,
        /// When.
        at: Timestamp,
    },
    /// A run is over.
    Ended(Box<RunRecord>),
    /// A run was over before this daemon began; whoever ended it may not have come to telling of it.
    Remembered(Box<RunRecord>),
    /// An incident stands so; said at least once of each end of it.
    Incident(Box<Incident>),
    /// A person knows of what is wrong with a job.
    Ack {
        /// Which.
        job: JobName,
        /// Until when.
        until: Option<Timestamp>,
        /// Who.
        uid: u32,
        /// Whether there was anything to know of.
        answer: oneshot::Sender<bool>,
    },
    /// A person knows of a finding; the ledger has it.
    FindingAcknowledged,
    /// A person wants to see a message arrive.
    Test {
        /// At one target only, counted from 1.
        target: Option<u16>,
        /// What each of them said.
        answer: oneshot::Sender<Vec<TestAnswer>>,
    },
    /// The clock was set.
    ClockStepped,
    /// The ledger began anew: what is known has to be written again.
    LedgerAnew,
}

/// What there is to see of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Jobs that should have begun.
    pub overdue: Vec<OverdueLine>,
    /// Backups that are not known to be fresh.
    pub overdue_backups: Vec<OverdueBackup>,
    /// The targets.
    pub targets: Vec<TargetLine>,
}

/// The way to the task.
#[derive(Debug, Clone)]
pub struct Messenger {
    facts: mpsc::UnboundedSender<Fact>,
    seen: watch::Receiver<Seen>,
}

impl Messenger {
    /// Starts the task.
    pub fn start(needs: Needs) -> Self {
        let (facts, heard) = mpsc::unbounded_channel();
        let (shown, seen) = watch::channel(Seen::default());
        tokio::spawn(task::run(needs, heard, shown));
        Self { facts, seen }
    }

    /// Tells the task something. It is never waited for.
    pub fn tell(&self, fact: Fact) {
        // The task ends only with the daemon.
        let _ = self.facts.send(fact);
    }

    /// What there is to see.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// A receiver that wakes when that changes.
    pub fn watch(&self) -> watch::Receiver<Seen> {
        self.seen.clone()
    }
}

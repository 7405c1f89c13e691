//! Which waiting runs may start. Pure: a table of who holds which lock and a queue, no clock and no tasks. Two runs
//! that share a lock never overlap, whatever asked for them, and a job never overlaps itself. Nobody overtakes whom it
//! would have to wait for, so nobody waits for ever behind runs that came later.

use mastmaint_words::{JobName, LockName, RunId};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

/// What admission knows of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// The lock that it needs, if any.
    pub lock: Option<LockName>,
}

/// What a waiting run waits for. `Display` is the sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// It looks first how much it would remove.
    Look,
    /// Another run stands before it.
    Run(Ahead),
}

/// The run that stands before another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The lock that both need; `None` if both are runs of one job.
    pub lock: Option<LockName>,
    /// Its job.
    pub job: JobName,
    /// It.
    pub run: RunId,
    /// Whether it runs; else it waits, too.
    pub is_running: bool,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Look => f.write_str("looks first how much it would remove"),
            Self::Run(Ahead { lock: Some(lock), job, run, is_running: true }) => {
                write!(f, "waits for the lock {lock}, held by {job} ({run})")
            }
            Self::Run(Ahead { lock: Some(lock), job, run, is_running: false }) => {
                write!(f, "waits for the lock {lock}, behind {job} ({run})")
            }
            Self::Run(Ahead { lock: None, run, .. }) => write!(f, "waits for the run {run} of the same job"),
        }
    }
}

/// Who runs and who waits.
#[derive(Debug, Default)]
pub struct Admission {
    running: BTreeMap<RunId, Claim>,
    waiting: VecDeque<Claim>,
    /// Runs that look first how much they would remove: they ask for nothing yet.
    preparing: Vec<Claim>,
}

impl Admission {
    /// Puts a run at the end of the queue.
    pub fn enqueue(&mut self, claim: Claim) {
        self.waiting.push_back(claim);
    }

    /// Notes a run that looks first and asks for its lock later.
    pub fn prepare(&mut self, claim: Claim) {
        self.preparing.push(claim);
    }

    /// Puts a run that has looked at the end of the queue.
    pub fn enqueue_prepared(&mut self, run: &RunId) {
        if let Some(at) = self.preparing.iter().position(|claim| claim.run == *run) {
            let claim = self.preparing.remove(at);
            self.enqueue(claim);
        }
    }

    /// Whether the run looks first.
    pub fn is_preparing(&self, run: &RunId) -> bool {
        self.preparing.iter().any(|claim| claim.run == *run)
    }

    /// Takes the locks of a run that is already going on: one that an earlier daemon started.
    ///
    /// It is not asked whether the lock is free: the run exists, and pretending otherwise would let a second in.
    pub fn adopt(&mut self, claim: Claim) {
        self.running.insert(claim.run.clone(), claim);
    }

    /// Starts every run that may start now, first come first served: a run waits behind an earlier one that needs
    /// the same lock or belongs to the same job, and overtakes one that does not.
    pub fn admit(&mut self) -> Vec<Claim> {
        let mut admitted = Vec::new();
        let mut still_waiting: VecDeque<Claim> = VecDeque::new();
        for claim in std::mem::take(&mut self.waiting) {
            if self.running.values().chain(&still_waiting).any(|other| excludes(other, &claim)) {
                still_waiting.push_back(claim);
            } else {
                self.running.insert(claim.run.clone(), claim.clone());
                admitted.push(claim);
            }
        }
        self.waiting = still_waiting;
        admitted
    }

    /// Whether a run that came now would be admitted at once.
    pub fn is_free_for(&self, claim: &Claim) -> bool {
        !self.running.values().chain(&self.waiting).any(|other| excludes(other, claim))
    }

    /// Gives back what a run held, or takes it out of the queue.
    pub fn release(&mut self, run: &RunId) {
        self.running.remove(run);
        self.preparing.retain(|claim| claim.run != *run);
        self.waiting.retain(|claim| claim.run != *run);
    }

    /// Whether the run waits.
    pub fn is_waiting(&self, run: &RunId) -> bool {
        self.waiting.iter().any(|claim| claim.run == *run)
    }

    /// The run of this job that runs or waits.
    pub fn of_job(&self, job: &JobName) -> Option<&RunId> {
        self.running
            .values()
            .chain(&self.waiting)
            .chain(&self.preparing)
            .find(|claim| claim.job == *job)
            .map(|claim| &claim.run)
    }

    /// What a waiting run waits for.
    pub fn waits_for(&self, run: &RunId) -> Option<Wait> {
        if self.is_preparing(run) { Some(Wait::Look) } else { self.ahead_of(run).map(Wait::Run) }
    }

    /// The run that stands before a waiting one: the one that runs if there is such a one, else the one before it.
    pub fn ahead_of(&self, run: &RunId) -> Option<Ahead> {
        let claim = self.waiting.iter().find(|claim| claim.run == *run)?;
        let ahead = self.waiting.iter().take_while(|other| other.run != *run);
        let running = self.running.values().map(|claim| (claim, true));
        let (other, is_running) =
            running.chain(ahead.map(|claim| (claim, false))).find(|(other, _)| excludes(other, claim))?;
        let lock = claim.lock.clone().filter(|_| other.job != claim.job);
        Some(Ahead { lock, job: other.job.clone(), run: other.run.clone(), is_running })
    }
}

fn excludes(holder: &Claim, claim: &Claim) -> bool {
    holder.job == claim.job || (holder.lock.is_some() && holder.lock == claim.lock)
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;

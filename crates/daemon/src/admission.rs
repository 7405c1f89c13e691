//! Which waiting runs may start. Pure: a table of who holds which lock and a queue, no clock and no tasks. Two runs
//! that share a lock never overlap, whatever asked for them, and a job never overlaps itself.

use mastmaint_words::{JobName, LockName, RunId};
use std::collections::{BTreeMap, VecDeque};

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

    /// For people: what a waiting run waits for.
    pub fn waits_for(&self, run: &RunId) -> Option<String> {
        if self.is_preparing(run) {
            return Some("looks first how much it would remove".to_owned());
        }
        let claim = self.waiting.iter().find(|claim| claim.run == *run)?;
        let ahead = self.waiting.iter().take_while(|other| other.run != *run);
        let other = self.running.values().chain(ahead).find(|other| excludes(other, claim))?;
        Some(match &claim.lock {
            Some(lock) if other.job != claim.job => {
                format!("waits for the lock {lock}, held by {} ({})", other.job, other.run)
            }
            _ => format!("waits for the run {} of the same job", other.run),
        })
    }
}

fn excludes(holder: &Claim, claim: &Claim) -> bool {
    holder.job == claim.job || (holder.lock.is_some() && holder.lock == claim.lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn claim(job: &str, lock: Option<&str>) -> Claim {
        Claim {
            run: RunId::new(Timestamp::UNIX_EPOCH).unwrap(),
            job: job.parse().unwrap(),
            lock: lock.map(|l| l.parse().unwrap()),
        }
    }

    #[test]
    fn a_shared_lock_makes_the_second_wait_and_say_for_whom() {
        let mut admission = Admission::default();
        let (first, second) = (claim("media", Some("mastodon")), claim("cards", Some("mastodon")));
        admission.enqueue(first.clone());
        admission.enqueue(second.clone());
        assert_eq!(admission.admit(), vec![first.clone()]);
        let why = admission.waits_for(&second.run).unwrap();
        assert_eq!(why, format!("waits for the lock mastodon, held by media ({})", first.run));
        admission.release(&first.run);
        assert_eq!(admission.admit(), vec![second]);
    }

    #[test]
    fn a_job_without_a_lock_overtakes_but_never_overlaps_itself() {
        let mut admission = Admission::default();
        let (a, b, c, d) = (claim("a", Some("x")), claim("b", Some("x")), claim("c", None), claim("c", None));
        for each in [&a, &b, &c, &d] {
            admission.enqueue(each.clone());
        }
        assert_eq!(admission.admit(), vec![a, c]);
        assert!(admission.waits_for(&d.run).unwrap().contains("same job"));
        assert!(admission.is_waiting(&b.run));
    }

    proptest! {
        #[test]
        fn nothing_that_excludes_each_other_ever_runs_together(
            steps in proptest::collection::vec((0..4_u8, 0..3_u8, any::<bool>()), 1..60)
        ) {
            let mut admission = Admission::default();
            let mut running: Vec<Claim> = Vec::new();
            let mut asked = 0;
            let mut ended = 0;
            for (job, lock, end) in steps {
                if end && !running.is_empty() {
                    let done = running.remove(usize::from(job) % running.len());
                    admission.release(&done.run);
                    ended += 1;
                } else {
                    let lock = ["", "x", "y"][usize::from(lock)];
                    let new = claim(&format!("j{job}"), (!lock.is_empty()).then_some(lock));
                    let free = admission.is_free_for(&new);
                    admission.enqueue(new.clone());
                    asked += 1;
                    let admitted = admission.admit();
                    prop_assert_eq!(free, admitted.contains(&new));
                    running.extend(admitted);
                }
                running.extend(admission.admit());
                for (i, a) in running.iter().enumerate() {
                    for b in &running[i + 1..] {
                        prop_assert!(!excludes(a, b));
                    }
                }
            }
            // Nobody starves: once everything that runs has ended, everybody has run.
            while let Some(done) = running.pop() {
                admission.release(&done.run);
                ended += 1;
                running.extend(admission.admit());
            }
            prop_assert_eq!(asked, ended);
        }
    }
}

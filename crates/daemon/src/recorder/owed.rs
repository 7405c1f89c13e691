//! What must be in the ledger sooner or later, and a bounded queue of it for as long as the ledger cannot be written.

use jiff::Timestamp;
use mastmaint_ledger::{
    Approval, HandHold, Incident, Ledger, LedgerError, Mark, OwedMessage, PlannedRetry, StepEnd, Verified,
};
use mastmaint_words::{
    Grade, HoldId, JobName, Outcome, Reason, RunId,
    backup::{FindingAck, FindingId},
};
use std::collections::VecDeque;

/// So many are kept.
const MOST: usize = 1000;
/// So many bytes of them are kept.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What each of them takes at most, its copy not counted.
const EACH: usize = 2048;

/// Something that happened and that a later daemon must know.
#[derive(Debug, Clone)]
pub enum Owed {
    /// What became of a step.
    EndStep {
        /// Outcome, times, numbers.
        end: Box<StepEnd>,
        /// Its output, as gzip.
        copy: Option<Vec<u8>>,
    },
    /// What became of a run.
    EndRun {
        /// Which.
        run: RunId,
        /// When it was over.
        at: Timestamp,
        /// What became of it.
        outcome: Outcome,
        /// Lowest grade of its steps.
        grade: Option<Grade>,
        /// Why.
        reason: Option<Reason>,
        /// The retry that it makes necessary.
        retry: Option<Box<PlannedRetry>>,
    },
    /// Up to where a job's slots are dealt with.
    Mark {
        /// The job.
        job: JobName,
        /// Up to where.
        mark: Mark,
    },
    /// A person paused a job.
    Pause {
        /// The job.
        job: JobName,
        /// When.
        at: Timestamp,
        /// Who.
        uid: u32,
    },
    /// A person took a pause back.
    Resume {
        /// The job.
        job: JobName,
    },
    /// A person set a hold.
    SetHold {
        /// It.
        hold: Box<HandHold>,
    },
    /// A person took a hold back.
    RemoveHold {
        /// Which.
        id: HoldId,
    },
    /// A person cancelled a run that goes on.
    Cancel {
        /// Which.
        run: RunId,
        /// When.
        at: Timestamp,
    },
    /// A retry of a run that is not in the ledger itself.
    PlanRetry {
        /// It.
        retry: Box<PlannedRetry>,
    },
    /// What people were told about a subject, and the messages that follow from it.
    Tell {
        /// The subject.
        subject: String,
        /// What is known of it, in words of whoever tells; nothing once there is nothing more to know.
        state: Option<String>,
        /// The messages.
        messages: Vec<OwedMessage>,
    },
    /// A person knows of a finding.
    Acknowledge {
        /// Which.
        finding: FindingId,
        /// Who, since when and until when.
        ack: FindingAck,
    },
    /// A message was taken or is given up.
    Settle {
        /// Its number.
        message: u64,
    },
    /// A run waits for approval, or has got one.
    Approval(Box<Approval>),
    /// A backup was verified.
    Verified(Box<Verified>),
    /// An incident as it stands.
    Incident(Box<Incident>),
    /// The retry of a job is not owed any more.
    DropRetry {
        /// The job.
        job: JobName,
    },
}

impl Owed {
    pub(super) fn write(&self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        match self {
            Self::EndStep { end, copy } => ledger.end_step(end, copy.as_deref()),
            Self::EndRun { run, at, outcome, grade, reason, retry } => {
                ledger.end_run_and_retry(run, *at, *outcome, *grade, reason.as_ref(), retry.as_deref())
            }
            Self::Mark { job, mark } => ledger.set_mark(job, mark),
            Self::Pause { job, at, uid } => ledger.pause(job, *at, *uid),
            Self::Resume { job } => ledger.resume(job).map(drop),
            Self::SetHold { hold } => ledger.set_hold(hold),
            Self::RemoveHold { id } => ledger.remove_hold(*id).map(drop),
            Self::Cancel { run, at } => ledger.ask_cancel(run, *at),
            Self::PlanRetry { retry } => ledger.plan_retry(retry),
            Self::Approval(approval) => ledger.put_approval(approval),
            Self::Verified(verified) => ledger.put_verified(verified),
            Self::Incident(incident) => ledger.put_incident(incident),
            Self::DropRetry { job } => ledger.drop_retry(job).map(drop),
            Self::Tell { subject, state: Some(state), messages } => ledger.tell(subject, state, messages),
            Self::Tell { subject, state: None, .. } => ledger.untell(subject),
            Self::Acknowledge { finding, ack } => ledger.acknowledge(*finding, *ack).map(drop),
            Self::Settle { message } => ledger.settle(*message),
        }
    }

    /// Whether this makes an earlier one needless.
    fn replaces(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Mark { job, .. }, Self::Mark { job: other, .. })
            | (Self::DropRetry { job }, Self::DropRetry { job: other })
            | (Self::Pause { job, .. }, Self::Pause { job: other, .. })
            | (Self::Resume { job }, Self::Pause { job: other, .. } | Self::Resume { job: other }) => {
                job == other
            }
            (Self::RemoveHold { id }, Self::SetHold { hold }) => *id == hold.id,
            (Self::EndRun { run, .. }, Self::Cancel { run: other, .. }) => run == other,
            (Self::PlanRetry { retry }, Self::PlanRetry { retry: other }) => retry.job == other.job,
            (Self::DropRetry { job }, Self::PlanRetry { retry }) => *job == retry.job,
            (Self::Verified(new), Self::Verified(old)) => new.report.backup == old.report.backup,
            (Self::Incident(new), Self::Incident(old)) => new.probe == old.probe && new.opened == old.opened,
            // Messages of an earlier one are still owed.
            (Self::Tell { subject, .. }, Self::Tell { subject: other, messages, .. }) => {
                subject == other && messages.is_empty()
            }
            _ => false,
        }
    }

    fn copy_mut(&mut self) -> Option<&mut Option<Vec<u8>>> {
        match self {
            Self::EndStep { copy, .. } if copy.is_some() => Some(copy),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::EndStep { copy, .. } => EACH + copy.as_ref().map_or(0, Vec::len),
            Self::Tell { state, messages, .. } => {
                let texts = messages.iter().map(|message| message.notice.len());
                EACH + state.as_ref().map_or(0, String::len) + texts.sum::<usize>()
            }
            _ => EACH,
        }
    }
}

/// Those that could not be written yet, in the order in which they happened.
#[derive(Debug, Default)]
pub(super) struct Queue {
    owed: VecDeque<Owed>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.owed.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    pub(super) fn first(&self) -> Option<&Owed> {
        self.owed.front()
    }

    pub(super) fn drop_first(&mut self) {
        self.owed.pop_front();
    }

    /// Keeps one more. If that is too much, copies of output go first, then ends of steps: the end of a run says more.
    pub(super) fn keep(&mut self, new: Owed) {
        self.owed.retain(|earlier| !new.replaces(earlier));
        self.owed.push_back(new);
        let mut bytes: usize = self.owed.iter().map(Owed::bytes).sum();
        for copy in self.owed.iter_mut().filter_map(Owed::copy_mut) {
            if bytes <= MOST_BYTES {
                break;
            }
            bytes -= copy.take().map_or(0, |copy| copy.len());
        }
        while self.owed.len() > MOST {
            let step = self.owed.iter().position(|owed| matches!(owed, Owed::EndStep { .. }));
            self.owed.remove(step.unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::tests::{at, end_of_run, end_of_step, job};

    fn mark(of: &str, second: i64) -> Owed {
        Owed::Mark { job: job(of), mark: Mark { handled: at(second), state: String::new() } }
    }

    #[test]
    fn the_latest_mark_of_a_job_is_the_one_that_counts() {
        let mut queue = Queue::default();
        for owed in [mark("a", 1), mark("b", 1), mark("a", 2)] {
            queue.keep(owed);
        }
        let kept = format!("{:?}", queue.owed);
        assert_eq!(queue.len(), 2);
        assert_eq!(kept, format!("{:?}", [mark("b", 1), mark("a", 2)]));
    }

    #[test]
    fn a_pause_that_was_taken_back_is_still_taken_back_in_the_ledger() {
        let mut queue = Queue::default();
        queue.keep(Owed::Pause { job: job("a"), at: at(1), uid: 0 });
        queue.keep(Owed::Resume { job: job("a") });
        assert!(matches!(queue.first(), Some(Owed::Resume { .. })) && queue.len() == 1);
        queue.keep(Owed::Pause { job: job("a"), at: at(2), uid: 0 });
        assert_eq!(queue.len(), 2, "the first pause in the ledger would stay without the taking back");
    }

    #[test]
    fn too_much_costs_the_oldest_copies_first() {
        let mut queue = Queue::default();
        for step in 0..5 {
            queue.keep(end_of_step(1, step, Some(vec![0; 5 << 20])));
        }
        let copies: Vec<_> =
            queue.owed.iter().map(|o| matches!(o, Owed::EndStep { copy: Some(_), .. })).collect();
        assert_eq!(copies, [false, false, true, true, true]);
    }

    #[test]
    fn then_the_ends_of_steps_and_last_those_of_runs() {
        let mut queue = Queue::default();
        queue.keep(end_of_run(0));
        for number in 1..=1500 {
            queue.keep(end_of_step(number, 0, None));
            if number <= 999 {
                queue.keep(end_of_run(number));
            }
        }
        assert_eq!(queue.len(), MOST);
        let runs = queue.owed.iter().filter(|o| matches!(o, Owed::EndRun { .. })).count();
        assert_eq!(runs, 1000);
        queue.keep(end_of_run(1000));
        assert_eq!(queue.len(), MOST);
    }
}

//! The looks before a run: at what its job requires, and before each step that has a limit, its dry run, in its room,
//! under a key of its own. They hold no lock and stop nothing when they are made before the run is admitted. A dry run
//! is made again right before its step if other commands of the run came before, or if the run waited long: what they
//! and others did changes what there is to remove.

use super::{Drive, Outside, RunHandle, RunNews, RunSpec, cap, policy, step::Aside, watch_over};
use mastmaint_config::settings::{Action, AtMost, Step};
use mastmaint_control::words::FollowEvent;
use mastmaint_words::{Grade, Numbers, Outcome, StepIndex, Verdict};
use std::time::Duration;
use tokio::sync::mpsc;

/// A look that is older says nothing about now.
const FRESH: Duration = Duration::from_mins(10);

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// What the job requires, then how much its steps would remove.
    All,
    /// What the job requires.
    Requirements,
}

/// What came of the looks.
#[derive(Debug)]
pub enum Looked {
    /// The run may go on.
    Fine,
    /// What its job requires does not hold now: what is in the way.
    NotNow(String),
    /// It is over.
    Over(Box<Verdict>),
}

/// Whether a run must look before it asks for its locks.
pub fn looks_first(spec: &RunSpec) -> bool {
    !spec.dry_run && (spec.job.requires.is_some() || has_limits(spec))
}

/// Whether a step of a run has a limit.
pub fn has_limits(spec: &RunSpec) -> bool {
    spec.job.steps.iter().any(|step| step.at_most.is_some())
}

/// Looks before a run; the dispatcher hears what came of it.
pub fn spawn_look(
    spec: RunSpec,
    looks: Looks,
    outside: Outside,
    handle: &RunHandle,
    news: mpsc::Sender<RunNews>,
) {
    let mut drive = Drive::new(spec, outside, handle, news);
    watch_over(drive.spec.id.clone(), drive.news.clone(), async move {
        let looked = drive.look_before(looks).await;
        let looked = RunNews::Looked { run: drive.spec.id.clone(), looked };
        // The dispatcher outlives its runs; if it is gone the next daemon finds the run waiting and looks again.
        let _ = drive.news.send(looked).await;
    });
}

impl Drive {
    async fn look_before(&mut self, looks: Looks) -> Looked {
        let required = self.look_at_requirements().await;
        if *self.cancels.borrow() > 0 {
            return Looked::Over(Box::new(policy::cancelled()));
        }
        match (required, looks) {
            (Looked::Fine, Looks::All) => self.look_at_limits().await,
            (required, _) => required,
        }
    }

    /// How much each step that has a limit would remove.
    async fn look_at_limits(&mut self) -> Looked {
        let mut ended = None;
        for (step, definition) in self.spec.job.clone().indexed_steps() {
            if *self.cancels.borrow() > 0 {
                ended = Some(policy::cancelled());
                break;
            }
            if let Some(cap) = definition.at_most
                && let Err(verdict) = self.keep_within(step, definition, cap).await
            {
                // Of several steps that need approval all are told, so that one approval is enough.
                let waits = verdict.outcome == Outcome::Skipped;
                ended.get_or_insert(verdict);
                if !waits {
                    break;
                }
            }
        }
        ended.map_or(Looked::Fine, |verdict| Looked::Over(Box::new(verdict)))
    }

    /// Whether a look that was made before still says what there is to remove.
    pub(super) fn must_look_again(&self, step: StepIndex) -> bool {
        let earlier = self.spec.job.steps.iter().take(usize::from(step.0));
        // Stopping services changes nothing of what there is to remove, and every look while they are down is downtime.
        let changed = earlier.into_iter().any(|e| matches!(e.action, Action::Tootctl(_) | Action::Run(_)));
        !self.spec.dry_run && (changed || self.spec.looked.is_none_or(|at| at.elapsed() > FRESH))
    }

    /// Looks how much a step would remove.
    ///
    /// # Errors
    /// The verdict of a step that would remove too much, or of a look that did not end well.
    pub(super) async fn keep_within(
        &mut self,
        step: StepIndex,
        definition: &Step,
        cap: AtMost,
    ) -> Result<(), Verdict> {
        let title = definition.action.title();
        let of = u16::try_from(self.spec.job.steps.len()).unwrap_or(u16::MAX);
        let shown = format!("look first: {title} --dry-run");
        // Nobody may be following.
        let _ = self.follow.send(FollowEvent::StepStarted { step: step.look(), of, title: shown });
        let found = self.look(step, definition).await?;
        let usual = match cap.times_usual {
            Some(_) => self.usual(title.clone()).await,
            None => None,
        };
        match cap::excess(&cap, found, usual) {
            Some(why) if !cap::is_allowed(self.spec.allowance.get(&step), found) => {
                let run = self.spec.id.clone();
                let needs = RunNews::NeedsApproval { run: run.clone(), step, found, why: why.clone() };
                let _ = self.news.send(needs).await;
                let reason = cap::needs_approval(&run, step, &title, &why);
                Err(Verdict::because(Outcome::Skipped, Grade::Read, reason))
            }
            _ => Ok(()),
        }
    }

    /// What the step usually removes. Not known is no reason to stop anything.
    async fn usual(&self, title: String) -> Option<u64> {
        let job = self.spec.job_name.clone();
        self.outside.recorder.with(move |ledger| ledger.usual(&job, &title)).await.ok().flatten()
    }

    async fn look(&mut self, step: StepIndex, definition: &Step) -> Result<Numbers, Verdict> {
        let verdict = self.aside(step.look(), definition, Aside::Look).await;
        if verdict.outcome == Outcome::Ok { Ok(verdict.numbers) } else { Err(unsure(step, verdict)) }
    }
}

/// The verdict of a run whose look did not end well: what is not known is not removed.
fn unsure(step: StepIndex, mut verdict: Verdict) -> Verdict {
    if matches!(verdict.outcome, Outcome::Ok | Outcome::Skipped | Outcome::Partial) {
        verdict.outcome = Outcome::Failed;
    }
    if let Some(reason) = verdict.reasons.first_mut() {
        reason.text = format!("the look before step {step}: {}", reason.text);
    }
    verdict.numbers = Numbers::default();
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::Reason;

    #[test]
    fn a_look_that_is_not_sure_removes_nothing_and_can_be_tried_again() {
        let reason = Reason::unreachable("postgres-unreachable", "PostgreSQL does not answer");
        for outcome in [Outcome::Partial, Outcome::Failed] {
            let seen = Verdict::because(outcome, Grade::Exit, reason.clone());
            let verdict = unsure(StepIndex(1), seen);
            assert_eq!(verdict.outcome, Outcome::Failed);
            assert!(verdict.is_worth_retrying());
            assert!(verdict.reasons[0].text.starts_with("the look before step 2: "));
        }
        let cancelled = Verdict::because(Outcome::Cancelled, Grade::Exit, Reason::new("cancelled", "x"));
        assert_eq!(unsure(StepIndex(0), cancelled).outcome, Outcome::Cancelled);
    }
}

//! What a run does next, and how it ended. Pure: steps that are over in, a decision out.

use mastmaint_config::settings::{Job, OnPartial, Retry, RetryOn, Step};
use mastmaint_words::{Grade, Numbers, Outcome, Reason, Span, StepIndex, Verdict};
use std::time::Duration;

/// What comes next in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// This step.
    Step(StepIndex),
    /// Nothing: every step is over, or one that is over stops the run.
    End,
}

/// What comes after the steps that are over, given in order from the first.
pub fn next(job: &Job, done: &[Verdict]) -> Next {
    if let (Some(last), Some(step)) = (done.last(), done.len().checked_sub(1).and_then(|i| job.steps.get(i)))
        && stops_the_run(step, last.outcome)
    {
        return Next::End;
    }
    match u16::try_from(done.len()) {
        Ok(index) if done.len() < job.steps.len() => Next::Step(StepIndex(index)),
        _ => Next::End,
    }
}

fn stops_the_run(step: &Step, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Ok | Outcome::Skipped => false,
        Outcome::Partial => step.on_partial == OnPartial::Stop,
        // Somebody asked for the run to end: `continue` is about failures.
        Outcome::Cancelled => true,
        Outcome::Interrupted | Outcome::TimedOut | Outcome::Failed => !step.go_on,
    }
}

/// The verdict of a whole run: the worst outcome, the lowest grade, the reasons of the worst step, the sums.
pub fn verdict_of_run(done: &[Verdict]) -> Verdict {
    let worst = done.iter().rev().max_by_key(|v| v.outcome);
    Verdict {
        outcome: worst.map_or(Outcome::Skipped, |v| v.outcome),
        grade: done.iter().map(|v| v.grade).min().unwrap_or(Grade::Exit),
        reasons: worst.map(|v| v.reasons.clone()).unwrap_or_default(),
        numbers: sum(done.iter().map(|v| v.numbers)),
    }
}

/// Sums of what was counted; a number that no step knows stays unknown.
pub fn sum(numbers: impl Iterator<Item = Numbers>) -> Numbers {
    let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (None, None) => None,
        (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
    };
    numbers.fold(Numbers::default(), |total, n| Numbers {
        visited: add(total.visited, n.visited),
        failed: add(total.failed, n.failed),
        removed: add(total.removed, n.removed),
        bytes: add(total.bytes, n.bytes),
    })
}

/// The wait before the next try of a run, if there is to be one. `attempt` is 0 for the first run of the chain.
pub fn retry_after(retry: Retry, attempt: u32, verdict: &Verdict) -> Option<Duration> {
    if attempt >= retry.times {
        return None;
    }
    let bad = matches!(verdict.outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted);
    let wanted = match retry.on {
        RetryOn::Failed => bad,
        RetryOn::Unreachable => (bad || verdict.outcome == Outcome::Partial) && verdict.is_worth_retrying(),
    };
    wanted.then(|| retry.backoff.get().saturating_mul(2_u32.saturating_pow(attempt.min(16))))
}

/// The verdict of a step for which nothing was left of the job's time.
pub fn out_of_time(limit: Span) -> Verdict {
    let text =
        format!("the job's timeout of {limit} was used up before this step; raise it or split the job");
    Verdict::because(Outcome::TimedOut, Grade::Exit, Reason::new("job-timeout", text))
}

/// The verdict of a step that did not start because somebody cancelled the run.
pub fn cancelled() -> Verdict {
    let reason = Reason::new("cancelled", "the run was cancelled before this step");
    Verdict::because(Outcome::Cancelled, Grade::Exit, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_config::settings::{Action, Judged};

    fn step() -> Step {
        Step {
            action: Action::Run(vec!["/bin/true".into()]),
            timeout: Span::from_secs(60),
            grace: Span::from_secs(1),
            quiet_limit: None,
            on_partial: OnPartial::GoOn,
            go_on: false,
            prove: mastmaint_config::settings::Prove::default(),
            dangerous: false,
            judged: Judged::default(),
            environment: std::collections::BTreeMap::new(),
        }
    }

    fn job(steps: Vec<Step>) -> Job {
        Job {
            description: None,
            schedule: None,
            random_delay: Span::default(),
            window: None,
            catch_up: false,
            timeout: Span::from_secs(600),
            retry: Retry { times: 2, backoff: Span::from_secs(10), on: RetryOn::Unreachable },
            lock: None,
            steps,
        }
    }

    fn ended(outcome: Outcome) -> Verdict {
        Verdict { outcome, grade: Grade::Read, reasons: vec![], numbers: Numbers::default() }
    }

    #[test]
    fn partial_goes_on_and_failed_stops() {
        let job = job(vec![step(), step()]);
        assert_eq!(next(&job, &[]), Next::Step(StepIndex(0)));
        for (outcome, expected) in [
            (Outcome::Ok, Next::Step(StepIndex(1))),
            (Outcome::Skipped, Next::Step(StepIndex(1))),
            (Outcome::Partial, Next::Step(StepIndex(1))),
            (Outcome::Cancelled, Next::End),
            (Outcome::Interrupted, Next::End),
            (Outcome::TimedOut, Next::End),
            (Outcome::Failed, Next::End),
        ] {
            assert_eq!(next(&job, &[ended(outcome)]), expected, "{outcome}");
        }
        assert_eq!(next(&job, &[ended(Outcome::Ok), ended(Outcome::Ok)]), Next::End);
    }

    #[test]
    fn the_step_may_say_otherwise_but_never_against_a_cancel() {
        let job = job(vec![Step { on_partial: OnPartial::Stop, go_on: true, ..step() }, step()]);
        assert_eq!(next(&job, &[ended(Outcome::Partial)]), Next::End);
        assert_eq!(next(&job, &[ended(Outcome::Failed)]), Next::Step(StepIndex(1)));
        assert_eq!(next(&job, &[ended(Outcome::Cancelled)]), Next::End);
    }

    #[test]
    fn a_run_is_as_bad_and_as_uncertain_as_its_steps() {
        let mut read = ended(Outcome::Ok);
        read.numbers.removed = Some(3);
        let mut lied = ended(Outcome::Partial);
        lied.grade = Grade::Exit;
        lied.reasons = vec![Reason::new("items-failed", "2 of 15 failed")];
        lied.numbers.removed = Some(2);
        let run = verdict_of_run(&[read, lied]);
        assert_eq!((run.outcome, run.grade, run.numbers.removed), (Outcome::Partial, Grade::Exit, Some(5)));
        assert_eq!(run.reasons[0].code, "items-failed");
        assert_eq!(run.numbers.bytes, None);
    }

    #[test]
    fn only_what_did_not_answer_is_tried_again_unless_the_job_says_so() {
        let retry = Retry { times: 2, backoff: Span::from_secs(10), on: RetryOn::Unreachable };
        let down = Verdict::because(
            Outcome::Failed,
            Grade::Read,
            Reason::unreachable("postgres-unreachable", "PostgreSQL does not answer"),
        );
        let broken = Verdict::because(Outcome::Failed, Grade::Read, Reason::new("exit-status", "exit 1"));
        assert_eq!(retry_after(retry, 0, &down), Some(Duration::from_secs(10)));
        assert_eq!(retry_after(retry, 1, &down), Some(Duration::from_secs(20)));
        assert_eq!(retry_after(retry, 2, &down), None);
        assert_eq!(retry_after(retry, 0, &broken), None);
        assert!(retry_after(Retry { on: RetryOn::Failed, ..retry }, 0, &broken).is_some());
        let cancelled = ended(Outcome::Cancelled);
        assert_eq!(retry_after(Retry { on: RetryOn::Failed, ..retry }, 0, &cancelled), None);
    }
}

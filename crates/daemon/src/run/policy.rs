//! What a run does next, and how it ended. Pure: steps that are over in, a decision out.

mod guarded;
mod returned;
mod swapped;

use mastmaint_config::settings::{Bracket, Job, OnPartial, Retry, RetryOn, Step};
use mastmaint_runner::bracket::{has_started_nothing, is_started};
use mastmaint_words::{Grade, Numbers, Outcome, Reason, RunId, Span, StepIndex, Verdict};
use std::time::Duration;

/// What comes next in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// This step.
    Step(StepIndex),
    /// Nothing: every step is over, or one that is over stops the run.
    End,
}

/// A step that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Which.
    pub step: StepIndex,
    /// How.
    pub verdict: Verdict,
}

/// What comes after the steps that are over, given in their order. Whatever ends the run early, services that it has
/// stopped are started first, and a guarded change that does not stay is put back.
pub fn next(job: &Job, done: &[Done]) -> Next {
    let guard = job.guard();
    if let Some(way) = guard.and_then(|guard| guarded::way_back(&guard, done)) {
        return way;
    }
    if let Some(way) = swapped::next(job, done).or_else(|| returned::next(job, done)) {
        return way;
    }
    let is_stopped = done.iter().any(|done| {
        let step = job.steps.get(usize::from(done.step.0));
        step.is_some_and(|step| stops_the_run(step, &done.verdict))
    });
    if is_stopped {
        // What comes before the stop (a copy that is made while Mastodon runs) owes nothing.
        let has_begun = |bracket: &Bracket<'_>| done.iter().any(|done| done.step >= bracket.stop);
        let owed = job.bracket().filter(has_begun).map(|bracket| bracket.start);
        return match owed.filter(|start| done.iter().all(|done| done.step < *start)) {
            Some(start) => Next::Step(start),
            None => Next::End,
        };
    }
    let mut following = done.last().map_or(0, |done| usize::from(done.step.0) + 1);
    if let Some(guard) = guard.filter(|guard| usize::from(guard.put_back.0) == following) {
        // The change stays.
        following = usize::from(guard.look_again.0) + 1;
    }
    match u16::try_from(following) {
        Ok(index) if following < job.steps.len() => Next::Step(StepIndex(index)),
        _ => Next::End,
    }
}

fn stops_the_run(step: &Step, verdict: &Verdict) -> bool {
    match verdict.outcome {
        Outcome::Ok | Outcome::Skipped => false,
        // What was down before a restore and stays so is no reason to leave out what follows it.
        Outcome::Partial if is_started(verdict) => false,
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

/// The verdict of a run of a job: that of its steps, and what became of its guard or its restore.
pub fn verdict_of_job(run: &RunId, job: &Job, done: &[Done]) -> Verdict {
    let verdicts: Vec<Verdict> = done.iter().map(|done| done.verdict.clone()).collect();
    let verdict = verdict_of_run(&verdicts);
    match (job.guard(), job.swap()) {
        (Some(guard), _) => guarded::told(&guard, done, verdict),
        (None, Some(swap)) => swapped::told(run, &swap, done, verdict),
        (None, None) => match job.way_back() {
            Some(way) => returned::told(run, &way, done, verdict),
            None => verdict,
        },
    }
}

/// What comes once a restore has started its services: its probes, unless there was nothing to start, then what the job
/// says.
fn what_follows(job: &Job, then: StepIndex, started: &Verdict) -> Next {
    let then = if has_started_nothing(started) { job.after_probes(then) } else { then };
    if usize::from(then.0) < job.steps.len() { Next::Step(then) } else { Next::End }
}

/// Whether a step leads on: it did what it was for, or there was nothing to do.
const fn is_fine(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ok | Outcome::Skipped)
}

/// A verdict that says first what was wrong first, whatever was worse, and what became of it.
fn of_what_was_wrong(mut verdict: Verdict, first: Option<&Done>, more: &[Reason], became: &str) -> Verdict {
    if let Some(first) = first {
        verdict.reasons.clone_from(&first.verdict.reasons);
    }
    verdict.reasons.extend_from_slice(more);
    if let Some(reason) = verdict.reasons.first_mut() {
        reason.text = format!("{}; {became}", reason.text);
    }
    verdict
}

/// What is said of a restore that stays although Mastodon is not back on it.
fn takes_it_back(run: &RunId) -> String {
    format!(
        "what was restored stays; if it is what keeps Mastodon down, \"mastmaintctl rollback {run}\" takes it back"
    )
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
    wanted.then(|| backoff(retry, attempt))
}

/// The wait before the try after this one: doubled each time.
pub fn backoff(retry: Retry, attempt: u32) -> Duration {
    retry.backoff.get().saturating_mul(2_u32.saturating_pow(attempt.min(16)))
}

/// The verdict of a step for which nothing was left of the job's time.
pub fn out_of_time(limit: Span) -> Verdict {
    let text =
        format!("the job's timeout of {limit} was used up before this step; raise it or split the job");
    Verdict::because(Outcome::TimedOut, Grade::Exit, Reason::new("job-timeout", text))
}

/// The verdict of a step that must not run because services that it needs stopped are up again.
pub fn services_came_back(why: &str) -> Verdict {
    let text = format!("{why}; the step needs the services stopped and is not run");
    Verdict::because(Outcome::Interrupted, Grade::Exit, Reason::new("bracket-closed", text))
}

/// The verdict of a step that did not start because somebody cancelled the run.
pub fn cancelled() -> Verdict {
    let reason = Reason::new("cancelled", "the run was cancelled before this step");
    Verdict::because(Outcome::Cancelled, Grade::Exit, reason)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use mastmaint_config::settings::{Action, Judged, ServicesAction};

    pub(crate) fn step() -> Step {
        Step {
            action: Action::Run(vec!["/bin/true".into()]),
            timeout: Span::from_secs(60),
            grace: Span::from_secs(1),
            quiet_limit: None,
            on_partial: OnPartial::GoOn,
            go_on: false,
            prove: mastmaint_config::settings::Prove::default(),
            at_most: None,
            dangerous: false,
            judged: Judged::default(),
            environment: std::collections::BTreeMap::new(),
        }
    }

    /// A step that does this.
    pub(crate) fn does(action: Action) -> Step {
        Step { action, ..step() }
    }

    /// The stop of a restore.
    pub(crate) fn stop() -> Step {
        does(Action::Services(ServicesAction::Stop {
            units: vec!["mastodon-web".parse().unwrap()],
            mends: true,
        }))
    }

    /// The run that a test is about.
    pub(crate) fn run_id() -> RunId {
        "20261123T003000Z-7k3f9q".parse().unwrap()
    }

    pub(crate) fn job(steps: Vec<Step>) -> Job {
        Job {
            description: None,
            schedule: None,
            random_delay: Span::default(),
            window: None,
            catch_up: false,
            timeout: Span::from_secs(600),
            retry: Retry { times: 2, backoff: Span::from_secs(10), on: RetryOn::Unreachable },
            change: false,
            requires: None,
            lock: None,
            lock_wait: Span::from_secs(60),
            steps,
        }
    }

    /// Steps that are over, from the first on.
    fn over(outcomes: &[Outcome]) -> Vec<Done> {
        let numbered = (0..).map(StepIndex).zip(outcomes);
        numbered.map(|(step, outcome)| Done { step, verdict: ended(*outcome) }).collect()
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
            assert_eq!(next(&job, &over(&[outcome])), expected, "{outcome}");
        }
        assert_eq!(next(&job, &over(&[Outcome::Ok, Outcome::Ok])), Next::End);
    }

    #[test]
    fn the_step_may_say_otherwise_but_never_against_a_cancel() {
        let job = job(vec![Step { on_partial: OnPartial::Stop, go_on: true, ..step() }, step()]);
        assert_eq!(next(&job, &over(&[Outcome::Partial])), Next::End);
        assert_eq!(next(&job, &over(&[Outcome::Failed])), Next::Step(StepIndex(1)));
        assert_eq!(next(&job, &over(&[Outcome::Cancelled])), Next::End);
    }

    fn bracketed() -> Job {
        let end = |action| Step { action: Action::Services(action), ..step() };
        let stop = end(ServicesAction::Stop { units: vec!["mastodon-web".parse().unwrap()], mends: false });
        job(vec![stop, step(), step(), end(ServicesAction::Start), step()])
    }

    #[test]
    fn whatever_ends_a_run_its_services_are_started_first_and_nothing_comes_after() {
        let job = bracketed();
        let start = Next::Step(StepIndex(3));
        for bad in [Outcome::Failed, Outcome::TimedOut, Outcome::Interrupted, Outcome::Cancelled] {
            assert_eq!(next(&job, &over(&[bad])), start, "the stop itself: {bad}");
            assert_eq!(next(&job, &over(&[Outcome::Ok, bad])), start, "{bad}");
            assert_eq!(next(&job, &over(&[Outcome::Ok, Outcome::Ok, bad])), start, "{bad}");
            let mut done = over(&[Outcome::Ok, bad]);
            done.push(Done { step: StepIndex(3), verdict: ended(Outcome::Ok) });
            assert_eq!(next(&job, &done), Next::End, "then is for what went well: {bad}");
        }
        let ok = Outcome::Ok;
        let prepared = Job { steps: [vec![step()], job.steps.clone()].concat(), ..job.clone() };
        assert_eq!(next(&prepared, &over(&[Outcome::Failed])), Next::End, "nothing was stopped yet");
        assert_eq!(next(&prepared, &over(&[ok, Outcome::Failed])), Next::Step(StepIndex(4)));
        assert_eq!(next(&job, &over(&[ok, ok, ok])), start);
        assert_eq!(next(&job, &over(&[ok, ok, ok, ok])), Next::Step(StepIndex(4)));
        assert_eq!(next(&job, &over(&[ok, ok, ok, Outcome::Failed])), Next::End, "not confirmed");
        assert_eq!(next(&job, &over(&[ok, ok, ok, ok, ok])), Next::End);
    }

    #[test]
    fn what_was_down_before_a_rollback_keeps_nothing_that_follows() {
        let mut job = bracketed();
        job.steps[3].on_partial = OnPartial::Stop;
        let ended_with = |code: &str| {
            let mut done = over(&[Outcome::Ok, Outcome::Ok, Outcome::Ok]);
            let verdict = Verdict::because(Outcome::Partial, Grade::Read, Reason::new(code, "x"));
            done.push(Done { step: StepIndex(3), verdict });
            next(&job, &done)
        };
        assert_eq!(ended_with("not-running"), Next::Step(StepIndex(4)));
        assert_eq!(ended_with("taken-over"), Next::End, "somebody stopped it while it was started");
    }

    proptest::proptest! {
        #[test]
        fn no_run_that_stopped_services_ends_without_their_start(
            outcomes in proptest::collection::vec(proptest::sample::select(Outcome::ALL.to_vec()), 5)
        ) {
            let job = bracketed();
            let mut done: Vec<Done> = Vec::new();
            while let Next::Step(step) = next(&job, &done) {
                proptest::prop_assert!(done.len() < 5, "it never ends");
                done.push(Done { step, verdict: ended(outcomes[usize::from(step.0)]) });
            }
            proptest::prop_assert!(done.iter().any(|done| done.step == StepIndex(3)));
        }
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

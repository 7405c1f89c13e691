//! What a run that restores a database does next. Services are started only on a set that belongs together: whatever goes
//! wrong from the stop on is taken back first, and what cannot be taken back keeps them down. Pure, as the rest.

use super::{Done, Next, is_fine, of_what_was_wrong, takes_it_back, what_follows};
use mastmaint_config::settings::{Job, Swap};
use mastmaint_runner::bracket::{is_not_confirmed, is_started};
use mastmaint_words::{RunId, StepIndex, Verdict};

/// Whether all that was switched is taken back. Of a restore that is taken back there is nothing that could be.
fn is_as_before(swap: &Swap, done: &[Done]) -> bool {
    let mut backs =
        done.iter().filter(|done| swap.stop_again < done.step && done.step < swap.matches_again).peekable();
    backs.peek().is_some() && backs.all(|back| is_fine(back.verdict.outcome))
}

/// What comes next once services were stopped; `None` if the run is elsewhere, or goes on as any other.
pub(super) fn next(job: &Job, done: &[Done]) -> Option<Next> {
    let swap = job.swap()?;
    let of = |step: StepIndex| done.iter().find(|done| done.step == step).map(|done| done.verdict.outcome);
    of(swap.stop)?;
    if of(swap.keep_down).is_some() {
        return Some(Next::End);
    }
    if of(swap.start).is_some() {
        // What follows is for a restore that went well: that nothing had to be taken back.
        let stays = of(swap.stop_again).is_none() && of(swap.matches).is_some_and(is_fine);
        return done.last().filter(|last| last.step == swap.start).map(|started| {
            if stays && is_started(&started.verdict) {
                what_follows(job, StepIndex(swap.keep_down.0 + 1), &started.verdict)
            } else {
                Next::End
            }
        });
    }
    if let Some(matches) = of(swap.matches_again) {
        return Some(Next::Step(if is_fine(matches) { swap.start } else { swap.keep_down }));
    }
    if let Some(last) = done.last().filter(|last| last.step >= swap.stop_again) {
        let following = StepIndex(last.step.0 + 1);
        // What ran before is whole again, or was never touched: it is no worse than it was.
        let is_as_before = following == swap.matches_again && is_as_before(&swap, done);
        return Some(Next::Step(if is_as_before { swap.start } else { following }));
    }
    let bad = done.iter().any(|done| swap.holds(done.step) && !is_fine(done.verdict.outcome));
    if bad {
        return Some(Next::Step(swap.stop_again));
    }
    // A stop that failed has switched nothing; the rest of the policy starts what it has stopped.
    of(swap.matches).map(|_| Next::Step(swap.start))
}

/// The verdict of the run with what became of the restore, in the sentence that people see first.
pub(super) fn told(run: &RunId, swap: &Swap, done: &[Done], verdict: Verdict) -> Verdict {
    let of = |step: StepIndex| done.iter().find(|done| done.step == step).map(|done| &done.verdict);
    let Some(first) = done.iter().find(|done| swap.holds(done.step) && !is_fine(done.verdict.outcome)) else {
        // Services have written into what was restored, so a person decides. What is a rollback itself has no way back.
        let is_not_back =
            swap.has_way_back() && of(swap.matches).is_some() && of(swap.start).is_some_and(is_not_confirmed);
        return if is_not_back {
            of_what_was_wrong(verdict, None, &[], &takes_it_back(run))
        } else {
            verdict
        };
    };
    let became = if of(swap.keep_down).is_some() {
        "it could not be taken back, and Mastodon STAYS DOWN"
    } else if is_as_before(swap, done) {
        "nothing of it stays, Mastodon is as before"
    } else {
        "it is NOT all taken back; what is there belongs together, and Mastodon was started on it"
    };
    let kept = of(swap.keep_down).map_or(&[][..], |kept| &kept.reasons);
    of_what_was_wrong(verdict, Some(first), kept, became)
}

#[cfg(test)]
mod tests {
    use super::super::{
        next,
        tests::{does, job, run_id, step, stop},
        verdict_of_job,
    };
    use super::*;
    use mastmaint_config::settings::{Action, Copied, DatabaseAction, RestoreAction, ServicesAction};
    use mastmaint_words::{Grade, Outcome, Reason};

    /// prepare 0, stop 1, files 2, database 3, match 4, stop 5, database back 6, files back 7, match 8, start 9,
    /// keep down 10, then 11.
    fn restoring() -> Job {
        let services = |action| does(Action::Services(action));
        let database = |action| does(Action::Database(action));
        job(vec![
            step(),
            stop(),
            does(Action::Restore(RestoreAction::Switch(Copied::Here))),
            database(DatabaseAction::Switch(Copied::Here)),
            database(DatabaseAction::MatchNew { files: Some(Copied::Here), database: Copied::Here }),
            stop(),
            database(DatabaseAction::Back(Copied::Here)),
            does(Action::Restore(RestoreAction::Back(Copied::Here))),
            database(DatabaseAction::Match),
            services(ServicesAction::Start),
            services(ServicesAction::KeepDown),
            step(),
        ])
    }

    fn run(ends: &[(u16, Outcome)]) -> (Vec<u16>, String) {
        let ends: Vec<_> = ends.iter().map(|(step, outcome)| (*step, *outcome, "x")).collect();
        run_of(&restoring(), &ends)
    }

    fn run_of(job: &Job, ends: &[(u16, Outcome, &str)]) -> (Vec<u16>, String) {
        let mut done: Vec<Done> = Vec::new();
        while let Next::Step(step) = next(job, &done) {
            assert!(done.len() < 12, "it never ends");
            let end = ends.iter().find(|end| end.0 == step.0);
            let (outcome, code) = end.map_or((Outcome::Ok, "x"), |end| (end.1, end.2));
            let verdict =
                Verdict::because(outcome, Grade::Read, Reason::new(code, format!("step {}", step.0)));
            done.push(Done { step, verdict });
        }
        let text = verdict_of_job(&run_id(), job, &done).reasons[0].text.clone();
        (done.iter().map(|done| done.step.0).collect(), text)
    }

    #[test]
    fn a_set_that_matches_is_started_and_the_run_goes_on() {
        assert_eq!(run(&[]).0, [0, 1, 2, 3, 4, 9, 11]);
        assert_eq!(run(&[(0, Outcome::Failed)]).0, [0], "nothing was stopped");
        assert_eq!(run(&[(11, Outcome::Failed)]).0, [0, 1, 2, 3, 4, 9, 11]);
        assert_eq!(run(&[(9, Outcome::Failed)]).0, [0, 1, 2, 3, 4, 9], "mastmaintd-recover goes on");
        assert_eq!(run(&[(1, Outcome::Failed)]).0, [0, 1, 9], "what was stopped is started");
    }

    #[test]
    fn what_goes_wrong_is_taken_back_and_looked_at_again_before_anything_starts() {
        for outcome in Outcome::ALL.into_iter().filter(|outcome| !is_fine(*outcome)) {
            for wrong in 2..=4_u16 {
                let expected: Vec<u16> = (0..=wrong).chain([5, 6, 7, 9]).collect();
                let (steps, text) = run(&[(wrong, outcome)]);
                assert_eq!(steps, expected, "{outcome} at {wrong}");
                assert_eq!(text, format!("step {wrong}; nothing of it stays, Mastodon is as before"));
            }
        }
    }

    #[test]
    fn what_does_not_come_up_is_a_persons_to_take_back_and_that_is_said() {
        let not = (9, Outcome::Failed, "not-confirmed");
        let back = format!("\"mastmaintctl rollback {}\" takes it back", run_id());
        let (steps, text) = run_of(&restoring(), &[not]);
        assert_eq!(steps, [0, 1, 2, 3, 4, 9], "services have written into it");
        assert!(text.starts_with("step 9; what was restored stays") && text.ends_with(&back), "{text}");
        // What was taken back is as before; a rollback is not itself taken back; and what broke off is not known.
        let (_, text) = run_of(&restoring(), &[(4, Outcome::Failed, "x"), not]);
        assert!(text.starts_with("step 4; nothing of it stays"), "{text}");
        assert!(
            !run_of(&restoring(), &[(1, Outcome::Failed, "x"), not]).1.contains("rollback"),
            "nothing was restored"
        );
        assert!(!run(&[(9, Outcome::Interrupted)]).1.contains("rollback"));
        let mut rollback = restoring();
        rollback.steps.drain(6..=7);
        let (steps, text) = run_of(&rollback, &[(7, Outcome::Failed, "not-confirmed")]);
        assert_eq!((steps, text.as_str()), (vec![0, 1, 2, 3, 4, 7], "step 7"));
    }

    #[test]
    fn what_was_down_before_and_stays_so_keeps_nothing_that_follows() {
        let started = [(9, Outcome::Partial, "not-running")];
        assert_eq!(run_of(&restoring(), &started), (vec![0, 1, 2, 3, 4, 9, 11], "step 9".into()));
        let left = [(9, Outcome::Partial, "taken-over")];
        assert_eq!(run_of(&restoring(), &left).0, [0, 1, 2, 3, 4, 9], "somebody else's");
    }

    #[test]
    fn what_was_not_switched_is_not_looked_at() {
        let untouched = [(2, Outcome::Failed), (6, Outcome::Skipped), (7, Outcome::Skipped)];
        let (steps, text) = run(&untouched);
        assert_eq!(steps, [0, 1, 2, 5, 6, 7, 9]);
        assert_eq!(text, "step 2; nothing of it stays, Mastodon is as before");
    }

    #[test]
    fn what_cannot_be_taken_back_stays_down() {
        let (steps, text) = run(&[(4, Outcome::Failed), (6, Outcome::Failed), (8, Outcome::Failed)]);
        assert_eq!(steps, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]);
        assert_eq!(text, "step 4; it could not be taken back, and Mastodon STAYS DOWN");
        // As far as it comes: a way back that fails in one part goes on with the others.
        let (steps, text) =
            run(&[(3, Outcome::Failed), (5, Outcome::Failed), (6, Outcome::Failed), (7, Outcome::Failed)]);
        assert_eq!(steps, [0, 1, 2, 3, 5, 6, 7, 8, 9], "what matches is started, however it came to");
        assert!(text.contains("NOT all taken back"), "{text}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_started_on_a_set_that_nobody_saw_match(
            outcomes in proptest::collection::vec(proptest::sample::select(Outcome::ALL.to_vec()), 12),
        ) {
            let job = restoring();
            let mut done: Vec<Done> = Vec::new();
            while let Next::Step(step) = next(&job, &done) {
                proptest::prop_assert!(done.iter().all(|over| over.step < step), "a step is done once, in order");
                let verdict = Verdict::because(outcomes[usize::from(step.0)], Grade::Read, Reason::new("x", ""));
                done.push(Done { step, verdict });
            }
            let of = |step: u16| done.iter().find(|done| done.step.0 == step).map(|done| done.verdict.outcome);
            let fine = |step: u16| of(step).is_some_and(is_fine);
            if of(1).is_some() {
                proptest::prop_assert!(of(9).is_some() != of(10).is_some(), "started or kept down, never neither");
            }
            if of(9).is_some() && of(2).is_some() {
                let there = fine(2) && fine(3) && fine(4);
                proptest::prop_assert!(there || fine(6) && fine(7) || fine(8));
            }
        }
    }
}

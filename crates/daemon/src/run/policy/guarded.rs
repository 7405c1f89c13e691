//! What a run with a guard does next. Whatever ends the change before it stays, the run goes over the way back: what was
//! changed is put back, and web is looked at. It is restarted before where the run had started it on the change, and after
//! where it is not well: somebody else may have started it on the change. Pure, as the rest.

use super::{Done, Next, is_fine, of_what_was_wrong};
use mastmaint_config::guard::Guard;
use mastmaint_runner::guard::{NOT_KEPT, owes_restart};
use mastmaint_words::{Outcome, StepIndex, Verdict};

/// The next step of the way back; `None` if the run is not on it.
pub(super) fn way_back(guard: &Guard, done: &[Done]) -> Option<Next> {
    let of = |step: StepIndex| done.iter().find(|done| done.step == step);
    let Some(put_back) = of(guard.put_back) else {
        let is_bad = |done: &&Done| !is_fine(done.verdict.outcome);
        let bad = done.iter().filter(|done| guard.holds(done.step)).find(is_bad)?;
        debug_assert!(
            of(guard.begin).is_some() || bad.step == guard.begin,
            "nothing of it runs before its begin"
        );
        return Some(Next::Step(guard.put_back));
    };
    if of(guard.look_again).is_some() {
        return Some(Next::End);
    }
    if of(guard.restart_again).is_some() {
        return Some(Next::Step(guard.look_again));
    }
    if let Some(first) = of(guard.look_first) {
        let is_well = is_fine(first.verdict.outcome);
        return Some(if is_well { Next::End } else { Next::Step(guard.restart_again) });
    }
    let has_started_on_it = of(guard.restart).is_some() || owes_restart(&put_back.verdict);
    Some(match put_back.verdict.outcome {
        // Nothing had been changed, or the change stays: web runs what is there.
        Outcome::Skipped => Next::End,
        _ if has_started_on_it => Next::Step(guard.restart_again),
        Outcome::Ok => Next::Step(guard.look_first),
        // A web that runs what was before is better than one that starts on what is neither.
        _ => Next::End,
    })
}

/// The verdict of the run with what became of the change, in the sentence that people see first.
pub(super) fn told(guard: &Guard, done: &[Done], verdict: Verdict) -> Verdict {
    let of = |step: StepIndex| done.iter().find(|done| done.step == step).map(|done| &done.verdict);
    let why =
        |verdict: &Verdict| verdict.reasons.first().map(|reason| reason.text.clone()).unwrap_or_default();
    let is_ok = |verdict: &Verdict| verdict.outcome == Outcome::Ok;
    let Some(put_back) = of(guard.put_back).filter(|verdict| verdict.outcome != Outcome::Skipped) else {
        return verdict;
    };
    // A first look that is not well is followed by both.
    let again = [of(guard.restart_again), of(guard.look_again)].into_iter().flatten();
    let became = match again.into_iter().find(|verdict| !is_ok(verdict)) {
        _ if !is_ok(put_back) => format!("it is NOT put back: {}", why(put_back)),
        Some(not_well) => format!("it is put back, and Mastodon is not well: {}", why(not_well)),
        None => match put_back.reasons.iter().find(|reason| reason.code == NOT_KEPT) {
            Some(not) => format!("it is put back as far as it was kept; {}", not.text),
            None => "it is put back, Mastodon is as before".to_owned(),
        },
    };
    let is_bad = |done: &&Done| guard.holds(done.step) && !is_fine(done.verdict.outcome);
    of_what_was_wrong(verdict, done.iter().find(is_bad), &[], &became)
}

#[cfg(test)]
mod tests {
    use super::super::{
        next,
        tests::{job, run_id, step},
        verdict_of_job,
    };
    use super::*;
    use mastmaint_config::{
        guard::{GuardAction, MEMORY, SafePoint},
        settings::{Action, Job, Step, SystemctlAction, SystemctlVerb},
    };
    use mastmaint_runner::guard::RESTART_OWED;
    use mastmaint_words::{Grade, Reason};

    /// A step before it, a command, a step after it.
    fn guarded() -> Job {
        let part = |action| Step { action: Action::Guard(action), ..step() };
        let units = vec!["mastodon-web".parse().unwrap()];
        let restart = || Step {
            action: Action::Systemctl(SystemctlAction { verb: SystemctlVerb::Restart, units: units.clone() }),
            ..step()
        };
        let point = SafePoint { keep: vec![], memory: MEMORY, builds: false, migrates: false, dump: None };
        job(vec![
            step(),
            part(GuardAction::Begin(point)),
            part(GuardAction::Command(vec!["bin/true".into()])),
            part(GuardAction::Check),
            restart(),
            part(GuardAction::Look),
            part(GuardAction::Keep),
            part(GuardAction::PutBack),
            part(GuardAction::Look),
            restart(),
            part(GuardAction::Look),
            step(),
        ])
    }

    fn ended(outcome: Outcome, why: &str) -> Verdict {
        Verdict::because(outcome, Grade::Read, Reason::new("x", why))
    }

    /// The steps that are run when each ends as said, all others well.
    fn steps(ends: &[(u16, Outcome)]) -> (Vec<u16>, Verdict) {
        let job = guarded();
        let mut done: Vec<Done> = Vec::new();
        while let Next::Step(step) = next(&job, &done) {
            let outcome = ends.iter().find(|end| end.0 == step.0).map_or(Outcome::Ok, |end| end.1);
            done.push(Done { step, verdict: ended(outcome, &format!("step {}", step.0)) });
        }
        (done.iter().map(|done| done.step.0).collect(), verdict_of_job(&run_id(), &job, &done))
    }

    #[test]
    fn a_change_that_is_well_stays_and_the_run_goes_on_after_it() {
        let (run, verdict) = steps(&[]);
        assert_eq!((run, verdict.outcome), (vec![0, 1, 2, 3, 4, 5, 6, 11], Outcome::Ok));
        assert_eq!(steps(&[(0, Outcome::Failed)]).0, [0], "nothing had begun");
        assert_eq!(steps(&[(11, Outcome::Failed)]).0, [0, 1, 2, 3, 4, 5, 6, 11], "it stays all the same");
    }

    #[test]
    fn whatever_goes_wrong_is_put_back_and_web_restarted_only_if_it_started_on_it_and_looked_at_always() {
        for outcome in
            Outcome::ALL.into_iter().filter(|outcome| !matches!(outcome, Outcome::Ok | Outcome::Skipped))
        {
            for wrong in 1..=3_u16 {
                let expected: Vec<u16> = (0..=wrong).chain([7, 8]).collect();
                assert_eq!(steps(&[(wrong, outcome)]).0, expected, "{outcome} at {wrong}");
            }
            for wrong in 4..=6_u16 {
                let expected: Vec<u16> = (0..=wrong).chain([7, 9, 10]).collect();
                assert_eq!(steps(&[(wrong, outcome)]).0, expected, "{outcome} at {wrong}");
            }
        }
        assert_eq!(steps(&[(1, Outcome::Failed), (7, Outcome::Skipped)]).0, [0, 1, 7], "refused");
        assert_eq!(
            steps(&[(6, Outcome::Interrupted), (7, Outcome::Skipped)]).0,
            [0, 1, 2, 3, 4, 5, 6, 7],
            "it stays"
        );
        // As far as it comes: a restart that fails is looked at all the same.
        assert_eq!(
            steps(&[(5, Outcome::Failed), (7, Outcome::Failed), (9, Outcome::Failed)]).0,
            [0, 1, 2, 3, 4, 5, 7, 9, 10]
        );
    }

    #[test]
    fn a_web_that_somebody_else_started_on_the_change_is_found_by_the_look_and_restarted() {
        for no in [Outcome::Failed, Outcome::TimedOut, Outcome::Interrupted] {
            let (run, verdict) = steps(&[(3, Outcome::Failed), (8, no)]);
            assert_eq!(run, [0, 1, 2, 3, 7, 8, 9, 10], "{no}");
            let said = verdict.reasons[0].text.clone();
            assert_eq!(said, "step 3; it is put back, Mastodon is as before", "{no}");
        }
        let still = steps(&[(3, Outcome::Failed), (8, Outcome::Failed), (10, Outcome::Failed)]).1;
        assert_eq!(still.reasons[0].text, "step 3; it is put back, and Mastodon is not well: step 10");
        assert_eq!(steps(&[(3, Outcome::Failed), (7, Outcome::Failed)]).0, [0, 1, 2, 3, 7], "not put back");
    }

    #[test]
    fn a_host_that_went_down_has_started_web_on_what_it_found() {
        let job = guarded();
        let mut done: Vec<Done> = (0..=2)
            .map(|step| Done {
                step: StepIndex(step),
                verdict: ended(if step == 2 { Outcome::Interrupted } else { Outcome::Ok }, ""),
            })
            .collect();
        let owed = Verdict::because(Outcome::Ok, Grade::Proved, Reason::new(RESTART_OWED, "put back"));
        done.push(Done { step: StepIndex(7), verdict: owed });
        assert_eq!(next(&job, &done), Next::Step(StepIndex(9)));
    }

    #[test]
    fn the_run_says_what_was_wrong_and_what_became_of_it() {
        let text = |ends: &[(u16, Outcome)]| steps(ends).1.reasons[0].text.clone();
        assert_eq!(text(&[(2, Outcome::Failed)]), "step 2; it is put back, Mastodon is as before");
        assert_eq!(text(&[(5, Outcome::Partial)]), "step 5; it is put back, Mastodon is as before");
        assert_eq!(
            text(&[(5, Outcome::Partial), (10, Outcome::Failed)]),
            "step 5; it is put back, and Mastodon is not well: step 10"
        );
        assert_eq!(
            text(&[(2, Outcome::Cancelled), (7, Outcome::Failed)]),
            "step 2; it is NOT put back: step 7"
        );
        assert_eq!(text(&[(1, Outcome::Failed), (7, Outcome::Skipped)]), "step 1");
        // What was not kept is not as before.
        let job = guarded();
        let mut put_back = ended(Outcome::Ok, "put back");
        put_back.reasons.push(Reason::new(NOT_KEPT, "NOT put back: x"));
        let over = [(1, ended(Outcome::Ok, "")), (2, ended(Outcome::Failed, "step 2")), (7, put_back)];
        let done: Vec<Done> =
            over.into_iter().map(|(step, verdict)| Done { step: StepIndex(step), verdict }).collect();
        let said = verdict_of_job(&run_id(), &job, &done).reasons[0].text.clone();
        assert_eq!(said, "step 2; it is put back as far as it was kept; NOT put back: x");
    }

    proptest::proptest! {
        #[test]
        fn no_run_whose_change_does_not_stay_ends_without_its_way_back(
            outcomes in proptest::collection::vec(proptest::sample::select(Outcome::ALL.to_vec()), 12),
            owes in proptest::bool::ANY,
        ) {
            let (job, guard) = (guarded(), guarded().guard().unwrap());
            let mut done: Vec<Done> = Vec::new();
            while let Next::Step(step) = next(&job, &done) {
                proptest::prop_assert!(done.len() < 12, "it never ends");
                proptest::prop_assert!(done.iter().all(|over| over.step < step), "a step is done once");
                let mut verdict = ended(outcomes[usize::from(step.0)], "");
                if owes && step == guard.put_back {
                    verdict.reasons = vec![Reason::new(RESTART_OWED, "")];
                }
                done.push(Done { step, verdict });
            }
            let of = |step| done.iter().find(|done| done.step == step).map(|done| done.verdict.outcome);
            let fine = |outcome| matches!(outcome, Some(Outcome::Ok | Outcome::Skipped));
            let begun = of(guard.begin).is_some();
            let stays = fine(of(guard.keep));
            proptest::prop_assert_eq!(of(guard.put_back).is_some(), begun && !stays);
            let has_put_back = of(guard.put_back).is_some_and(|outcome| outcome != Outcome::Skipped);
            let on_it = of(guard.restart).is_some() || owes;
            let looks_first = of(guard.put_back) == Some(Outcome::Ok) && !on_it;
            proptest::prop_assert_eq!(of(guard.look_first).is_some(), looks_first);
            let is_ill = looks_first && !fine(of(guard.look_first));
            proptest::prop_assert_eq!(of(guard.look_again).is_some(), has_put_back && on_it || is_ill);
            proptest::prop_assert_eq!(of(guard.restart_again).is_some(), of(guard.look_again).is_some());
        }
    }
}

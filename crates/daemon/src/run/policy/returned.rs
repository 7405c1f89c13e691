//! What a run that restores files alone does next. Services that do not come up on what was switched in are stopped once
//! more, the files of before change places with it again, and services are started on those. Pure, as the rest.

use super::{Done, Next, is_fine, of_what_was_wrong, stops_the_run, takes_it_back, what_follows};
use mastmaint_config::settings::{Job, WayBack};
use mastmaint_runner::bracket::{is_not_confirmed, is_started, was_all_up};
use mastmaint_words::{Outcome, RunId, StepIndex, Verdict};

/// Whether services were seen not to come up on files that were switched in. Of a start that broke off, or that somebody
/// else has taken over, that is not known.
fn is_not_back(way: &WayBack, done: &[Done]) -> bool {
    let of = |step: StepIndex| done.iter().find(|done| done.step == step).map(|done| &done.verdict);
    of(way.switch).is_some_and(|verdict| is_fine(verdict.outcome))
        && of(way.start).is_some_and(is_not_confirmed)
}

/// Whether the files of before would do better: on them all was up that is started now. Else what was wrecked, or nothing at
/// all, would come back in the place of a whole copy.
fn is_owed(way: &WayBack, done: &[Done]) -> bool {
    let until_switched = done.iter().take_while(|done| done.step < way.switch);
    is_not_back(way, done) && until_switched.map(|done| &done.verdict).all(was_all_up)
}

/// What comes next once services were started on what was switched in; `None` if the run is elsewhere, or goes on as any
/// other.
pub(super) fn next(job: &Job, done: &[Done]) -> Option<Next> {
    let way = job.way_back()?;
    let last = done.last()?;
    if last.step == way.start {
        let then = StepIndex(way.start_again.0 + 1);
        let ends_it = |done: &Done| {
            let step = job.steps.get(usize::from(done.step.0));
            step.is_some_and(|step| stops_the_run(step, &done.verdict))
        };
        let went_well = !done.iter().any(ends_it);
        return Some(match went_well {
            true => what_follows(job, then, &last.verdict),
            false if is_owed(&way, done) => Next::Step(way.stop_again),
            false => Next::End,
        });
    }
    // What was stopped is started again, however the rest ends.
    way.holds(last.step).then(|| {
        if last.step == way.start_again { Next::End } else { Next::Step(StepIndex(last.step.0 + 1)) }
    })
}

/// The verdict of the run with what became of the restore, in the sentence that people see first.
pub(super) fn told(run: &RunId, way: &WayBack, done: &[Done], verdict: Verdict) -> Verdict {
    let of = |step: StepIndex| done.iter().find(|done| done.step == step);
    let (Some(wrong), Some(again)) = (of(way.start), of(way.start_again)) else {
        let stays = is_not_back(way, done) && !is_owed(way, done);
        return if stays { of_what_was_wrong(verdict, None, &[], &takes_it_back(run)) } else { verdict };
    };
    let is_back = of(way.back).is_some_and(|back| back.verdict.outcome == Outcome::Ok);
    let became = match (is_back, is_started(&again.verdict)) {
        (true, true) => "the files of before are there again, and Mastodon runs on them",
        (true, false) => {
            "the files of before are there again, but Mastodon IS NOT BACK on them either; mastmaintd-recover goes on trying"
        }
        (false, true) => "what was restored could NOT be taken back; Mastodon runs on it",
        (false, false) => {
            "what was restored could NOT be taken back, and Mastodon IS NOT BACK; mastmaintd-recover goes on trying"
        }
    };
    let mut first = wrong.clone();
    first.verdict.reasons.truncate(1);
    let more = if is_back { &[][..] } else { of(way.back).map_or(&[][..], |back| &back.verdict.reasons) };
    of_what_was_wrong(verdict, Some(&first), more, became)
}

#[cfg(test)]
mod tests {
    use super::super::{
        next,
        tests::{does, job, run_id, step, stop},
        verdict_of_job,
    };
    use super::*;
    use mastmaint_config::settings::{Action, Copied, OnPartial, RestoreAction, ServicesAction, Step};
    use mastmaint_words::{Grade, Reason};

    /// prepare 0, stop 1, files 2, start 3, stop 4, files back 5, start 6, a probe 7, then 8.
    fn restoring() -> Job {
        let services = |action| Step { on_partial: OnPartial::Stop, ..does(Action::Services(action)) };
        let files = |action| does(Action::Restore(action));
        job(vec![
            step(),
            stop(),
            files(RestoreAction::Switch(Copied::Here)),
            services(ServicesAction::Start),
            stop(),
            files(RestoreAction::Back(Copied::Here)),
            services(ServicesAction::Start),
            Step { go_on: true, ..files(RestoreAction::Ask("web".parse().unwrap())) },
            step(),
        ])
    }

    fn run(ends: &[(u16, Outcome, &str)]) -> (Vec<u16>, Verdict) {
        let job = restoring();
        let mut done: Vec<Done> = Vec::new();
        while let Next::Step(step) = next(&job, &done) {
            assert!(done.len() < 9, "it never ends");
            let (outcome, code) =
                ends.iter().find(|end| end.0 == step.0).map_or((Outcome::Ok, "x"), |end| (end.1, end.2));
            let reason = Reason::new(code, format!("step {}", step.0));
            let more = Reason::new("recovers", "somebody goes on");
            let mut verdict = Verdict::because(outcome, Grade::Read, reason);
            verdict.reasons.push(more);
            done.push(Done { step, verdict });
        }
        let verdict = verdict_of_job(&run_id(), &job, &done);
        (done.iter().map(|done| done.step.0).collect(), verdict)
    }

    const NOT: (Outcome, &str) = (Outcome::Failed, "not-confirmed");

    #[test]
    fn what_comes_up_stays_and_its_probes_are_asked() {
        assert_eq!(run(&[]).0, [0, 1, 2, 3, 7, 8]);
        // A no undoes nothing, keeps nothing that follows, and is not well.
        let (steps, verdict) = run(&[(7, Outcome::Failed, "probe-no")]);
        assert_eq!((steps, verdict.outcome), (vec![0, 1, 2, 3, 7, 8], Outcome::Failed));
        // Where nothing ran nothing was started that could answer.
        assert_eq!(run(&[(3, Outcome::Skipped, "nothing-stopped")]).0, [0, 1, 2, 3, 8]);
    }

    #[test]
    fn what_does_not_come_up_is_taken_back_and_said() {
        let not = (3, NOT.0, NOT.1);
        let (steps, verdict) = run(&[not]);
        assert_eq!((steps, verdict.outcome), (vec![0, 1, 2, 3, 4, 5, 6], Outcome::Failed));
        let text = "step 3; the files of before are there again, and Mastodon runs on them";
        assert_eq!(verdict.reasons.iter().map(|r| r.text.as_str()).collect::<Vec<_>>(), [text]);
        for (wrong, said) in [
            ((4, Outcome::Failed, "not-stopped"), "runs on them"),
            ((5, Outcome::Failed, "moved"), "could NOT be taken back; Mastodon runs on it"),
            ((5, Outcome::Skipped, "nothing-to-do"), "could NOT be taken back; Mastodon runs on it"),
            ((6, NOT.0, NOT.1), "IS NOT BACK on them either"),
        ] {
            let (steps, verdict) = run(&[not, wrong]);
            assert_eq!(steps, [0, 1, 2, 3, 4, 5, 6], "{wrong:?}");
            assert!(
                verdict.reasons[0].text.ends_with(said) || verdict.reasons[0].text.contains(said),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn what_was_not_up_on_the_files_of_before_is_not_sent_back_to_them() {
        let (steps, verdict) = run(&[(1, Outcome::Ok, "not-all-up"), (3, NOT.0, NOT.1)]);
        assert_eq!((steps, verdict.outcome), (vec![0, 1, 2, 3], Outcome::Failed));
        let text = &verdict.reasons[0].text;
        let back = format!("\"mastmaintctl rollback {}\" takes it back", run_id());
        assert!(text.starts_with("step 3; what was restored stays") && text.ends_with(&back), "{text}");
        assert_eq!(verdict.reasons[1].code, "recovers", "{verdict:?}");
        // That it was so is no reason to go back from what comes up.
        assert_eq!(run(&[(1, Outcome::Ok, "not-all-up")]).0, [0, 1, 2, 3, 7, 8]);
    }

    #[test]
    fn what_was_down_before_and_stays_so_is_said_and_the_rest_is_asked() {
        let (steps, verdict) = run(&[(3, Outcome::Partial, "not-running")]);
        assert_eq!((steps, verdict.outcome), (vec![0, 1, 2, 3, 7, 8], Outcome::Partial));
        assert_eq!(verdict.reasons[0].code, "not-running");
        assert_eq!(run(&[(3, Outcome::Partial, "taken-over")]).0, [0, 1, 2, 3], "somebody else's");
        let (_, verdict) = run(&[(3, NOT.0, NOT.1), (6, Outcome::Partial, "not-running")]);
        assert!(verdict.reasons[0].text.ends_with("Mastodon runs on them"), "{verdict:?}");
    }

    #[test]
    fn what_nobody_saw_fail_is_not_taken_back() {
        for (wrong, steps) in [
            ((2, Outcome::Failed, "switch-cut"), vec![0, 1, 2, 3]),
            ((3, Outcome::Interrupted, "room-stopped"), vec![0, 1, 2, 3]),
            ((3, Outcome::Cancelled, "taken-over"), vec![0, 1, 2, 3]),
            ((3, Outcome::TimedOut, "timeout"), vec![0, 1, 2, 3]),
            ((1, Outcome::Failed, "not-stopped"), vec![0, 1, 3]),
            ((0, Outcome::Failed, "no-space"), vec![0]),
        ] {
            assert_eq!(run(&[wrong]).0, steps, "{wrong:?}");
        }
        // What was not switched in is not what keeps services from coming up.
        assert_eq!(run(&[(2, Outcome::Failed, "moved"), (3, NOT.0, NOT.1)]).0, [0, 1, 2, 3]);
    }

    proptest::proptest! {
        #[test]
        fn whoever_stops_starts(
            outcomes in proptest::collection::vec(proptest::sample::select(Outcome::ALL.to_vec()), 9),
            not_confirmed in proptest::bool::ANY,
        ) {
            let job = restoring();
            let mut done: Vec<Done> = Vec::new();
            while let Next::Step(step) = next(&job, &done) {
                proptest::prop_assert!(done.iter().all(|over| over.step < step), "a step is done once, in order");
                let code = if not_confirmed && step.0 == 3 { NOT.1 } else { "x" };
                let verdict = Verdict::because(outcomes[usize::from(step.0)], Grade::Read, Reason::new(code, ""));
                done.push(Done { step, verdict });
            }
            let ran = |step: u16| done.iter().any(|done| done.step.0 == step);
            proptest::prop_assert_eq!(ran(1), ran(3));
            proptest::prop_assert_eq!(ran(4), ran(6));
            proptest::prop_assert!(!ran(5) || ran(6));
        }
    }
}

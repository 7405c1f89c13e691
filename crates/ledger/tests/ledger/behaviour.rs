//! What the ledger keeps, and that each thing is kept once.

use crate::common::*;
use mastmaint_ledger::{
    Approval, FindError, HandHold, LedgerError, Mark, NewRun, OwedMessage, PlannedRetry, StepEnd, Verified,
};
use mastmaint_words::backup::{Code, Finding, Report};
use mastmaint_words::{
    Grade, Hold, HoldId, HoldScope, Numbers, Outcome, Reason, Space, Span, StepIndex, Trigger,
};

#[test]
fn a_run_reads_back_as_it_was_told() {
    let (dir, mut ledger) = fresh();
    let mark = Mark { handled: at(1), state: "30 0 * * * Europe/Paris".to_owned() };
    ledger.queue_run(&scheduled("clean", 1, 0), Some((&job("clean"), &mark))).unwrap();
    ledger.start_step(&start(key(1, 0), 2)).unwrap();
    ledger.start_step(&start(key(1, 1), 10)).unwrap();
    ledger.journaled(&key(1, 0), 7).unwrap();
    ledger.journaled(&key(1, 0), 5).unwrap();
    ledger.end_step(&end(key(1, 0), 9, Outcome::Partial), Some(b"gzip")).unwrap();

    drop(ledger);
    let mut ledger = open(dir.path());
    let open = ledger.open_runs().unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].run.trigger, Trigger::Schedule { slot: at(0) });
    assert_eq!(open[0].run.started, Some(at(2)));
    assert_eq!(open[0].steps[0].end, Some(end(key(1, 0), 9, Outcome::Partial)));
    assert_eq!((open[0].steps[0].journaled, open[0].steps[0].output_kept), (7, true));
    assert_eq!((open[0].steps[1].end.as_ref(), open[0].steps[1].output_kept), (None, false));
    assert_eq!(open[0].steps[1].at, at(10));
    assert_eq!(ledger.output(&key(1, 0)).unwrap().as_deref(), Some(b"gzip".as_slice()));
    assert_eq!(ledger.output(&key(1, 1)).unwrap(), None);
    assert_eq!(ledger.marks().unwrap(), [(job("clean"), mark)].into());

    ledger.end_step(&end(key(1, 1), 20, Outcome::Ok), None).unwrap();
    let reason = Reason::new("some-failed", "2 of 40 items failed");
    ledger.end_run(&run_id(1), at(21), Outcome::Partial, Some(Grade::Read), Some(&reason)).unwrap();
    assert_eq!(ledger.open_runs().unwrap(), []);
    let run = ledger.run(&run_id(1)).unwrap().unwrap();
    assert_eq!((run.run.outcome, run.run.reason), (Some(Outcome::Partial), Some(reason)));
    let sums = Numbers { visited: Some(80), failed: Some(4), removed: None, bytes: Some(44 << 30) };
    assert_eq!(run.run.numbers, sums);
    assert_eq!(ledger.history(None, 5).unwrap()[0].numbers, sums);
    assert_eq!(ledger.last_ended().unwrap()[&job("clean")].numbers, sums);
    ledger.quick_check().unwrap();
}

#[test]
fn a_run_that_starts_at_once_is_recorded_whole_or_not_at_all() {
    let (_dir, mut ledger) = fresh();
    let mark = Mark { handled: at(0), state: "s".to_owned() };
    ledger
        .queue_and_start(&scheduled("clean", 1, 0), Some((&job("clean"), &mark)), &start(key(1, 0), 2))
        .unwrap();
    let again = NewRun { trigger: Trigger::Schedule { slot: at(0) }, ..manual("clean", 2) };
    let refused = ledger.queue_and_start(&again, Some((&job("clean"), &mark)), &start(key(2, 0), 3));
    assert!(matches!(refused, Err(LedgerError::DuplicateSlot { .. })));
    // Said again, as after an adoption, it changes nothing.
    ledger.start_step(&start(key(1, 0), 9)).unwrap();
    let open = ledger.open_runs().unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].run.id.clone(), open[0].run.started), (run_id(1), Some(at(2))));
    assert_eq!((open[0].steps.len(), open[0].steps[0].at), (1, at(2)));
    assert_eq!(ledger.marks().unwrap()[&job("clean")], mark);
}

#[test]
fn a_slot_is_answered_by_one_run() {
    let (_dir, mut ledger) = fresh();
    let before = Mark { handled: at(0), state: "s".to_owned() };
    ledger.queue_run(&scheduled("clean", 1, 0), Some((&job("clean"), &before))).unwrap();
    let again = NewRun { trigger: Trigger::CatchUp { slot: at(0) }, ..manual("clean", 2) };
    let after = Mark { handled: at(5), state: "s".to_owned() };
    let refused = ledger.queue_run(&again, Some((&job("clean"), &after)));
    assert!(matches!(refused, Err(LedgerError::DuplicateSlot { slot, .. }) if slot == at(0)));
    // Refused whole: the mark is the one of the run that is there.
    assert_eq!(ledger.marks().unwrap()[&job("clean")], before);
    // Another job, another slot, a person and a retry are not the same.
    ledger.queue_run(&scheduled("other", 3, 0), None).unwrap();
    ledger.queue_run(&scheduled("clean", 4, 60), None).unwrap();
    ledger.queue_run(&manual("clean", 5), None).unwrap();
    let retry = Trigger::Retry { of: run_id(1), attempt: 1, slot: Some(at(0)) };
    ledger.queue_run(&NewRun { trigger: retry, ..manual("clean", 6) }, None).unwrap();
    assert_eq!(ledger.history(None, 10).unwrap().len(), 5);
}

#[test]
fn the_first_end_wins() {
    let (_dir, mut ledger) = fresh();
    ledger.queue_run(&manual("clean", 1), None).unwrap();
    ledger.start_step(&start(key(1, 0), 2)).unwrap();
    ledger.start_step(&start(key(1, 0), 8)).unwrap();
    ledger.end_step(&end(key(1, 0), 10, Outcome::Ok), None).unwrap();
    ledger.end_step(&end(key(1, 0), 11, Outcome::Interrupted), Some(b"late")).unwrap();
    ledger.end_run(&run_id(1), at(12), Outcome::Ok, None, None).unwrap();
    ledger.end_run(&run_id(1), at(13), Outcome::Failed, None, None).unwrap();
    let run = ledger.run(&run_id(1)).unwrap().unwrap();
    assert_eq!(
        (run.run.started, run.run.ended, run.run.outcome),
        (Some(at(2)), Some(at(12)), Some(Outcome::Ok))
    );
    assert_eq!(run.steps[0].at, at(2));
    assert_eq!(run.steps[0].end, Some(end(key(1, 0), 10, Outcome::Ok)));
    assert_eq!(ledger.output(&key(1, 0)).unwrap(), None);
}

#[test]
fn what_was_never_recorded_is_not_invented() {
    let (_dir, mut ledger) = fresh();
    assert!(matches!(ledger.start_step(&start(key(1, 0), 1)), Err(LedgerError::UnknownRun { .. })));
    assert!(matches!(
        ledger.end_run(&run_id(1), at(1), Outcome::Ok, None, None),
        Err(LedgerError::UnknownRun { .. })
    ));
    assert!(matches!(ledger.start_step(&start(key(1, 0), 1)), Err(LedgerError::UnknownRun { .. })));
    ledger.queue_run(&manual("clean", 1), None).unwrap();
    let unknown = ledger.end_step(&end(key(1, 0), 9, Outcome::Ok), None);
    assert!(matches!(unknown, Err(LedgerError::UnknownStep { .. })));
    assert!(matches!(ledger.journaled(&key(1, 0), 1), Err(LedgerError::UnknownStep { .. })));
    assert!(!unknown.unwrap_err().stops_recording());
    assert_eq!(ledger.run(&run_id(1)).unwrap().unwrap().steps, []);
}

#[test]
fn a_retry_is_owed_from_the_end_of_its_run_until_it_is_a_run() {
    let (dir, mut ledger) = fresh();
    ledger.queue_run(&scheduled("clean", 1, 0), None).unwrap();
    let owed = PlannedRetry {
        job: job("clean"),
        of: run_id(1),
        attempt: 1,
        slot: Some(at(0)),
        not_before: at(600),
        digest: digest(),
    };
    ledger.end_run_and_retry(&run_id(1), at(5), Outcome::Failed, None, None, Some(&owed)).unwrap();
    drop(ledger);
    let mut ledger = open(dir.path());
    assert_eq!(ledger.planned_retries().unwrap(), std::slice::from_ref(&owed));

    let trigger = Trigger::Retry { of: run_id(1), attempt: 1, slot: Some(at(0)) };
    ledger.queue_run(&NewRun { trigger, ..manual("clean", 601) }, None).unwrap();
    assert_eq!(ledger.planned_retries().unwrap(), []);
    // A late report of the first run does not owe it again.
    ledger.end_run_and_retry(&run_id(1), at(700), Outcome::Failed, None, None, Some(&owed)).unwrap();
    assert_eq!(ledger.planned_retries().unwrap(), []);

    let next = PlannedRetry { attempt: 2, not_before: at(1200), ..owed.clone() };
    ledger.plan_retry(&owed).unwrap();
    ledger.plan_retry(&next).unwrap();
    assert_eq!(ledger.planned_retries().unwrap(), [next]);
    assert!(ledger.drop_retry(&job("clean")).unwrap());
    assert!(!ledger.drop_retry(&job("clean")).unwrap());
}

#[test]
fn a_pause_lasts_until_it_is_taken_back() {
    let (dir, mut ledger) = fresh();
    ledger.pause(&job("clean"), at(1), 0).unwrap();
    ledger.pause(&job("clean"), at(2), 1000).unwrap();
    drop(ledger);
    let mut ledger = open(dir.path());
    assert_eq!(ledger.paused().unwrap(), [job("clean")].into());
    assert!(ledger.resume(&job("clean")).unwrap());
    assert!(!ledger.resume(&job("clean")).unwrap());
    assert!(ledger.paused().unwrap().is_empty());
}

#[test]
fn a_run_is_found_by_what_people_type() {
    let (_dir, mut ledger) = fresh();
    for number in [1, 2, 90_000] {
        ledger.queue_run(&manual("clean", number), None).unwrap();
    }
    assert_eq!(ledger.find(run_id(2).as_str()).unwrap(), run_id(2));
    assert_eq!(ledger.find("clean").unwrap(), run_id(90_000));
    assert_eq!(ledger.find("20261124").unwrap(), run_id(90_000));
    match ledger.find("20261123") {
        Err(FindError::Ambiguous { candidates, .. }) => assert_eq!(candidates, [run_id(2), run_id(1)]),
        other => panic!("{other:?}"),
    }
    for nothing in ["", "2027", "nobody", "%", "2026112_"] {
        assert!(matches!(ledger.find(nothing), Err(FindError::NotFound { .. })), "{nothing:?}");
    }
}

#[test]
fn forgotten_outputs_give_their_space_back() {
    let (dir, mut ledger) = fresh();
    let noise: Vec<u8> = (0..200_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for number in 1..=20 {
        ledger.queue_run(&manual("clean", number), None).unwrap();
        ledger.start_step(&start(key(number, 0), number)).unwrap();
        ledger.end_step(&end(key(number, 0), number, Outcome::Ok), Some(&noise)).unwrap();
        ledger.end_run(&run_id(number), at(number), Outcome::Ok, None, None).unwrap();
    }
    let day = Span::from_secs(86_400);
    let forgotten = ledger.forget_old(at(86_400 + 11), Span::from_secs(86_400 * 400), day).unwrap();
    assert_eq!((forgotten.runs, forgotten.outputs), (0, 10));
    assert_eq!(ledger.output(&key(10, 0)).unwrap(), None);
    assert_eq!(ledger.output(&key(11, 0)).unwrap(), Some(noise));
    assert!(!ledger.run(&run_id(10)).unwrap().unwrap().steps[0].output_kept);
    drop(ledger);
    let size = std::fs::metadata(dir.path().join("ledger.sqlite")).unwrap().len();
    assert!((2_000_000..2_300_000).contains(&size), "{size}");
}

#[test]
fn a_dry_run_does_not_hide_how_the_last_real_one_ended() {
    let (_dir, mut ledger) = fresh();
    ledger.queue_run(&manual("clean", 1), None).unwrap();
    ledger.end_run(&run_id(1), at(5), Outcome::Failed, None, None).unwrap();
    ledger.queue_run(&NewRun { dry_run: true, ..manual("clean", 2) }, None).unwrap();
    ledger.end_run(&run_id(2), at(6), Outcome::Ok, None, None).unwrap();
    ledger.queue_run(&manual("clean", 3), None).unwrap();
    ledger.end_run(&run_id(3), at(7), Outcome::Skipped, None, None).unwrap();
    assert_eq!(ledger.last_ended().unwrap()[&job("clean")].id, run_id(1));
}

#[test]
fn what_people_were_told_and_what_is_owed_to_them_is_kept_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(dir.path());
    let message = |id, target: &str| {
        let (target, notice) = (target.parse().unwrap(), format!("notice {id}"));
        OwedMessage { id, target, made: at(1), notice }
    };
    ledger.tell("job:clean", "{}", &[message(2, "root"), message(1, "hook-2")]).unwrap();
    ledger.tell("job:clean", r#"{"a":1}"#, &[]).unwrap();
    ledger.tell("summary:0", "{}", &[]).unwrap();
    ledger.untell("summary:0").unwrap();
    ledger.settle(2).unwrap();
    ledger.settle(7).unwrap();
    drop(ledger);
    let ledger = open(dir.path());
    assert_eq!(ledger.owed_messages().unwrap(), [message(1, "hook-2")]);
    let kept = ledger.tellings().unwrap();
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [("job:clean".to_owned(), r#"{"a":1}"#.to_owned())]);
}

#[test]
fn a_hold_stays_until_it_is_removed_and_is_forgotten_with_the_runs() {
    let (dir, mut ledger) = fresh();
    let set = |id, until| HandHold {
        id: HoldId(id),
        hold: Hold { from: at(1), until: at(until), scope: HoldScope::Change, reason: "freeze".into() },
        at: at(1),
        uid: 0,
    };
    for hold in [set(1, 10), set(2, 20), set(3, 30)] {
        ledger.set_hold(&hold).unwrap();
    }
    drop(ledger);
    let mut ledger = open(dir.path());
    assert!(ledger.remove_hold(HoldId(2)).unwrap());
    assert!(!ledger.remove_hold(HoldId(2)).unwrap());
    assert_eq!(ledger.holds().unwrap(), [set(1, 10), set(3, 30)]);
    let keep = Span::from_secs(5);
    ledger.forget_old(at(16), keep, keep).unwrap();
    assert_eq!(ledger.holds().unwrap(), [set(3, 30)]);
}

#[test]
fn a_cancel_is_kept_for_as_long_as_the_run_goes_on() {
    let (dir, mut ledger) = fresh();
    ledger.queue_run(&manual("clean", 1), None).unwrap();
    ledger.queue_run(&manual("clean", 2), None).unwrap();
    ledger.ask_cancel(&run_id(1), at(5)).unwrap();
    ledger.ask_cancel(&run_id(1), at(6)).unwrap();
    ledger.end_run(&run_id(2), at(7), Outcome::Ok, None, None).unwrap();
    ledger.ask_cancel(&run_id(2), at(8)).unwrap();
    assert!(matches!(ledger.ask_cancel(&run_id(3), at(9)), Err(LedgerError::UnknownRun { .. })));
    drop(ledger);
    let ledger = open(dir.path());
    assert_eq!(ledger.open_runs().unwrap()[0].run.cancel_asked, Some(at(5)), "the first time stays");
    assert_eq!(ledger.run(&run_id(2)).unwrap().unwrap().run.cancel_asked, None, "it was over");
}

#[test]
fn the_room_of_the_media_is_told_now_and_a_week_before() {
    let (_dir, mut ledger) = fresh();
    assert_eq!(ledger.space_trend().unwrap(), None);
    for (day, free) in [(0, 100), (1, 110), (8, 120), (9, 130)] {
        let second = 86_400 * day;
        ledger.queue_run(&manual("clean", second), None).unwrap();
        ledger.start_step(&start(key(second, 0), second)).unwrap();
        let space = Space { total_bytes: 1000, free_before_bytes: 90, free_after_bytes: free };
        let end = StepEnd { space: Some(space), ..end(key(second, 0), second, Outcome::Ok) };
        ledger.end_step(&end, None).unwrap();
    }
    let trend = ledger.space_trend().unwrap().unwrap();
    assert_eq!((trend.total, trend.free), (1000, 130));
    assert_eq!(trend.earlier, Some((at(86_400), 110)), "neither the oldest nor the one of the day before");
}

#[test]
fn the_newest_verification_of_each_backup_is_kept() {
    let (dir, mut ledger) = fresh();
    let verified = |backup: &str, second: i64, sentence: &str| Verified {
        at: at(second),
        run: run_id(second),
        report: Report {
            backup: backup.to_owned(),
            kind: "postgres".to_owned(),
            newest: None,
            sentence: sentence.to_owned(),
            summary: None,
            drill: None,
            findings: vec![Finding::warn(Code::NotChecked, "what", "advice")],
            store_bytes: 0,
        },
    };
    let (files, newer) = (verified("files", 3, "files"), verified("database", 2, "newer"));
    for put in [&verified("database", 1, "older"), &newer, &files, &verified("files", 1, "late")] {
        ledger.put_verified(put).unwrap();
    }
    drop(ledger);
    assert_eq!(open(dir.path()).verified().unwrap(), [newer, files]);
}

#[test]
fn an_approval_is_kept_until_it_is_used() {
    let (dir, mut ledger) = fresh();
    let found = [(StepIndex(1), Numbers { removed: Some(5000), ..Numbers::default() })].into();
    let why = "would remove 5000 items".to_owned();
    let titles = [(StepIndex(1), "tootctl media remove-orphans".to_owned())].into();
    let asked = Approval { run: run_id(1), job: job("clean"), at: at(1), found, titles, why, used_by: None };
    ledger.put_approval(&asked).unwrap();
    drop(ledger);
    let mut ledger = open(dir.path());
    assert_eq!(ledger.approvals().unwrap(), std::slice::from_ref(&asked));
    let used = Approval { used_by: Some(run_id(2)), ..asked };
    ledger.put_approval(&used).unwrap();
    assert_eq!(ledger.approvals().unwrap(), std::slice::from_ref(&used));
    // A clock that is ahead for a moment costs no other job its approval.
    let other = Approval {
        run: run_id(9),
        at: at(8 * 86_400),
        found: [].into(),
        titles: [].into(),
        job: job("other"),
        why: String::new(),
        used_by: None,
    };
    ledger.put_approval(&other).unwrap();
    assert_eq!(ledger.approvals().unwrap(), [used, other.clone()]);
    let keep = Span::from_secs(400 * 86_400);
    ledger.forget_old(at(7 * 86_400 + 2), keep, keep).unwrap();
    assert_eq!(ledger.approvals().unwrap(), [other]);
}

#[test]
fn a_job_waits_for_one_approval_and_that_is_the_newest() {
    let (_dir, mut ledger) = fresh();
    let asked = |second, name: &str| Approval {
        run: run_id(second),
        job: job(name),
        at: at(second),
        found: [].into(),
        titles: [].into(),
        why: String::new(),
        used_by: None,
    };
    let used = Approval { used_by: Some(run_id(50)), ..asked(1, "clean") };
    for approval in [&used, &asked(2, "clean"), &asked(3, "other"), &asked(4, "clean")] {
        ledger.put_approval(approval).unwrap();
    }
    assert_eq!(ledger.approvals().unwrap(), [used, asked(3, "other"), asked(4, "clean")]);
}

#[test]
fn what_is_usual_is_the_middle_of_the_last_runs() {
    let (_dir, mut ledger) = fresh();
    let title = start(key(1, 0), 1).title;
    for (second, removed) in [(1, 10), (2, 5000), (3, 12)] {
        assert_eq!(ledger.usual(&job("clean"), &title).unwrap(), None, "too few to say");
        ledger.queue_run(&manual("clean", second), None).unwrap();
        ledger.start_step(&start(key(second, 0), second)).unwrap();
        let mut end = end(key(second, 0), second, Outcome::Ok);
        end.verdict.numbers.removed = Some(removed);
        ledger.end_step(&end, None).unwrap();
    }
    assert_eq!(ledger.usual(&job("clean"), &title).unwrap(), Some(12));
    assert_eq!(ledger.usual(&job("other"), &title).unwrap(), None);
}

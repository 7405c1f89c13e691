//! What a daemon writes into a ledger that had to begin anew.

use crate::common::*;
use mastmaint_ledger::{Approval, HandHold, Ledger, Mark, Pause, PlannedRetry, Restore};
use mastmaint_words::{Grade, Hold, HoldId, HoldScope, Outcome, Reason};

/// What the ledger of the test holds, read back.
fn known(ledger: &Ledger) -> Restore {
    let mut runs: Vec<_> = ledger.history(None, 100).unwrap();
    runs.reverse();
    Restore {
        marks: ledger.marks().unwrap(),
        paused: ledger.paused().unwrap().into_iter().map(|job| Pause { job, at: at(3), uid: 1000 }).collect(),
        retries: ledger.planned_retries().unwrap(),
        holds: ledger.holds().unwrap(),
        approvals: ledger.approvals().unwrap(),
        runs: runs.into_iter().map(|run| ledger.run(&run.id).unwrap().unwrap()).collect(),
    }
}

fn lived() -> (tempfile::TempDir, Ledger) {
    let (dir, mut ledger) = fresh();
    let mark = Mark { handled: at(60), state: "{}".into() };
    ledger.queue_run(&scheduled("clean", 1, 60), Some((&job("clean"), &mark))).unwrap();
    ledger.start_step(&start(key(1, 0), 3)).unwrap();
    ledger.end_step(&end(key(1, 0), 9, Outcome::Partial), None).unwrap();
    ledger.start_step(&start(key(1, 1), 10)).unwrap();
    ledger.journaled(&key(1, 1), 7).unwrap();
    ledger.queue_run(&manual("other", 2), None).unwrap();
    ledger.queue_run(&manual("over", 3), None).unwrap();
    let reason = Reason::new("because", "because");
    let retry = PlannedRetry {
        job: job("over"),
        of: run_id(3),
        attempt: 1,
        slot: None,
        not_before: at(900),
        digest: digest(),
    };
    ledger
        .end_run_and_retry(
            &run_id(3),
            at(20),
            Outcome::Failed,
            Some(Grade::Read),
            Some(&reason),
            Some(&retry),
        )
        .unwrap();
    ledger.pause(&job("other"), at(3), 1000).unwrap();
    let hold = Hold { from: at(1), until: at(900), scope: HoldScope::All, reason: "own work".into() };
    ledger.set_hold(&HandHold { id: HoldId(4), hold, at: at(1), uid: 1000 }).unwrap();
    let approval = Approval {
        run: run_id(3),
        job: job("over"),
        at: at(20),
        found: [(mastmaint_words::StepIndex(0), mastmaint_words::Numbers::default())].into(),
        titles: [(mastmaint_words::StepIndex(0), "tootctl media remove".to_owned())].into(),
        why: "step 1 would remove 7 items".into(),
        used_by: None,
    };
    ledger.put_approval(&approval).unwrap();
    ledger.ask_cancel(&run_id(1), at(11)).unwrap();
    (dir, ledger)
}

#[test]
fn what_was_known_is_in_the_new_ledger_and_a_second_time_changes_nothing() {
    let (_old, ledger) = lived();
    let before = known(&ledger);
    assert_eq!((before.runs.len(), before.retries.len(), before.paused.len()), (3, 1, 1));
    assert_eq!((before.holds.len(), before.runs[0].run.cancel_asked), (1, Some(at(11))));
    assert_eq!(before.approvals.len(), 1);
    let (_new, mut anew) = fresh();
    for _ in 0..2 {
        anew.restore(&before).unwrap();
        assert_eq!(known(&anew), before);
        assert_eq!(anew.open_runs().unwrap(), ledger.open_runs().unwrap());
    }
    // And it goes on as if nothing had been.
    anew.end_step(&end(key(1, 1), 12, Outcome::Ok), Some(&[1])).unwrap();
    anew.end_run(&run_id(1), at(12), Outcome::Ok, None, None).unwrap();
    anew.restore(&before).unwrap();
    let run = anew.run(&run_id(1)).unwrap().unwrap();
    assert_eq!((run.run.outcome, run.run.ended), (Some(Outcome::Ok), Some(at(12))), "the first end wins");
    assert!(run.steps[1].end.is_some() && run.steps[1].output_kept);
    assert!(anew.queue_run(&scheduled("clean", 5, 60), None).is_err(), "the slot is taken");
}

#[test]
fn what_is_open_in_the_ledger_gets_its_end() {
    let (_old, ledger) = lived();
    let before = known(&ledger);
    let (_new, mut anew) = fresh();
    // The daemon was faster than its restoring.
    anew.queue_run(&manual("over", 3), None).unwrap();
    anew.queue_run(&scheduled("clean", 1, 60), None).unwrap();
    anew.start_step(&start(key(1, 0), 3)).unwrap();
    anew.restore(&before).unwrap();
    for number in 1..=3 {
        assert_eq!(anew.run(&run_id(number)).unwrap(), ledger.run(&run_id(number)).unwrap());
    }
}

#[test]
fn a_run_whose_slot_is_taken_is_left_out_and_the_rest_is_not() {
    let (_old, ledger) = lived();
    let (_new, mut anew) = fresh();
    anew.queue_run(&scheduled("clean", 9, 60), None).unwrap();
    anew.restore(&known(&ledger)).unwrap();
    assert_eq!(anew.run(&run_id(1)).unwrap(), None);
    assert!(anew.run(&run_id(2)).unwrap().is_some() && anew.run(&run_id(3)).unwrap().is_some());
}

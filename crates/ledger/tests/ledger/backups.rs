//! What is known of backups: the newest verification, its findings, and what people said to them.

use crate::common::*;
use mastmaint_ledger::{Ledger, StepEnd};
use mastmaint_words::{
    BackupName, Outcome,
    backup::{Code, Finding, FindingAck, KnownFinding, Report},
};

fn report(findings: Vec<Finding>) -> Report {
    Report {
        backup: "files".to_owned(),
        kind: "tree".to_owned(),
        verified: None,
        newest: None,
        sentence: "63 of 63 files proved".to_owned(),
        summary: None,
        drill: None,
        findings,
        store_bytes: 900,
    }
}

/// A night, in seconds, with what it found.
fn night(ledger: &mut Ledger, seconds: i64, findings: Vec<Finding>) {
    ledger.queue_run(&manual("verify", seconds), None).unwrap();
    ledger.start_step(&start(key(seconds, 0), seconds)).unwrap();
    let mut ended: StepEnd = end(key(seconds, 0), seconds + 5, Outcome::Failed);
    ended.verdict.backup = Some(Box::new(report(findings)));
    ledger.end_step(&ended, None).unwrap();
}

fn known(ledger: &Ledger) -> Vec<KnownFinding> {
    let name: BackupName = "files".parse().unwrap();
    ledger.backups().unwrap()[&name].findings.clone()
}

fn rot(what: &str) -> Finding {
    Finding::fail(Code::Rot, what, "look").with(["line".to_owned()])
}

#[test]
fn a_finding_keeps_its_id_and_its_acknowledgement_until_it_is_gone() {
    let (dir, mut ledger) = fresh();
    night(&mut ledger, 100, vec![rot("rot in a"), Finding::warn(Code::Shrunk, "9 files fewer", "look")]);
    let first = known(&ledger);
    assert_eq!(first.iter().map(|f| f.finding.code).collect::<Vec<_>>(), [Code::Rot, Code::Shrunk]);
    let ack = FindingAck { at: at(110), until: None, uid: 1000 };
    assert!(ledger.acknowledge(first[1].id, ack).unwrap());
    // Other numbers, another order: the same finding.
    night(&mut ledger, 200, vec![Finding::warn(Code::Shrunk, "12 files fewer", "look"), rot("rot in a")]);
    drop(ledger);
    let mut ledger = open(dir.path());
    let second = known(&ledger);
    assert_eq!((second[0].id, second[0].since, second[0].ack), (first[1].id, at(105), Some(ack)));
    assert_eq!(second[0].finding.what, "12 files fewer");
    assert_eq!((second[1].id, second[1].ack), (first[0].id, None));
    // Gone and back again is another one, which nobody has acknowledged.
    night(&mut ledger, 300, vec![rot("rot in a")]);
    night(&mut ledger, 400, vec![rot("rot in a"), Finding::warn(Code::Shrunk, "9 files fewer", "look")]);
    let last = known(&ledger);
    assert!(last[1].id != first[1].id && last[1].ack.is_none());
    assert_eq!(ledger.findings_of(&run_id(400)).unwrap().len(), 1);
    assert_eq!(ledger.findings_of(&run_id(300)).unwrap().len(), 0);
    assert!(!ledger.acknowledge(first[1].id, ack).unwrap());
}

#[test]
fn an_older_verification_that_is_written_late_changes_nothing() {
    let (_dir, mut ledger) = fresh();
    night(&mut ledger, 200, vec![]);
    night(&mut ledger, 100, vec![rot("rot in a")]);
    assert_eq!(known(&ledger), []);
    let name: BackupName = "files".parse().unwrap();
    let record = ledger.backups().unwrap().remove(&name).unwrap();
    assert_eq!((record.verified, record.by), (at(205), key(200, 0)));
    assert_eq!(record.report, report(vec![]));
}

#[test]
fn findings_that_nothing_tells_apart_are_all_kept() {
    let (_dir, mut ledger) = fresh();
    let twins = || vec![rot("rot in daily.1/a"), rot("rot in daily.2/a")];
    night(&mut ledger, 100, twins());
    let first = known(&ledger);
    night(&mut ledger, 200, twins());
    assert_eq!((first.len(), known(&ledger)), (2, first));
}

//! Findings of backups, and what people said to them.

use crate::common::*;
use mastmaint_ledger::{Ledger, Verified};
use mastmaint_words::{
    BackupName,
    backup::{Code, Finding, FindingAck, KnownFinding, Report},
};

/// A night, in seconds, with what it found.
fn night(ledger: &mut Ledger, seconds: i64, findings: Vec<Finding>) {
    let report = Report {
        backup: "files".to_owned(),
        kind: "tree".to_owned(),
        newest: None,
        sentence: "63 of 63 files proved".to_owned(),
        summary: None,
        drill: None,
        findings,
        store_bytes: 900,
    };
    ledger.put_verified(&Verified { at: at(seconds), run: run_id(seconds), report }).unwrap();
}

fn known(ledger: &Ledger) -> Vec<KnownFinding> {
    let name: BackupName = "files".parse().unwrap();
    ledger.findings().unwrap().remove(&name).unwrap_or_default()
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
    assert_eq!((second[0].id, second[0].since, second[0].ack), (first[1].id, at(100), Some(ack)));
    assert_eq!(second[0].finding.what, "12 files fewer");
    assert_eq!((second[1].id, second[1].ack), (first[0].id, None));
    // Gone and back again is another one, which nobody has acknowledged.
    night(&mut ledger, 300, vec![rot("rot in a")]);
    night(&mut ledger, 400, vec![rot("rot in a"), Finding::warn(Code::Shrunk, "9 files fewer", "look")]);
    let last = known(&ledger);
    assert!(last[1].id != first[1].id && last[1].ack.is_none());
    assert!(!ledger.acknowledge(first[1].id, ack).unwrap());
}

#[test]
fn an_older_verification_that_is_written_late_changes_nothing() {
    let (_dir, mut ledger) = fresh();
    night(&mut ledger, 200, vec![]);
    night(&mut ledger, 100, vec![rot("rot in a")]);
    assert_eq!(known(&ledger), []);
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

//! Made-up runs and steps.

use jiff::{SignedDuration, Timestamp};
use mastmaint_ledger::{Ledger, NewRun, StepEnd, StepStart};
use mastmaint_words::{
    Digest, Grade, JobName, Numbers, Outcome, Reason, Room, RunId, Span, StepIndex, StepKey, Trigger, Verdict,
};

pub(crate) fn at(seconds: i64) -> Timestamp {
    "2026-11-23T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

pub(crate) fn job(name: &str) -> JobName {
    name.parse().unwrap()
}

pub(crate) fn digest() -> Digest {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

/// The id of the run that is made at that second.
pub(crate) fn run_id(number: i64) -> RunId {
    format!("{}-{number:06}", at(number).strftime("%Y%m%dT%H%M%SZ")).parse().unwrap()
}

pub(crate) fn manual(name: &str, number: i64) -> NewRun {
    NewRun {
        id: run_id(number),
        job: job(name),
        trigger: Trigger::Manual { uid: 0, despite_hold: false },
        digest: digest(),
        dry_run: false,
        queued_at: at(number),
    }
}

pub(crate) fn scheduled(name: &str, number: i64, slot: i64) -> NewRun {
    NewRun { trigger: Trigger::Schedule { slot: at(slot) }, ..manual(name, number) }
}

pub(crate) fn key(number: i64, step: u16) -> StepKey {
    StepKey { run: run_id(number), step: StepIndex(step) }
}

pub(crate) fn start(key: StepKey, seconds: i64) -> StepStart {
    StepStart {
        key,
        title: "tootctl media remove --days 14".to_owned(),
        room: Room::Tootctl,
        at: at(seconds),
    }
}

pub(crate) fn end(key: StepKey, seconds: i64, outcome: Outcome) -> StepEnd {
    StepEnd {
        key,
        verdict: Verdict {
            outcome,
            grade: Grade::Read,
            reasons: vec![Reason::unreachable("postgres-unreachable", "PostgreSQL does not answer")],
            numbers: Numbers { visited: Some(40), failed: Some(2), removed: None, bytes: Some(22 << 30) },
        },
        started: at(seconds - 5),
        ended: at(seconds),
        took: Span::from_secs(5),
        exit: Some(1),
        signal: None,
        lines: 12,
        bytes: 960,
        omitted: 3,
        peak_rss: Some(320 << 20),
        space: Some(mastmaint_words::Space {
            total_bytes: 1 << 40,
            free_before_bytes: 5 << 30,
            free_after_bytes: 27 << 30,
        }),
    }
}

/// A ledger in a directory of its own.
pub(crate) fn fresh() -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    (dir, ledger)
}

/// Opens the one in a directory, which must be sound.
pub(crate) fn open(dir: &std::path::Path) -> Ledger {
    let opened = Ledger::open(&dir.join("ledger.sqlite"), at(0)).unwrap();
    assert_eq!(opened.set_aside, None);
    opened.ledger
}

//! The recorder over a real ledger that another connection locks, damages or refuses.

use super::*;
use jiff::{SignedDuration, Timestamp};
use mastmaint_ledger::{Mark, NewRun, RunWithSteps, StepEnd, StepStart};
use mastmaint_words::{
    Grade, JobName, Numbers, Outcome, Room, RunId, Span, StepIndex, StepKey, Trigger, Verdict,
};
use std::{
    os::unix::fs::FileExt,
    time::{Duration, Instant},
};

pub(super) fn at(second: i64) -> Timestamp {
    "2026-11-23T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

pub(super) fn job(name: &str) -> JobName {
    name.parse().unwrap()
}

fn run(number: i64) -> RunId {
    format!("{}-{number:06}", at(number).strftime("%Y%m%dT%H%M%SZ")).parse().unwrap()
}

fn key(number: i64, step: u16) -> StepKey {
    StepKey { run: run(number), step: StepIndex(step) }
}

pub(super) fn end_of_run(number: i64) -> Owed {
    Owed::EndRun {
        run: run(number),
        at: at(number + 60),
        outcome: Outcome::Ok,
        grade: Some(Grade::Read),
        reason: None,
        retry: None,
    }
}

pub(super) fn end_of_step(number: i64, step: u16, copy: Option<Vec<u8>>) -> Owed {
    let verdict =
        Verdict { outcome: Outcome::Ok, grade: Grade::Read, reasons: vec![], numbers: Numbers::default() };
    let end = StepEnd {
        key: key(number, step),
        verdict,
        started: at(number),
        ended: at(number + 50),
        took: Span::from_secs(50),
        exit: Some(0),
        signal: None,
        lines: 0,
        bytes: 0,
        omitted: 0,
        peak_rss: None,
        space: None,
    };
    Owed::EndStep { end: Box::new(end), copy }
}

/// A run with one step, both going on.
fn begin(ledger: &mut Ledger, number: i64) -> Result<(), LedgerError> {
    let new = NewRun {
        id: run(number),
        job: job("clean"),
        trigger: Trigger::Manual { uid: 0, despite_hold: false },
        digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        dry_run: false,
        queued_at: at(number),
    };
    ledger.queue_run(&new, None)?;
    let step = StepStart { key: key(number, 0), title: "x".into(), room: Room::Run, at: at(number) };
    ledger.start_step(&step)
}

struct Bench {
    dir: tempfile::TempDir,
    recorder: Recorder,
    news: mpsc::UnboundedReceiver<LedgerNews>,
}

impl Bench {
    fn new(pace: Pace) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (tx, news) = mpsc::unbounded_channel();
        let recorder = Recorder::open_at(pace, dir.path().join("ledger.sqlite"), tx).unwrap();
        Self { dir, recorder, news }
    }

    fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join("ledger.sqlite")).unwrap()
    }

    /// Holds the ledger locked for as long as the result lives.
    fn lock(&self) -> rusqlite::Connection {
        let conn = self.sqlite();
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        conn
    }

    async fn begin(&self, number: i64) -> Result<(), NotRecorded> {
        self.recorder.with(move |ledger| begin(ledger, number)).await
    }

    async fn run(&self, number: i64) -> RunWithSteps {
        self.recorder.with(move |ledger| ledger.run(&run(number))).await.unwrap().unwrap()
    }

    async fn heard(&mut self) -> LedgerNews {
        tokio::time::timeout(Duration::from_secs(20), self.news.recv()).await.expect("no news").unwrap()
    }
}

/// Nothing is tried again unless the test waits for it.
const NEVER: Pace =
    Pace { unasked: Duration::from_hours(1), slow: Duration::from_hours(1), quick: Duration::from_hours(1) };
const AT_ONCE: Pace = Pace { slow: Duration::ZERO, quick: Duration::ZERO, ..NEVER };
const UNASKED: Pace = Pace { unasked: Duration::from_millis(50), slow: Duration::ZERO, ..NEVER };

#[tokio::test]
async fn a_locked_ledger_is_waited_for_once_and_still_read() {
    let bench = Bench::new(NEVER);
    bench.begin(1).await.unwrap();
    let _lock = bench.lock();
    assert_eq!(bench.begin(2).await.unwrap_err().code, "ledger-busy");
    let asked = Instant::now();
    for number in 3..60 {
        assert_eq!(bench.begin(number).await.unwrap_err().code, "ledger-busy");
        bench.run(1).await;
    }
    assert!(
        asked.elapsed() < Duration::from_secs(20),
        "57 times half a second is longer: {:?}",
        asked.elapsed()
    );
    assert!(matches!(bench.recorder.status(), LedgerStatus::NotRecording { .. }), "reading is no recording");
}

#[tokio::test]
async fn a_ledger_that_recovers_is_noticed_without_a_call() {
    let mut bench = Bench::new(UNASKED);
    let lock = bench.lock();
    bench.begin(1).await.unwrap_err();
    assert!(matches!(bench.heard().await, LedgerNews::NotRecording { .. }));
    drop(lock);
    assert_eq!(bench.heard().await, LedgerNews::RecordingAgain);
    assert_eq!(bench.recorder.status(), LedgerStatus::Recording);
    bench.begin(1).await.unwrap();
}

#[tokio::test]
async fn what_is_owed_is_written_later_with_its_own_times() {
    let mut bench = Bench::new(UNASKED);
    bench.begin(1).await.unwrap();
    let lock = bench.lock();
    let mark =
        |second| Owed::Mark { job: job("clean"), mark: Mark { handled: at(second), state: "{}".into() } };
    let all = [
        end_of_step(1, 0, Some(vec![1, 2, 3])),
        end_of_run(1),
        mark(1),
        mark(2),
        Owed::Pause { job: job("clean"), at: at(3), uid: 0 },
    ];
    for owed in all {
        let not = bench.recorder.owe(owed).await.unwrap_err();
        assert!(not.kept && not.code == "ledger-busy", "{not:?}");
    }
    assert!(matches!(bench.heard().await, LedgerNews::NotRecording { .. }));
    drop(lock);
    assert_eq!(bench.heard().await, LedgerNews::RecordingAgain);
    let whole = bench.run(1).await;
    assert_eq!((whole.run.ended, whole.run.outcome), (Some(at(61)), Some(Outcome::Ok)));
    assert_eq!(whole.steps[0].end.as_ref().unwrap().ended, at(51));
    assert!(whole.steps[0].output_kept);
    let (marks, paused) = bench.recorder.with(|l| Ok((l.marks()?, l.paused()?))).await.unwrap();
    assert_eq!((marks[&job("clean")].handled, paused.len()), (at(2), 1));
}

#[tokio::test]
async fn what_is_owed_comes_before_anything_else() {
    let bench = Bench::new(AT_ONCE);
    bench.begin(1).await.unwrap();
    let lock = bench.lock();
    bench.recorder.owe(end_of_run(1)).await.unwrap_err();
    drop(lock);
    assert!(bench.recorder.with(|ledger| ledger.open_runs()).await.unwrap().is_empty());
}

#[tokio::test]
async fn closing_writes_what_is_owed_or_says_how_much_is_lost() {
    let bench = Bench::new(NEVER);
    bench.begin(1).await.unwrap();
    let lock = bench.lock();
    bench.recorder.owe(end_of_run(1)).await.unwrap_err();
    assert_eq!(bench.recorder.close().await, 1);
    drop(lock);
    assert_eq!(bench.recorder.close().await, 0);
    let open: i64 =
        bench.sqlite().query_row("SELECT count(*) FROM runs WHERE ended IS NULL", [], |r| r.get(0)).unwrap();
    assert_eq!(open, 0);
}

#[tokio::test]
async fn what_can_never_be_written_keeps_nothing_else_from_it() {
    let bench = Bench::new(AT_ONCE);
    for number in [1, 2] {
        bench.begin(number).await.unwrap();
    }
    let sql = format!(
        "CREATE TRIGGER no BEFORE UPDATE ON runs WHEN old.id = '{}' BEGIN SELECT RAISE(ABORT, 'no'); END",
        run(1)
    );
    bench.sqlite().execute_batch(&sql).unwrap();
    assert!(bench.recorder.owe(end_of_run(1)).await.unwrap_err().kept);
    bench.recorder.owe(end_of_run(2)).await.unwrap();
    assert!(bench.run(2).await.run.ended.is_some());
    assert_eq!(bench.recorder.status(), LedgerStatus::Recording);
    // Nor is a run made up that the ledger never had.
    let refused = bench.recorder.owe(end_of_run(9)).await.unwrap_err();
    assert_eq!((refused.code, refused.kept), ("run-not-recorded", false));
    assert_eq!(bench.recorder.status(), LedgerStatus::Recording);
}

#[tokio::test]
async fn damage_that_is_found_beside_the_work_sets_the_ledger_aside() {
    let mut bench = Bench::new(NEVER);
    bench
        .recorder
        .with(|ledger| {
            for number in 0..400 {
                begin(ledger, number)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(bench.recorder.close().await, 0);
    let path = bench.dir.path().join("ledger.sqlite");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in pages * 2 / 3..pages {
        file.write_all_at(&[0xff; 64], page * 4096).unwrap();
    }
    bench.recorder.with(|ledger| ledger.marks()).await.unwrap();
    bench.recorder.check_in_background();
    assert!(matches!(bench.heard().await, LedgerNews::NotRecording { .. }));
    assert!(matches!(bench.heard().await, LedgerNews::SetAside { path } if path.exists()));
    assert_eq!(bench.heard().await, LedgerNews::RecordingAgain);
    bench.begin(1).await.unwrap();
    // And a sound one is left alone.
    bench.recorder.check_in_background();
    std::thread::sleep(Duration::from_millis(300));
    bench.run(1).await;
    assert!(bench.news.try_recv().is_err());
}

//! From the start of the program to READY, with a history: 100 jobs and 10,000 runs in the ledger.

use super::{Row, bed::Bed, sample::Sample};
use crate::shell::{Result, TaskError, at};
use jiff::{Timestamp, ToSpan};
use mastmaint_ledger::{Ledger, LedgerError, NewRun, StepEnd, StepStart};
use mastmaint_words::{
    Grade, Numbers, Outcome, Reason, Room, RunId, Span, StepIndex, StepKey, Trigger, Verdict,
};
use std::{fmt::Write as _, fs, path::Path};

const JOBS: usize = 100;
const RUNS: usize = 10_000;
const STARTS: usize = 40;

pub(super) fn measure() -> Result<Vec<Row>> {
    let mut jobs = String::new();
    for job in 0..JOBS {
        let (hour, minute) = (job % 24, job % 60);
        let _ = write!(
            jobs,
            "  job{job}:\n    schedule: \"{minute} {hour} 1 1 *\"\n    steps:\n      - run: [/bin/echo, \"{job}\"]\n      - run: /bin/true\n"
        );
    }
    let bed = Bed::new("ready", &jobs)?;
    // In memory, for filling it durably run by run would take minutes; then it is moved to its place.
    let draft = Path::new("/dev/shm").join(format!("mastmaint-bench-{}", std::process::id()));
    fs::create_dir_all(&draft).map_err(at(&draft))?;
    let file = draft.join("ledger.sqlite");
    let filled = fill(&file).map_err(|error| TaskError::Hopeless(error.to_string()));
    let copied = filled.and_then(|()| fs::copy(&file, bed.path("state/ledger.sqlite")).map_err(at(&file)));
    drop(fs::remove_dir_all(&draft));
    copied?;
    // The first start finds an empty store of accepted configurations.
    drop(bed.start()?);
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(bed.start()?.ready_after);
    }
    Ok(vec![Row {
        what: format!("exec → READY, {JOBS} jobs, {RUNS} runs in the ledger"),
        goal: "≤ 20 ms",
        figure: Sample::new(times).to_string(),
        peers: String::new(),
    }])
}

/// A history as a year would leave it: each run with two steps and some output.
fn fill(path: &Path) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let now = Timestamp::now();
    let mut ledger = Ledger::open(path, now)?.ledger;
    for run in 0..RUNS {
        let age = i64::try_from(RUNS - run)?;
        let queued = now.checked_sub((age * 50).minutes())?;
        record(&mut ledger, run % JOBS, queued)?;
    }
    Ok(())
}

fn record(
    ledger: &mut Ledger,
    job: usize,
    at: Timestamp,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let run = RunId::new(at)?;
    let new = NewRun {
        id: run.clone(),
        job: format!("job{job}").parse()?,
        trigger: Trigger::Schedule { slot: at },
        digest: "0123456789abcdef0123456789abcdef".parse()?,
        dry_run: false,
        queued_at: at,
    };
    ledger.queue_run(&new, None)?;
    for step in 0..2 {
        end_step(ledger, StepKey { run: run.clone(), step: StepIndex(step) }, at)?;
    }
    ledger.end_run(&run, at, Outcome::Ok, Some(Grade::Read), None)?;
    Ok(())
}

fn end_step(ledger: &mut Ledger, key: StepKey, at: Timestamp) -> std::result::Result<(), LedgerError> {
    let title = "tootctl media remove --days 14".to_owned();
    ledger.start_step(&StepStart { key: key.clone(), title, room: Room::Tootctl, at })?;
    let reason = Reason::new("summary", "Removed 33553 media attachments (approx. 22 GB)");
    let mut verdict = Verdict::because(Outcome::Ok, Grade::Read, reason);
    verdict.numbers =
        Numbers { visited: Some(33_553), failed: Some(0), removed: Some(33_553), bytes: Some(22 << 30) };
    let end = StepEnd {
        key,
        verdict,
        started: at,
        ended: at,
        took: Span::from_secs(291),
        exit: Some(0),
        signal: None,
        lines: 4,
        bytes: 200,
        omitted: 0,
        peak_rss: Some(300 << 20),
        space: None,
    };
    ledger.end_step(&end, Some(&[0x1f; 400]))
}

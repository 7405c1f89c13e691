//! A step that prints without end, from the child through its runner and the daemon to the ledger.

use super::{
    Row,
    bed::{Bed, Daemon, child},
    process::{mib, peak},
};
use crate::shell::{Result, TaskError};
use mastmaint_tests::procs::children;
use std::{thread::sleep, time::Duration};

pub(super) fn measure() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (lines, words) in [(1_000_000, "1 million"), (10_000_000, "10 million")] {
        let job = format!("  flood:\n    steps:\n      - run: [{}, print, \"{lines}\"]\n", child().display());
        // A daemon of its own each, so that each peak is its own.
        let daemon = Bed::new("flood", &job)?.start()?;
        let flood = follow(&daemon)?;
        if flood.lines != lines {
            return Err(TaskError::Hopeless(format!(
                "{lines} lines were printed and {} counted",
                flood.lines
            )));
        }
        #[expect(clippy::cast_precision_loss, reason = "lines a second are not counted one by one")]
        let speed = lines as f64 / flood.seconds / 1e6;
        rows.push(Row {
            what: format!("{words} lines of 80 bytes, child → ledger"),
            goal: "≥ 1 million lines/s; peaks flat",
            figure: format!(
                "{speed:.2} million lines/s ({:.2} s); peaks: runner {}, daemon {}",
                flood.seconds,
                mib(flood.runner),
                mib(flood.daemon)
            ),
            peers: String::new(),
        });
    }
    Ok(rows)
}

struct Flood {
    lines: u64,
    seconds: f64,
    runner: u64,
    daemon: u64,
}

fn follow(daemon: &Daemon) -> Result<Flood> {
    daemon.ctl(&["run", "flood"])?;
    let mut runner = 0;
    let run = loop {
        sleep(Duration::from_millis(20));
        // The runner goes once the daemon has recorded the outcome; until then it is looked at.
        for pid in children(daemon.pid(), "mastmaint-runne") {
            runner = runner.max(peak(pid));
        }
        let run = daemon.newest("flood")?;
        if run["state"] == "ended" {
            break run;
        }
    };
    // Of the whole run: what was queued first and recorded last is in it.
    let seconds = run["took_seconds"].as_f64().unwrap_or(f64::NAN);
    let lines = run["steps"][0]["lines"].as_u64().unwrap_or_default();
    Ok(Flood { lines, seconds, runner, daemon: peak(daemon.pid()) })
}

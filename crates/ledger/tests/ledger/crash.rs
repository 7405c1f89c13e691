//! kill -9 in the middle of writing: what was acknowledged is there.

use crate::common::*;
use mastmaint_words::Outcome;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

/// Set in the process that writes until it is killed.
const WRITER: &str = "MASTMAINT_TEST_WRITER";

fn write_until_killed(dir: &Path) -> ! {
    let mut ledger = open(dir);
    let mut out = std::io::stdout();
    for number in 1.. {
        ledger.queue_run(&manual("clean", number), None).unwrap();
        ledger.start_step(&start(key(number, 0), number)).unwrap();
        ledger.journaled(&key(number, 0), 9).unwrap();
        ledger.end_step(&end(key(number, 0), number, Outcome::Ok), Some(&[7; 3000])).unwrap();
        ledger.end_run(&run_id(number), at(number), Outcome::Ok, None, None).unwrap();
        writeln!(out, "\nacknowledged {number}").unwrap();
    }
    std::process::exit(0)
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if let Some(dir) = std::env::var_os(WRITER) {
        write_until_killed(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    for lines in [1, 17, 60, 150] {
        let fresh = tempfile::tempdir_in(dir.path()).unwrap();
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::what_was_acknowledged_survives_a_kill", "--nocapture"])
            .env(WRITER, fresh.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut acknowledged = 0;
        for line in said.by_ref() {
            if let Some(number) = line.strip_prefix("acknowledged ") {
                acknowledged = number.parse().unwrap();
                if acknowledged >= lines {
                    break;
                }
            }
        }
        assert!(acknowledged >= lines, "the writer ended by itself");
        writer.kill().unwrap();
        // What it still said before the signal came was acknowledged too.
        for line in said {
            if let Some(Ok(number)) = line.strip_prefix("acknowledged ").map(str::parse) {
                acknowledged = number;
            }
        }
        writer.wait().unwrap();

        let ledger = open(fresh.path());
        ledger.quick_check().unwrap();
        let ended = ledger.history(None, 10_000).unwrap().iter().filter(|run| run.ended.is_some()).count();
        assert!((acknowledged..=acknowledged + 1).contains(&i64::try_from(ended).unwrap()), "{ended}");
        for number in 1..=acknowledged {
            let run = ledger.run(&run_id(number)).unwrap().unwrap();
            assert_eq!(run.steps[0].end, Some(end(key(number, 0), number, Outcome::Ok)));
            assert_eq!(run.steps[0].journaled, 9);
            assert_eq!(ledger.output(&key(number, 0)).unwrap().map(|copy| copy.len()), Some(3000));
        }
        assert!(ledger.open_runs().unwrap().len() <= 1);
    }
}

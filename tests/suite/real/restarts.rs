//! A daemon or a runner that dies in the middle, and what the next one makes of it.

use crate::place_with;
use jiff::Timestamp;
use mastmaint_ledger::{Approval, Ledger, NewRun, PlannedRetry, StepStart};
use mastmaint_tests::{Place, wait_for};
use mastmaint_words::{Room, RunId, StepIndex, StepKey, Trigger};
use nix::sys::signal::{Signal, kill};
use std::{fs, process::Stdio};

#[test]
fn a_step_outlives_a_killed_daemon_and_is_adopted() {
    let place =
        Place::new("  work:\n    steps: [{tootctl: media remove --days 7}, {tootctl: cache clear}]\n")
            .unwrap();
    place.instance.weather("speed: 50\nweather: {media remove: {sleep: 4s}}\n").unwrap();
    let first = place.start().unwrap();
    first.ctl(&["run", "work"]).exits(0);
    assert!(wait_for(|| place.starts() == 1), "{}", first.log());
    first.kill().unwrap();
    let second = place.start().unwrap();
    let run = second.ended("work");
    assert_eq!(run["outcome"], "ok", "{run:#}\n{}", second.log());
    assert_eq!(run["steps"].as_array().map(Vec::len), Some(2), "the run goes on with its next step");
    assert_eq!(place.starts(), 2, "each step ran once");
    assert_eq!(place.instance.held().unwrap().rows.unwrap().media, 0);
}

#[test]
fn a_step_that_ended_without_a_daemon_is_not_lost() {
    let place = place_with("cache clear: {sleep: 1s}");
    let first = place.start().unwrap();
    first.ctl(&["run", "work"]).exits(0);
    assert!(wait_for(|| place.starts() == 1));
    first.kill().unwrap();
    assert!(wait_for(|| place.calls().iter().any(|c| c["event"] == "end")), "the step ends by itself");
    let second = place.start().unwrap();
    assert_eq!(second.ended("work")["outcome"], "ok");
    assert_eq!(place.starts(), 1);
}

/// What a daemon leaves that dies after it has recorded a run with its first step, and before it sends it.
#[test]
fn a_step_that_was_recorded_and_never_sent_runs_once() {
    let place = place_with("");
    assert!(place.start().unwrap().stop().unwrap().success());
    let accepted =
        fs::read_dir(place.path("state/accepted/tootctl")).unwrap().next().unwrap().unwrap().path();
    let (now, digest) = (Timestamp::now(), accepted.file_stem().unwrap().to_str().unwrap().parse().unwrap());
    let run = RunId::new(now).unwrap();
    let new = NewRun {
        id: run.clone(),
        job: "work".parse().unwrap(),
        trigger: Trigger::Manual { uid: 0, despite_hold: false },
        digest,
        dry_run: false,
        queued_at: now,
    };
    let key = StepKey { run, step: StepIndex(0) };
    let first = StepStart { key, title: "tootctl cache clear".into(), room: Room::Tootctl, at: now };
    let mut ledger = Ledger::open(&place.path("state/ledger.sqlite"), now).unwrap().ledger;
    ledger.queue_and_start(&new, None, &first).unwrap();
    drop(ledger);
    for _ in 0..2 {
        let daemon = place.start().unwrap();
        assert_eq!(daemon.ended("work")["outcome"], "ok", "{}", daemon.log());
        let history = daemon.ctl(&["history", "--json"]).exits(0).json();
        assert_eq!(history["runs"].as_array().map(Vec::len), Some(1));
        assert!(daemon.stop().unwrap().success());
    }
    assert_eq!(place.starts(), 1);
}

/// What a daemon leaves that dies while the clock is a year ahead.
#[test]
fn what_was_planned_by_a_clock_that_was_ahead_is_not_waited_for() {
    let place =
        Place::new("  work:\n    retry: {times: 2, backoff: 1s}\n    steps: [{run: [/bin/true]}]\n").unwrap();
    assert!(place.start().unwrap().stop().unwrap().success());
    let now = Timestamp::now();
    let (ahead, run) = (now + jiff::SignedDuration::from_hours(400 * 24), RunId::new(now).unwrap());
    let mut ledger = Ledger::open(&place.path("state/ledger.sqlite"), now).unwrap().ledger;
    let retry = PlannedRetry {
        job: "work".parse().unwrap(),
        of: run.clone(),
        attempt: 1,
        slot: None,
        not_before: ahead,
        digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
    };
    ledger.plan_retry(&retry).unwrap();
    let approval = Approval {
        run,
        job: "work".parse().unwrap(),
        at: ahead,
        found: [].into(),
        titles: [].into(),
        why: "too much".into(),
        used_by: None,
    };
    ledger.put_approval(&approval).unwrap();
    drop(ledger);
    let daemon = place.start().unwrap();
    let until = daemon.ctl(&["status", "--json"]).json()["approvals"][0]["until"].clone();
    let until: Timestamp = until.as_str().unwrap().parse().unwrap();
    assert!(until.duration_since(now).as_hours() < 25, "asked for until {until}");
    assert!(wait_for(|| daemon.newest("work").is_some()), "{}", daemon.log());
    assert_eq!(daemon.ended("work")["trigger"]["kind"], "retry");
}

#[test]
fn a_stopping_daemon_ends_no_step() {
    let place = place_with("cache clear: {sleep: 3s}");
    let first = place.start().unwrap();
    first.ctl(&["run", "work"]).exits(0);
    assert!(wait_for(|| place.starts() == 1));
    assert!(first.stop().unwrap().success());
    let second = place.start().unwrap();
    assert_eq!(second.ended("work")["outcome"], "ok");
    assert_eq!(place.starts(), 1);
}

#[test]
fn a_killed_runner_is_an_interrupted_step() {
    let place = place_with("cache clear: {sleep: 5m}");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work"]).exits(0);
    assert!(wait_for(|| place.starts() == 1));
    // The kernel cuts the name at 15 bytes.
    let runners = daemon.below("mastmaint-runne");
    assert_eq!(runners.len(), 1, "one runner for one step");
    kill(runners[0], Signal::SIGKILL).unwrap();
    assert_eq!(daemon.ended("work")["outcome"], "interrupted");
    let step = i32::try_from(place.calls()[0]["pid"].as_i64().unwrap()).unwrap();
    // Whether anything is left of it depends on the walls; here it may be, and the test cleans up.
    let _left = kill(nix::unistd::Pid::from_raw(step), Signal::SIGKILL);
}

#[test]
fn history_survives_a_restart() {
    let place = place_with("");
    let first = place.start().unwrap();
    first.ctl(&["run", "work", "--follow"]).exits(0);
    let before = first.ctl(&["history", "--json"]).exits(0).json();
    assert_eq!(before["runs"].as_array().map(Vec::len), Some(1));
    assert!(first.stop().unwrap().success());
    let second = place.start().unwrap();
    assert_eq!(second.ctl(&["history", "--json"]).exits(0).json(), before);
}

#[test]
fn a_reader_that_never_reads_delays_no_step() {
    let place = place_with("cache clear: {print-lines: 100000}");
    let daemon = place
        .start_with(|command| {
            command.stderr(Stdio::piped());
        })
        .unwrap();
    daemon.ctl(&["run", "work"]).exits(0);
    assert_eq!(daemon.ended("work")["outcome"], "ok");
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
}

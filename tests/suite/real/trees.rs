//! Timeouts, cancels and what is left of a process tree; locks and overlaps.

use crate::place_with;
use mastmaint_tests::{Daemon, Place, daemon::runs, wait_for};
use std::{
    fs,
    time::{Duration, Instant},
};

fn grandchild(place: &Place) -> i32 {
    let path = place.instance.live().join("log/standin-grandchild.pid");
    assert!(wait_for(|| fs::read_to_string(&path).is_ok_and(|t| !t.is_empty())));
    fs::read_to_string(path).unwrap().parse().unwrap()
}

fn run_in_background(place: &Place, daemon: &Daemon, job: &str) {
    let before = place.starts();
    daemon.ctl(&["run", job]).exits(0);
    assert!(wait_for(|| place.starts() > before), "{}", daemon.log());
}

#[test]
fn a_timeout_ends_the_whole_tree() {
    let place = Place::new("  work:\n    steps: [{tootctl: cache clear, timeout: 2s, grace: 1s}]\n").unwrap();
    place
        .instance
        .weather("weather: {cache clear: {ignore-term: true, leave-grandchild: true, sleep: 5m}}\n")
        .unwrap();
    let daemon = place.start().unwrap();
    let started = Instant::now();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    assert!(started.elapsed() < Duration::from_mins(2), "{:?}", started.elapsed());
    assert_eq!(daemon.ended("work")["outcome"], "timed-out");
    assert!(!runs(grandchild(&place)), "the grandchild survived");
    let step = i32::try_from(place.calls()[0]["pid"].as_i64().unwrap()).unwrap();
    assert!(!runs(step), "the step survived");
}

#[test]
fn a_grandchild_neither_survives_nor_delays_a_step_that_ended() {
    let place = place_with("cache clear: {leave-grandchild: true}");
    let daemon = place.start().unwrap();
    let started = Instant::now();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    assert!(started.elapsed() < Duration::from_mins(2), "{:?}", started.elapsed());
    assert!(!runs(grandchild(&place)), "the grandchild survived");
}

#[test]
fn a_cancel_ends_a_run() {
    let place = place_with("cache clear: {sleep: 5m}");
    let daemon = place.start().unwrap();
    run_in_background(&place, &daemon, "work");
    daemon.ctl(&["cancel", "work"]).exits(0);
    let run = daemon.ended("work");
    assert_eq!((&run["outcome"], &run["steps"][0]["signal"]), (&"cancelled".into(), &"SIGTERM".into()));
}

/// Whether two calls of the stand-in ran at the same time.
fn overlapped(place: &Place) -> bool {
    let mut open = 0_i32;
    place.calls().iter().any(|c| {
        open += if c["event"] == "start" { 1 } else { -1 };
        open > 1
    })
}

#[test]
fn runs_that_share_a_lock_and_runs_of_one_job_never_overlap() {
    let place = Place::new(
        "  one:\n    lock: mastodon\n    steps: [{tootctl: cache clear}]\n  \
         two:\n    lock: mastodon\n    steps: [{tootctl: media usage}]\n",
    )
    .unwrap();
    place
        .instance
        .weather("speed: 50\nweather: {cache clear: {sleep: 1s}, media usage: {sleep: 1s}}\n")
        .unwrap();
    let daemon = place.start().unwrap();
    for job in ["one", "two", "one"] {
        daemon.ctl(&["run", job]);
    }
    let idle = || {
        let status = daemon.ctl(&["status", "--json"]).json();
        let empty = |what: &str| status[what].as_array().is_some_and(Vec::is_empty);
        place.starts() >= 2 && empty("running") && empty("queued")
    };
    assert!(wait_for(idle), "{}", daemon.log());
    assert!(!overlapped(&place), "{:#?}", place.calls());
}

#[test]
fn jobs_without_a_common_lock_run_side_by_side() {
    let place = Place::new(
        "  one:\n    lock: a\n    steps: [{tootctl: cache clear}]\n  two:\n    lock: b\n    steps: [{tootctl: media usage}]\n",
    )
    .unwrap();
    place
        .instance
        .weather("speed: 50\nweather: {cache clear: {sleep: 4s}, media usage: {sleep: 4s}}\n")
        .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "one"]).exits(0);
    daemon.ctl(&["run", "two"]).exits(0);
    assert!(wait_for(|| place.starts() == 2));
    daemon.ended("one");
    daemon.ended("two");
    assert!(overlapped(&place), "the test of overlaps can see one");
}

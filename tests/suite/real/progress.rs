//! What is seen of a step while it runs, and the end of one that shows no sign of life.

use crate::place_with;
use mastmaint_tests::{Place, wait_for};
use serde_json::Value;

fn running(daemon: &mastmaint_tests::Daemon) -> Value {
    daemon.ctl(&["status", "--json"]).exits(0).json()["running"][0].clone()
}

#[test]
fn a_running_step_is_shown_with_how_far_it_is() {
    let place = place_with("cache clear: {sleep: 1m}");
    place
        .configure("  work:\n    steps:\n      - run: [/bin/sh, -c, \"printf 'Progress: |=================='; sleep 60\"]\n")
        .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work"]).exits(0);
    let far =
        wait_for(|| running(&daemon)["step"]["progress"]["bar_percent"].as_u64().is_some_and(|p| p > 0));
    let run = running(&daemon);
    assert!(far, "{run:#}\n{}", daemon.log());
    assert_eq!(run["step"]["progress"]["bar_percent"], 26);
    assert_eq!(run["step"]["progress"]["sign"], "output");
    assert_eq!((&run["step"]["step"], &run["step"]["of"]), (&Value::from(0), &Value::from(1)));
    let page = daemon.ctl(&["status"]).exits(0).stdout;
    assert!(page.contains("about 26 %") && page.contains("last sign of life"), "{page}");
    // The next daemon knows it from the room.
    daemon.kill().unwrap();
    let next = place.start().unwrap();
    assert!(wait_for(|| running(&next)["step"]["progress"]["bar_percent"] == 26), "{:#}", running(&next));
    next.ctl(&["cancel", "work"]).exits(0);
    assert_eq!(next.ended("work")["outcome"], "cancelled");
}

#[test]
fn a_quiet_step_is_warned_of_and_ended() {
    let place = Place::new(
        "  work:\n    steps:\n      - {run: [/bin/sleep, \"61.5\"], quiet_limit: 2s}\n      - {run: [/bin/true]}\n",
    )
    .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work"]).exits(0);
    let run = daemon.ended("work");
    assert_eq!(run["outcome"], "timed-out", "{run:#}");
    assert_eq!(run["steps"][0]["reasons"][0]["code"], "quiet-limit");
    assert_eq!(run["steps"].as_array().map(Vec::len), Some(1));
    daemon.log_with("without a sign of life for 1 s; it is ended after 2 s of that");
    assert!(daemon.below("sleep").is_empty(), "nothing of it is left");
}

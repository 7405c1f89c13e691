//! Runs that would remove too much: looked at before any lock, skipped, approved by a person.

use mastmaint_tests::{Daemon, Place, Postgres, wait_for};
use serde_json::Value;

/// A job that removes orphans of an instance that has five of them; without a database it would not.
fn orphans(at_most: &str, weather: &str) -> (Place, Postgres) {
    let place = Place::new(&format!(
        "  work:\n    steps:\n      - {{tootctl: media remove-orphans{at_most}}}\n  other:\n    steps: [{{tootctl: cache clear}}]\n"
    ))
    .unwrap();
    place.instance.weather(&format!("speed: 50\nweather: {{{weather}}}\n")).unwrap();
    place.instance.add_orphans().unwrap();
    let postgres = Postgres::start().unwrap();
    postgres.belong_to(&place.instance).unwrap();
    (place, postgres)
}

fn argv(place: &Place) -> Vec<String> {
    let calls = place.calls();
    let starts = calls.iter().filter(|call| call["event"] == "start");
    let words = |call: &Value| {
        let argv = call["argv"].as_array().cloned().unwrap_or_default();
        argv.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect::<Vec<_>>().join(" ")
    };
    starts.map(words).collect()
}

fn approvals(daemon: &Daemon) -> Vec<Value> {
    daemon.ctl(&["status", "--json"]).json()["approvals"].as_array().cloned().unwrap_or_default()
}

#[test]
fn what_is_below_the_limit_is_looked_at_first_and_then_done() {
    let (place, _postgres) = orphans(", at_most: {items: 5}", "");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    let run = daemon.ended("work");
    assert_eq!((&run["outcome"], &run["numbers"]["removed"]), (&"ok".into(), &5.into()), "{run:#}");
    assert_eq!(argv(&place), ["media remove-orphans --dry-run", "media remove-orphans"]);
    assert_eq!(run["steps"].as_array().unwrap().len(), 1, "the look is no step: {run:#}");
}

#[test]
fn above_it_the_run_is_skipped_and_a_person_may_start_it() {
    let (place, _postgres) = orphans(", at_most: {items: 4}", "");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    let skipped = daemon.ended("work");
    assert_eq!(skipped["outcome"], "skipped", "{skipped:#}");
    let reason = skipped["reason"].as_str().unwrap();
    assert!(reason.contains("needs approval") && reason.contains("5 items"), "{reason}");
    assert_eq!(argv(&place), ["media remove-orphans --dry-run"], "something was removed");
    assert_eq!(approvals(&daemon)[0]["run"], skipped["run"]);
    let id = skipped["run"].as_str().unwrap();
    assert!(daemon.ctl(&["status"]).stdout.contains(&format!("mastmaintctl approve {id}")));

    // The next daemon knows of it.
    assert!(daemon.stop().unwrap().success());
    let daemon = place.start().unwrap();
    daemon.ctl(&["approve", "no-such-run"]).exits(1);
    daemon.ctl(&["approve", id, "--follow"]).exits(0);
    let run = daemon.ended("work");
    assert_eq!((&run["outcome"], &run["numbers"]["removed"]), (&"ok".into(), &5.into()), "{run:#}");
    assert_eq!(approvals(&daemon), Vec::<Value>::new());
    daemon.ctl(&["approve", id]).exits(1);
}

#[test]
fn an_approval_allows_what_was_found_and_no_more() {
    let (place, _postgres) = orphans(", at_most: {items: 4}", "");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    // Now the look finds 5; before the approved run it finds what another recording says.
    place
        .instance
        .weather("speed: 50\nweather: {media remove-orphans: orphans-database-older-than-files}\n")
        .unwrap();
    daemon.ctl(&["approve", "work", "--follow"]).exits(0);
    let run = daemon.ended("work");
    assert_eq!(run["outcome"], "skipped", "{run:#}");
    assert!(run["reason"].as_str().unwrap().contains("needs approval"), "{run:#}");
}

#[test]
fn an_approval_is_for_the_step_that_was_looked_at() {
    let (place, _postgres) = orphans(", at_most: {items: 4}", "");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    place.configure("  work:\n    steps:\n      - {tootctl: accounts prune, at_most: {items: 1}}\n").unwrap();
    daemon.ctl(&["reload"]).exits(0);
    let refused = daemon.ctl(&["approve", "work"]).exits(1);
    assert!(
        refused.stderr.contains("[job-changed]") && refused.stderr.contains("media remove-orphans"),
        "{refused:?}"
    );
    assert_eq!(argv(&place), ["media remove-orphans --dry-run"]);
}

#[test]
fn a_word_that_names_no_run_approves_and_cancels_none() {
    let (place, _postgres) = orphans(", at_most: {items: 4}", "cache clear: {sleep: 60s}");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    daemon.ctl(&["run", "other"]).exits(0);
    for short in ["", "2", "20"] {
        daemon.ctl(&["approve", short]).exits(1);
        daemon.ctl(&["cancel", short]).exits(1);
    }
    assert_eq!(daemon.newest("other").unwrap()["outcome"], Value::Null, "cancelled by less than its name");
    let other = daemon.newest("other").unwrap()["run"].as_str().unwrap().to_owned();
    daemon.ctl(&["cancel", &other[..18]]).exits(0);
    assert_eq!(daemon.ended("other")["outcome"], "cancelled");
}

#[test]
fn what_a_newer_look_replaced_is_not_back_after_a_restart() {
    let (place, _postgres) = orphans(", at_most: {items: 4}", "");
    let daemon = place.start().unwrap();
    for _ in 0..2 {
        daemon.ctl(&["run", "work", "--follow"]).exits(0);
    }
    assert_eq!(approvals(&daemon).len(), 1);
    daemon.kill().unwrap();
    let daemon = place.start().unwrap();
    assert_eq!(approvals(&daemon).len(), 1, "{:#?}", approvals(&daemon));
    daemon.ctl(&["approve", "work", "--follow"]).exits(0);
    assert_eq!(daemon.ended("work")["numbers"]["removed"], 5);
}

#[test]
fn orphans_have_a_limit_where_none_is_written() {
    let (place, _postgres) = orphans("", "");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    assert_eq!(argv(&place), ["media remove-orphans --dry-run", "media remove-orphans"]);
}

#[test]
fn a_look_holds_no_lock_and_can_be_cancelled() {
    let (place, _postgres) =
        orphans(", at_most: {items: 5}", "media remove-orphans: {sleep: 60s, play: orphans-five}");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work"]).exits(0);
    assert!(wait_for(|| place.starts() == 1), "{}", daemon.log());
    // The same lock, and it is free.
    daemon.ctl(&["run", "other", "--follow"]).exits(0);
    daemon.ctl(&["run", "work"]).exits(1);
    daemon.ctl(&["cancel", "work"]).exits(0);
    assert_eq!(daemon.ended("work")["outcome"], "cancelled");
}

#[test]
fn a_look_that_fails_removes_nothing() {
    let (place, _postgres) = orphans(", at_most: {items: 5}", "media remove-orphans: redis-down-orphans");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    let run = daemon.ended("work");
    assert!(run["reason"].as_str().unwrap().starts_with("the look before step 1: "), "{run:#}");
    assert_eq!(place.starts(), 1);
}

#[test]
fn a_look_outlives_the_daemon_and_is_no_step() {
    let (place, _postgres) = orphans(
        ", at_most: {items: 5}",
        "media remove-orphans: [{sleep: 5s, play: orphans-dry-run}, orphans-five]",
    );
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work"]).exits(0);
    assert!(wait_for(|| place.starts() == 1), "{}", daemon.log());
    daemon.kill().unwrap();
    let daemon = place.start().unwrap();
    let run = daemon.ended("work");
    assert_eq!(run["outcome"], "ok", "{run:#}\n{}", daemon.log());
    let real = argv(&place).into_iter().filter(|call| !call.contains("--dry-run")).count();
    assert_eq!(real, 1, "{:?}", argv(&place));
}

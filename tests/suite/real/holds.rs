//! Holds and locks: what is kept from running, for how long, and who waits for whom.

use mastmaint_ledger::Ledger;
use mastmaint_tests::{Daemon, Place, wait_for};
use serde_json::Value;

/// `upgrade` changes the server, `plain` does not, `long` holds the lock of both.
fn place() -> Place {
    Place::new(
        "  long:\n    lock: one\n    steps: [{run: [/bin/sleep, \"61.7\"]}]\n  \
           upgrade:\n    lock: one\n    change: true\n    steps: [{run: [/bin/true]}]\n  \
           plain:\n    lock: one\n    steps: [{run: [/bin/true]}]\n  \
           hasty:\n    lock: one\n    lock_wait: 2s\n    steps: [{run: [/bin/true]}]\n",
    )
    .unwrap()
}

fn job(daemon: &Daemon, name: &str) -> Value {
    let listed = daemon.ctl(&["jobs", "--json"]).exits(0).json();
    listed["jobs"].as_array().unwrap().iter().find(|job| job["job"] == name).unwrap().clone()
}

#[test]
fn a_hold_survives_a_restart_and_ends_when_it_is_removed() {
    let place = place();
    let first = place.start().unwrap();
    let added = first.ctl(&["hold", "add", "--for", "1h", "--reason", "freeze after the outage"]).exits(0);
    assert_eq!(added.stdout, "1\n");
    first.kill().unwrap();
    let second = place.start().unwrap();
    let refused = second.ctl(&["run", "upgrade"]).exits(1);
    assert!(
        refused.stderr.contains("freeze after the outage") && refused.stderr.contains("[held]"),
        "{refused:?}"
    );
    assert!(second.newest("upgrade").is_none(), "nothing ran");
    second.ctl(&["run", "plain", "--follow"]).exits(0);
    second.ctl(&["run", "upgrade", "--dry-run", "--follow"]).exits(0);
    second.ctl(&["run", "upgrade", "--despite-hold", "--follow"]).exits(0);
    assert_eq!(second.newest("upgrade").unwrap()["outcome"], "ok");
    assert!(
        wait_for(|| second.notes().iter().any(|n| n.contains("changes on hold until"))),
        "{:?}",
        second.notes()
    );
    let status = second.ctl(&["status"]).exits(0).stdout;
    assert!(status.contains("hold     until ") && status.contains("freeze after the outage"), "{status}");
    let jobs = second.ctl(&["jobs"]).exits(0).stdout;
    assert!(jobs.contains("Not run: upgrade."), "{jobs}");
    second.ctl(&["hold", "remove", "2"]).exits(1);
    second.ctl(&["hold", "remove", "1"]).exits(0);
    second.ctl(&["run", "upgrade", "--follow"]).exits(0);
    second.kill().unwrap();
    let third = place.start().unwrap();
    assert_eq!(third.ctl(&["hold", "list", "--json"]).exits(0).json()["holds"], Value::Array(vec![]));
    // For one's own work: every job.
    third.ctl(&["hold", "add", "--all", "1h"]).exits(0);
    third.ctl(&["run", "plain"]).exits(1);
}

#[test]
fn a_hold_of_the_configuration_begins_and_ends_by_itself() {
    let place = place();
    let daemon = place.start().unwrap();
    let text = std::fs::read_to_string(place.config()).unwrap();
    let now = jiff::Timestamp::now();
    let until = now + jiff::SignedDuration::from_secs(4);
    place
        .configure_whole(&format!("{text}holds: [{{from: {now}, until: {until}, reason: short}}]\n"))
        .unwrap();
    daemon.ctl(&["reload"]).exits(0);
    let listed = daemon.ctl(&["hold", "list", "--json"]).exits(0).json();
    assert_eq!((&listed["holds"][0]["id"], &listed["holds"][0]["reason"]), (&Value::Null, &"short".into()));
    let log = daemon.log_with("a hold is over: short");
    assert!(log.find("a hold is on: jobs marked change") < log.find("a hold is over: short"), "{log}");
    daemon.ctl(&["run", "upgrade", "--follow"]).exits(0);
}

#[test]
fn a_run_that_waited_into_a_hold_is_skipped() {
    let place = place();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "long"]).exits(0);
    daemon.ctl(&["run", "upgrade"]).exits(0);
    daemon.ctl(&["hold", "add", "--for", "1h", "--reason", "freeze"]).exits(0);
    daemon.ctl(&["cancel", "long"]).exits(0);
    let run = daemon.ended("upgrade");
    assert_eq!((&run["outcome"], &run["reason"]), (&"skipped".into(), &"hold: freeze".into()), "{run:#}");
}

#[test]
fn a_reload_is_for_runs_that_wait_as_well() {
    let long = "  long:\n    lock: one\n    steps: [{run: [/bin/sleep, \"61.7\"]}]\n";
    let short = |name, keys| format!("  {name}:\n    lock: one\n{keys}    steps: [{{run: [/bin/true]}}]\n");
    let place = Place::new(&format!("{long}{}{}", short("plain", ""), short("gone", ""))).unwrap();
    let daemon = place.start().unwrap();
    for name in ["long", "plain", "gone"] {
        daemon.ctl(&["run", name]).exits(0);
    }
    place.configure(&format!("{long}{}", short("plain", "    change: true\n"))).unwrap();
    daemon.ctl(&["reload"]).exits(0);
    daemon.ctl(&["hold", "add", "--for", "1h", "--reason", "freeze"]).exits(0);
    let removed = daemon.ended("gone");
    assert_eq!(removed["outcome"], "skipped", "{removed:#}");
    assert!(removed["reason"].as_str().unwrap().contains("removed from the configuration"), "{removed:#}");
    daemon.ctl(&["cancel", "long"]).exits(0);
    let held = daemon.ended("plain");
    assert_eq!((&held["outcome"], &held["reason"]), (&"skipped".into(), &"hold: freeze".into()), "{held:#}");
}

#[test]
fn a_run_that_was_cancelled_is_not_tried_again() {
    let place = Place::new(
        "  work:\n    retry: {times: 3, on: failed, backoff: 1s}\n    steps:\n      \
           - {run: [/bin/false], continue: true}\n      - run: [/bin/sleep, \"61.9\"]\n",
    )
    .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work"]).exits(0);
    let second = || daemon.newest("work").is_some_and(|run| !run["steps"][1].is_null());
    assert!(wait_for(second), "{}", daemon.log());
    daemon.ctl(&["cancel", "work"]).exits(0);
    assert_eq!(daemon.ended("work")["outcome"], "failed");
    // A retry would be planned in one step with the end.
    assert_eq!(job(&daemon, "work")["next"], Value::Null, "{:#}", job(&daemon, "work"));
    assert!(!daemon.log().contains("tried again"), "{}", daemon.log());
}

#[test]
fn a_run_by_hand_is_not_tried_again_outside_of_the_window() {
    let place = Place::new(
        "  work:\n    schedule: '@yearly'\n    window: {until: '00:30'}\n    \
           retry: {times: 3, on: failed, backoff: 1s}\n    steps: [{run: [/bin/false]}]\n",
    )
    .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    let log = daemon.log_with("not tried again, its window would be closed by then");
    assert!(!log.contains("tried again at"), "{log}");
}

#[test]
fn jobs_say_who_waits_for_whom_and_not_for_ever() {
    let place = place();
    let daemon = place.start().unwrap();
    let run_of = |name: &str| daemon.ctl(&["run", name]).exits(0).stdout.trim().to_owned();
    let (long, plain) = (run_of("long"), run_of("plain"));
    let waits = job(&daemon, "plain")["current"]["waits_for"].clone();
    assert_eq!(waits["run"], Value::from(long.as_str()), "{waits:#}");
    assert_eq!((&waits["lock"], &waits["running"]), (&"one".into(), &true.into()));
    let table = daemon.ctl(&["jobs"]).exits(0).stdout;
    assert!(
        table.contains(&format!("plain waits for the lock one, held by long ({long}), until ")),
        "{table}"
    );
    run_of("hasty");
    let run = daemon.ended("hasty");
    assert_eq!(run["outcome"], "skipped", "{run:#}");
    assert!(run["reason"].as_str().unwrap().starts_with("it waited 2 s for the lock one"), "{run:#}");
    // The next daemon takes the lock of the one that runs again, and the other still waits for it.
    daemon.kill().unwrap();
    let next = place.start().unwrap();
    assert!(wait_for(|| job(&next, "plain")["current"]["waits_for"]["run"] == long.as_str()));
    next.ctl(&["cancel", "long"]).exits(0);
    let run = next.ended("plain");
    assert_eq!((&run["outcome"], &run["run"]), (&"ok".into(), &Value::from(plain.as_str())), "{run:#}");
}

#[test]
fn a_cancel_outlives_the_daemon_and_is_not_taken_for_a_second_one() {
    let place = Place::new(
        "  work:\n    steps:\n      - {run: [/bin/sh, -c, \"trap '' TERM; echo ready; sleep 6\"], grace: 1m}\n      - {run: [/bin/true]}\n",
    )
    .unwrap();
    let first = place.start().unwrap();
    first.ctl(&["run", "work"]).exits(0);
    first.log_with("work 1: ready");
    first.ctl(&["cancel", "work"]).exits(0);
    first.kill().unwrap();
    let ledger = Ledger::open(&place.path("state/ledger.sqlite"), jiff::Timestamp::now()).unwrap().ledger;
    assert!(
        ledger.open_runs().unwrap()[0].run.cancel_asked.is_some(),
        "it is in the ledger before it is answered"
    );
    drop(ledger);
    let second = place.start().unwrap();
    let run = second.ended("work");
    assert_eq!(run["outcome"], "cancelled", "{run:#}");
    assert_eq!(run["steps"][0]["signal"], Value::Null, "a second cancel would have killed it: {run:#}");
    assert_eq!(run["steps"].as_array().map(Vec::len), Some(1));
}

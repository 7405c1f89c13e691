//! What a job requires of its host: nothing of it is begun while something is in its way, and nothing twice.

use jiff::{SignedDuration, Timestamp};
use mastmaint_tests::{Place, Postgres, daemon::wait_up_to, wait_for};
use serde_json::Value;
use std::{
    fs,
    process::{Child, Command},
    time::Duration,
};

/// A process of a program that no host has; it ends with the test.
struct InTheWay(Child);

fn in_the_way(place: &Place, name: &str) -> InTheWay {
    let program = place.path(name);
    // No copy: a program that was just written cannot be run while another test forks.
    std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
    InTheWay(Command::new(program).arg("600").spawn().unwrap())
}

impl Drop for InTheWay {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn runs(daemon: &mastmaint_tests::Daemon, job: &str) -> Vec<Value> {
    let listed = daemon.ctl(&["history", job, "--json"]).exits(0).json();
    listed["runs"].as_array().unwrap().clone()
}

#[test]
fn by_hand_it_is_said_at_once_what_is_in_the_way() {
    let place = Place::new(
        "  dump:\n    requires: {not_running: [zz_dump]}\n    steps: [{tootctl: cache clear}]\n  \
           room:\n    requires: {free: {path: /tmp, at_least: 900000 TB}}\n    steps: [{tootctl: cache clear}]\n  \
           busy:\n    requires: {load: {below: 0}}\n    steps: [{tootctl: cache clear}]\n  \
           blind:\n    requires: {free: {path: /no/such/place, at_least: 1 B}}\n    steps: [{tootctl: cache clear}]\n  \
           silent:\n    requires: {probe: web}\n    steps: [{tootctl: cache clear}]\n",
    )
    .unwrap();
    let daemon = place.start().unwrap();
    let dump = in_the_way(&place, "zz_dump");
    // A host that is very busy says "queued" first.
    let said = || daemon.ctl(&["run", "dump"]).exits(0).stderr;
    let at_once = || {
        let said = said();
        said.contains("skipped") && said.contains("zz_dump is running")
    };
    assert!(wait_for(at_once), "{}", said());
    let run = daemon.ended("dump");
    assert_eq!((&run["outcome"], &run["started"]), (&"skipped".into(), &Value::Null));
    // A dry run changes nothing and is made.
    daemon.ctl(&["run", "dump", "--dry-run", "--follow"]).exits(0);
    drop(dump);
    let room = daemon.ctl(&["run", "room", "--follow"]).exits(0);
    assert!(room.stderr.contains(" free in /tmp, "), "{room:?}");
    let busy = daemon.ctl(&["run", "busy", "--follow"]).exits(0);
    assert!(busy.stderr.contains("the load is "), "{busy:?}");
    // What cannot be looked at is not taken for granted.
    let blind = daemon.ctl(&["run", "blind", "--follow"]).exits(1);
    assert!(blind.stderr.contains("what is free in /no/such/place cannot be looked at"), "{blind:?}");
    // Whether there is a systemd to ask depends on the host; that web does not answer does not.
    let silent = daemon.ctl(&["run", "silent", "--follow"]);
    assert!(silent.stderr.contains("mastodon-web") || silent.stderr.contains("web answers"), "{silent:?}");
    assert_eq!(place.starts(), 0, "something ran");
    daemon.ctl(&["run", "dump", "--follow"]).exits(0);
    assert_eq!(place.starts(), 1);
}

/// The next full minute that leaves time to begin, as a schedule of one slot a day, and a time of day after it.
fn slot(minutes_later: i64) -> (String, String) {
    let slot = Timestamp::now() + SignedDuration::from_secs(70);
    let until = slot + SignedDuration::from_mins(minutes_later);
    let utc = |at: Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC);
    (utc(slot).strftime("%M %H * * *").to_string(), utc(until).strftime("%H:%M").to_string())
}

#[test]
fn a_slot_is_tried_until_its_window_closes_and_is_one_run() {
    // Only now: whatever had to be built for it is there.
    let place = Place::new("").unwrap();
    let ((cron, until), (_, soon)) = (slot(30), slot(2));
    let job = |name: &str, more: &str| {
        format!(
            "  {name}:\n    schedule: \"{cron}\"\n{more}    steps: [{{run: [/bin/sh, -c, \"echo >> ran-{name}\"]}}]\n"
        )
    };
    let requires = |again: &str| format!("    requires: {{not_running: [zz_nightly]{again}}}\n");
    let window = |until: &str| format!("    window: {{until: \"{until}\"}}\n");
    let marks = place.path("marks");
    fs::create_dir(&marks).unwrap();
    let jobs = [
        job("patient", &(window(&until) + &requires(", try_again: 2s"))),
        job("hurried", &(window(&soon) + &requires(", try_again: 1h"))),
        job("windowless", &requires("")),
    ];
    place.configure(&jobs.concat().replace("ran-", &format!("{}/ran-", marks.display()))).unwrap();
    let process = in_the_way(&place, "zz_nightly");
    let first = place.start().unwrap();
    let waits = |daemon: &mastmaint_tests::Daemon| {
        let listed = daemon.ctl(&["status"]).stdout;
        listed.contains("zz_nightly is running") && listed.contains("looked 3 times")
    };
    assert!(wait_up_to(Duration::from_secs(150), || waits(&first)), "{}", first.log());
    // One that may not be tried within its window, and one without, are skipped: one line each.
    for job in ["hurried", "windowless"] {
        let ended = first.ended(job);
        assert_eq!((&ended["outcome"], runs(&first, job).len()), (&"skipped".into(), 1), "{ended}");
    }
    let told = first.log().matches("waits: zz_nightly is running").count();
    assert_eq!(told, 1, "each look was told: {}", first.log());
    // The next daemon goes on with the same run.
    first.kill().unwrap();
    let second = place.start().unwrap();
    assert!(wait_up_to(Duration::from_mins(1), || waits(&second)), "{}", second.log());
    assert!(!marks.join("ran-patient").exists());
    drop(process);
    let ok = || second.newest("patient").is_some_and(|run| run["outcome"] == "ok");
    assert!(wait_up_to(Duration::from_mins(1), ok), "{}", second.log());
    let patient = runs(&second, "patient");
    assert_eq!((patient.len(), &patient[0]["trigger"]["kind"]), (1, &"schedule".into()), "{patient:?}");
    assert_eq!(fs::read_to_string(marks.join("ran-patient")).unwrap().lines().count(), 1);
    assert!(!marks.join("ran-hurried").exists() && !marks.join("ran-windowless").exists());
}

#[test]
fn what_waits_for_its_host_can_be_cancelled() {
    let place = Place::new("").unwrap();
    let (cron, until) = slot(30);
    let job = format!(
        "  nightly:\n    schedule: \"{cron}\"\n    window: {{until: \"{until}\"}}\n    \
         requires: {{not_running: [zz_cancel], try_again: 10m}}\n    steps: [{{tootctl: cache clear}}]\n"
    );
    place.configure(&job).unwrap();
    let process = in_the_way(&place, "zz_cancel");
    let daemon = place.start().unwrap();
    let waits = || daemon.ctl(&["status"]).stdout.contains("zz_cancel is running");
    assert!(wait_up_to(Duration::from_secs(150), waits), "{}", daemon.log());
    daemon.ctl(&["cancel", "nightly"]).exits(0);
    assert_eq!(daemon.ended("nightly")["outcome"], "cancelled");
    assert_eq!(place.starts(), 0);
    drop(process);
}

#[test]
fn an_approval_is_not_used_up_by_what_is_in_the_way() {
    let place = Place::new(
        "  work:\n    requires: {not_running: [zz_approve]}\n    steps: [{tootctl: media remove-orphans, at_most: {items: 4}}]\n",
    )
    .unwrap();
    // Orphans are looked for only where database and files are known to be of one state.
    let postgres = Postgres::start().unwrap();
    postgres.belong_to(&place.instance).unwrap();
    place.instance.weather("speed: 50\n").unwrap();
    place.instance.add_orphans().unwrap();
    let daemon = place.start().unwrap();
    let needs = daemon.ctl(&["run", "work", "--follow"]).exits(0);
    assert!(needs.stderr.contains("needs approval"), "{needs:?}");
    let process = in_the_way(&place, "zz_approve");
    let skipped = daemon.ctl(&["approve", "work", "--follow"]).exits(0);
    assert!(skipped.stderr.contains("zz_approve is running"), "{skipped:?}");
    drop(process);
    daemon.ctl(&["approve", "work", "--follow"]).exits(0);
    assert_eq!(daemon.ended("work")["numbers"]["removed"], 5);
}

/// What was seen before a long wait for a lock says nothing about now.
#[test]
fn a_run_that_waited_long_looks_once_more_before_it_begins() {
    if std::env::var_os("MASTMAINT_LONG_TESTS").is_none() {
        return;
    }
    let place = Place::new(
        "  holder:\n    lock: one\n    timeout: 30m\n    steps: [{run: [/bin/sleep, \"1501.7\"], timeout: 30m}]\n  \
           waiter:\n    lock: one\n    requires: {not_running: [zz_late]}\n    steps: [{tootctl: cache clear}]\n",
    )
    .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "holder"]).exits(0);
    let queued = daemon.ctl(&["run", "waiter"]).exits(0);
    assert!(queued.stderr.contains("waits for the lock one"), "{queued:?}");
    let process = in_the_way(&place, "zz_late");
    std::thread::sleep(Duration::from_mins(10) + Duration::from_secs(5));
    daemon.ctl(&["cancel", "holder"]).exits(0);
    let waiter = daemon.ended("waiter");
    assert_eq!((&waiter["outcome"], place.starts()), (&"skipped".into(), 0), "{waiter}");
    // The lock is free again.
    drop(process);
    daemon.ctl(&["run", "waiter", "--follow"]).exits(0);
}

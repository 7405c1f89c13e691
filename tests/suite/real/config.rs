//! Good and bad configurations, at start and at reload, and the foreground run of one job.

use crate::place_with;
use mastmaint_tests::{Place, ctl::call, wait_for};
use nix::sys::signal::Signal;
use std::time::Duration;

const BAD: &str = "jobs:\n  work:\n    shedule: \"0 0 * * *\"\n    steps: [{run: \"true\"}]\n";

fn next(daemon: &mastmaint_tests::Daemon, job: &str) -> serde_json::Value {
    let jobs = daemon.ctl(&["jobs", "--json"]).json();
    let line = jobs["jobs"].as_array().unwrap().iter().find(|j| j["job"] == job).cloned();
    line.unwrap_or_default()["next"].clone()
}

#[test]
fn a_bad_config_at_start_is_exit_78_with_its_place() {
    let place = place_with("");
    place.configure_whole(BAD).unwrap();
    let answer = call("mastmaintd", &place.arguments()).exits(78);
    let shown = format!("{}:3:", place.config().display());
    assert!(answer.stderr.contains(&shown) && answer.stderr.contains("schedule"), "{answer:?}");
    let checked = call("mastmaintctl", &["check".into(), place.config()]).exits(78);
    assert!(checked.stderr.contains(&shown) || checked.stdout.contains(&shown), "{checked:?}");
}

#[test]
fn a_reload_keeps_what_did_not_change_and_takes_what_did() {
    let same =
        "  same:\n    schedule: \"30 3 * * *\"\n    random_delay: 30m\n    steps: [{tootctl: cache clear}]\n";
    let place = Place::new(&format!(
        "{same}  other:\n    schedule: \"0 4 * * *\"\n    steps: [{{tootctl: media usage}}]\n"
    ))
    .unwrap();
    let daemon = place.start().unwrap();
    let (same_next, other_next) = (next(&daemon, "same"), next(&daemon, "other"));
    assert!(same_next.is_string() && other_next.is_string());
    place
        .configure(&format!(
            "{same}  other:\n    schedule: \"0 5 * * *\"\n    steps: [{{tootctl: media usage}}]\n"
        ))
        .unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    assert!(wait_for(|| next(&daemon, "other") != other_next), "{}", daemon.log());
    assert_eq!(next(&daemon, "same"), same_next);
    assert!(daemon.heard("RELOADING=1"));
    daemon.ctl(&["reload"]).exits(0);
}

#[test]
fn a_bad_reload_changes_nothing_and_says_so() {
    let place =
        Place::new("  work:\n    schedule: \"30 3 * * *\"\n    steps: [{tootctl: cache clear}]\n").unwrap();
    let daemon = place.start().unwrap();
    let before = next(&daemon, "work");
    place.configure_whole(BAD).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    let refused = || {
        let status = daemon.ctl(&["status", "--json"]).json();
        status["config"]["refused"].as_array().is_some_and(|r| !r.is_empty())
    };
    assert!(wait_for(refused), "{}", daemon.log());
    let answer = daemon.ctl(&["reload"]).exits(78);
    assert!(answer.stderr.contains(":3:"), "{answer:?}");
    assert_eq!(next(&daemon, "work"), before);
    let said = daemon.notes().into_iter().rfind(|n| n.starts_with("STATUS=")).unwrap();
    assert!(said.contains("refused"), "{said}");
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
}

#[test]
fn a_removed_job_finishes_what_runs() {
    let place = place_with("cache clear: {sleep: 3s}");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work"]).exits(0);
    assert!(wait_for(|| place.starts() == 1));
    place.configure("  other:\n    steps: [{tootctl: media usage}]\n").unwrap();
    daemon.ctl(&["reload"]).exits(0);
    assert_eq!(daemon.ended("work")["outcome"], "ok");
    daemon.ctl(&["run", "work"]).exits(1);
}

#[test]
fn the_effective_configuration_reads_back_as_itself() {
    let place = Place::new(
        "  work:\n    schedule: \"30 0 * * *\"\n    window: {until: \"02:30\"}\n    retry: {times: 2, backoff: 10m}\n    \
         steps: [{tootctl: media remove --days 14}, {run: [/bin/echo, \"a b\"]}]\n",
    )
    .unwrap();
    let first = call("mastmaintctl", &["config".into(), place.config()]).exits(0).stdout;
    place.configure_whole(&first).unwrap();
    let second = call("mastmaintctl", &["config".into(), place.config()]).exits(0).stdout;
    assert_eq!(first, second);
    assert!(first.contains("media remove --days 14") || first.contains("- remove"), "{first}");
}

#[test]
fn one_job_in_the_foreground_exits_with_its_outcome() {
    let place = Place::new(
        "  fine:\n    steps: [{tootctl: cache clear}]\n  lies:\n    steps: [{tootctl: media remove --days 7}]\n",
    )
    .unwrap();
    place.instance.weather("speed: 50\nweather: {media remove: media-remove-permission-some}\n").unwrap();
    let run = |job: &str| {
        let mut arguments = place.arguments();
        arguments.extend(["--run".to_owned(), job.to_owned()]);
        call("mastmaintd", &arguments)
    };
    run("fine").exits(0);
    run("lies").exits(1);
    let daemon = place.start().unwrap();
    assert_eq!(daemon.ctl(&["history", "--json"]).json()["runs"].as_array().map(Vec::len), Some(2));
    let refused = run("fine");
    assert!(refused.code.is_some_and(|c| c != 0) && !refused.stderr.is_empty(), "{refused:?}");
    assert_eq!(place.starts(), 2, "the refused run ran nothing");
}

#[test]
fn a_second_daemon_is_refused() {
    let place = place_with("");
    let daemon = place.start().unwrap();
    let second = call("mastmaintd", &place.arguments());
    assert!(second.code.is_some_and(|c| c != 0), "{second:?}");
    daemon.ctl(&["status", "--json"]).exits(0);
}

#[test]
fn a_paused_job_is_not_started_by_schedule() {
    let place =
        Place::new("  work:\n    schedule: \"* * * * *\"\n    steps: [{tootctl: cache clear}]\n").unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["pause", "work"]).exits(0);
    let paused = || daemon.ctl(&["jobs", "--json"]).json()["jobs"][0]["paused"].clone();
    assert_eq!(paused(), true);
    std::thread::sleep(Duration::from_secs(62));
    assert_eq!(place.starts(), 0);
    daemon.ctl(&["resume", "work"]).exits(0);
    assert_eq!(paused(), false);
}

#[test]
fn a_paused_job_is_neither_next_nor_overdue() {
    let place =
        Place::new("  work:\n    schedule: \"* * * * *\"\n    steps: [{tootctl: cache clear}]\n").unwrap();
    let daemon = place.start().unwrap();
    assert!(!daemon.ctl(&["status", "--json"]).json()["next"].is_null());
    daemon.ctl(&["pause", "work"]).exits(0);
    assert!(daemon.ctl(&["status", "--json"]).exits(0).json()["next"].is_null());
    assert!(daemon.ctl(&["jobs", "--json"]).json()["jobs"][0]["next"].is_null());
    daemon.ctl(&["resume", "work"]).exits(0);
    assert!(!daemon.ctl(&["status", "--json"]).json()["next"].is_null());
}

#[test]
fn a_hangup_during_the_start_ends_nothing() {
    let place = Place::new("  work:\n    steps: [{tootctl: cache clear}]\n").unwrap();
    // From the first instant at which the daemon hears signals at all.
    let hears_hangup = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
    };
    for pause_ms in [0, 3, 10] {
        let mut early = std::process::Command::new(mastmaint_tests::binaries::path("mastmaintd"))
            .args(place.arguments())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while !hears_hangup(early.id()) {
            assert!(early.try_wait().unwrap().is_none());
        }
        std::thread::sleep(Duration::from_millis(pause_ms));
        let pid = nix::unistd::Pid::from_raw(i32::try_from(early.id()).unwrap());
        nix::sys::signal::kill(pid, Signal::SIGHUP).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(early.try_wait().unwrap().is_none(), "SIGHUP {pause_ms} ms later ended the daemon");
        nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
        assert!(early.wait().unwrap().success());
    }
}

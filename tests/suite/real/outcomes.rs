//! What a run is called, and what `mastmaintctl run --follow` exits with.

use crate::place_with;
use mastmaint_tests::{Place, daemon::wait_up_to};
use std::{fs, time::Duration};

#[test]
fn follow_exits_as_the_run_ends() {
    let place = Place::new(
        "  fine:\n    steps: [{tootctl: preview_cards remove --days 30}]\n  \
         lies:\n    steps: [{tootctl: media remove --days 14}]\n  \
         breaks:\n    steps: [{tootctl: cache clear}]\n",
    )
    .unwrap();
    place
        .instance
        .weather("speed: 50\nweather: {media remove: media-remove-permission-some, cache clear: {exit: 1}}\n")
        .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "fine", "--follow"]).exits(0);
    daemon.ctl(&["run", "lies", "--follow"]).exits(1);
    daemon.ctl(&["run", "breaks", "--follow"]).exits(1);
    let outcome = |job| daemon.ended(job)["outcome"].clone();
    assert_eq!([outcome("fine"), outcome("lies"), outcome("breaks")], ["ok", "partial", "failed"]);
    let lies = daemon.ended("lies");
    assert_eq!(lies["steps"][0]["exit"], 0, "the command itself said that all was well");
    let rows = place.instance.held().unwrap().rows.unwrap();
    assert_eq!((rows.media, rows.cards), (4, 0), "rows really went");
}

#[test]
fn a_partial_step_lets_the_next_run_and_a_failed_one_does_not() {
    let place = Place::new(
        "  half:\n    steps: [{tootctl: media remove --days 14}, {tootctl: preview_cards remove --days 30}]\n  \
         strict:\n    steps: [{tootctl: media remove --days 14, on_partial: stop}, {tootctl: preview_cards remove --days 30}]\n  \
         broken:\n    steps: [{tootctl: cache clear}, {tootctl: preview_cards remove --days 30}]\n  \
         stubborn:\n    steps: [{tootctl: cache clear, continue: true}, {tootctl: preview_cards remove --days 30}]\n",
    )
    .unwrap();
    place
        .instance
        .weather("speed: 50\nweather: {media remove: media-remove-permission-some, cache clear: {exit: 1}}\n")
        .unwrap();
    let daemon = place.start().unwrap();
    for (job, outcome, steps) in
        [("half", "partial", 2), ("strict", "partial", 1), ("broken", "failed", 1), ("stubborn", "failed", 2)]
    {
        daemon.ctl(&["run", job, "--follow"]).exits(1);
        let run = daemon.ended(job);
        assert_eq!(run["outcome"], outcome, "{job}");
        assert_eq!(run["steps"].as_array().map(Vec::len), Some(steps), "{job}");
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let place =
        Place::new("  work:\n    steps: [{tootctl: media remove --days 7}, {tootctl: cache clear}]\n")
            .unwrap();
    let before = place.instance.held().unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow", "--dry-run"]).exits(0);
    assert_eq!(place.instance.held().unwrap(), before);
    let run = daemon.ended("work");
    assert_eq!(run["dry_run"], true);
    assert_eq!(run["steps"][1]["outcome"], "skipped", "`cache clear` has no dry run");
}

#[test]
fn what_does_not_answer_is_tried_again() {
    let place = Place::new(
        "  work:\n    retry: {times: 2, backoff: 1s}\n    steps: [{tootctl: media remove --days 7}]\n",
    )
    .unwrap();
    place
        .instance
        .weather("speed: 50\nweather: {media remove: [postgres-down-media, media-remove-ok]}\n")
        .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    let ok = || daemon.newest("work").is_some_and(|r| r["outcome"] == "ok");
    assert!(wait_up_to(Duration::from_secs(20), ok), "{}", daemon.log());
    assert_eq!(daemon.ended("work")["trigger"]["kind"], "retry");
    assert_eq!(place.starts(), 2);
}

#[test]
fn a_tootctl_that_cannot_run_fails_and_says_why() {
    let place = place_with("");
    let daemon = place.start().unwrap();
    place.instance.replace_tootctl("#!/bin/sh\necho OK\n", 0o644).unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    let run = daemon.ended("work");
    assert_eq!(run["outcome"], "failed");
    assert!(!run["reason"].as_str().unwrap().is_empty());
    fs::remove_file(place.instance.live().join("bin/tootctl")).unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    assert!(daemon.ended("work")["reason"].as_str().unwrap().contains("tootctl"));
    fs::rename(place.instance.live(), place.path("elsewhere")).unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    assert_eq!(daemon.ended("work")["outcome"], "failed");
}

#[test]
fn a_scheduled_job_runs_within_its_minute() {
    let place =
        Place::new("  work:\n    schedule: \"* * * * *\"\n    steps: [{tootctl: cache clear}]\n").unwrap();
    let daemon = place.start().unwrap();
    assert!(wait_up_to(Duration::from_secs(75), || place.starts() == 1), "{}", daemon.log());
    let run = daemon.ended("work");
    assert_eq!((&run["trigger"]["kind"], &run["outcome"]), (&"schedule".into(), &"ok".into()));
    let started = place.calls()[0]["at_us"].as_u64().unwrap();
    assert!(started % 60_000_000 < 5_000_000, "the slot is the full minute, it began {started}");
}

#[test]
fn no_secret_is_seen_anywhere() {
    let place = place_with("cache clear: {print-secret: true}");
    let daemon = place.start().unwrap();
    let followed = daemon.ctl(&["run", "work", "--follow"]);
    let shown = daemon.ctl(&["show", "work", "--output"]).exits(0);
    assert!(shown.stdout.contains("the value of SECRET_KEY_BASE is"), "the line itself is kept: {shown:?}");
    let log = daemon.log();
    let mut files = Vec::new();
    mastmaint_tests::rows::walk(&place.path("state"), &mut |path, _| files.push(path.to_owned())).unwrap();
    assert!(!files.is_empty());
    for (name, secret) in mastmaint_tests::instance::SECRETS {
        for (where_, text) in [
            ("log", &log),
            ("show", &shown.stdout),
            ("follow", &followed.stdout),
            ("follow", &followed.stderr),
        ] {
            assert!(!text.contains(secret), "{name} is in {where_}");
        }
        for file in &files {
            let bytes = fs::read(file).unwrap_or_default();
            assert!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "{name} is in {}",
                file.display()
            );
        }
    }
}

#[test]
fn a_step_gets_an_environment_built_from_nothing() {
    // The stand-in's own runtime ignores SIGPIPE; 32 and 33 belong to libc, nobody else can set them.
    const NOT_OURS: u64 = 1 << 12 | 1 << 31 | 1 << 32;
    let place = place_with("cache clear: {print-env: true}");
    let daemon = place.start_with(|command| {
        command.env("RUBYOPT", "-W0").env("BUNDLE_PATH", "/nonexistent").env("WATCHDOG_USEC", "3000000");
    });
    let daemon = daemon.unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    let shown = daemon.ctl(&["show", "work", "--output"]).exits(0).stdout;
    for wanted in [
        "env RAILS_ENV=production",
        "env DEFAULT_LOCALE=en",
        "env NO_COLOR=1",
        "stdin /dev/null",
        "Umask:\t0022",
    ] {
        assert!(shown.contains(wanted), "{wanted} is missing in:\n{shown}");
    }
    for unwanted in ["RUBYOPT", "BUNDLE_PATH", "NOTIFY_SOCKET", "WATCHDOG_USEC", "CARGO"] {
        assert!(!shown.contains(unwanted), "{unwanted} reached the step:\n{shown}");
    }
    let mask = |name: &str| {
        let line = shown.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim();
        u64::from_str_radix(line, 16).unwrap()
    };
    assert_eq!((mask("SigBlk:"), mask("SigIgn:") & !NOT_OURS), (0, 0));
}

#[test]
fn a_planned_retry_is_seen_and_can_be_taken_back() {
    let place = Place::new(
        "  work:\n    retry: {times: 1, backoff: 1h}\n    steps: [{tootctl: media remove --days 7}]\n",
    )
    .unwrap();
    place.instance.weather("speed: 50\nweather: {media remove: postgres-down-media}\n").unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    let job = || daemon.ctl(&["jobs", "--json"]).json()["jobs"][0].clone();
    assert!(wait_up_to(Duration::from_secs(5), || job()["retry"] == 1), "{}", job());
    daemon.ctl(&["cancel", "work"]).exits(0);
    assert!(job()["retry"].is_null() && job()["next"].is_null(), "{}", job());
}

#[test]
fn a_dry_run_does_not_hide_that_the_last_run_failed() {
    let place = place_with("cache clear: redis-down-cache");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    let failed = daemon.ended("work")["run"].clone();
    daemon.ctl(&["run", "work", "--follow", "--dry-run"]).exits(0);
    let last = || daemon.ctl(&["jobs", "--json"]).json()["jobs"][0]["last"]["run"].clone();
    assert_eq!(last(), failed);
    assert!(daemon.stop().unwrap().success());
    let next = place.start().unwrap();
    assert_eq!(next.ctl(&["jobs", "--json"]).json()["jobs"][0]["last"]["run"], failed);
}

#[test]
fn the_room_on_the_disk_of_the_media_is_recorded_around_a_step() {
    let place = place_with("media remove: media-remove-ok");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    let space = daemon.ended("work")["steps"][0]["space"].clone();
    let bytes = |name: &str| space[name].as_u64().unwrap_or(0);
    assert!(bytes("free_before_bytes") > 0 && bytes("total_bytes") >= bytes("free_after_bytes"), "{space}");
    let page = daemon.ctl(&["status", "--json"]).json();
    assert_eq!(page["space"]["free_bytes"], space["free_after_bytes"], "{page}");
    assert!(daemon.ctl(&["status"]).stdout.contains("free where media are"));
}

//! The figures of rooms and brackets for `docs/performance.md`. No tests: they measure, write what they measured below
//! `MASTMAINT_FIGURES`, and judge nothing. `cargo xtask bench rooms bracket` builds what they need, runs and reads them.

use crate::{
    answering::answering,
    host::{configure, ctl, from_env, maintained},
    image::Debian,
};
use std::{fmt::Write as _, fs, thread::sleep, time::Duration};

const JOBS: usize = 20;
const MINUTES: u64 = 6;
const TIMES: usize = 100;
const CHILD: &str = "/usr/local/bin/bench-child";
/// Where the run room may write.
const STAMPS: &str = "/var/lib/mastmaintd-run/stamps";

#[test]
#[ignore = "a benchmark: cargo xtask bench rooms"]
fn rooms() {
    let mut jobs = String::new();
    for job in 0..JOBS {
        writeln!(
            jobs,
            "  job{job}:\n    schedule: '* * * * *'\n    random_delay: 50s\n    steps: [{{run: [{CHILD}, stamp, {STAMPS}]}}]"
        )
        .unwrap();
    }
    let machine = maintained(Debian::Bookworm, &jobs, "");
    machine.put(&from_env("MASTMAINT_BENCH_CHILD"), CHILD);
    machine.sh(&format!("chmod 755 {CHILD}")).ok();
    // What was tried before the program was there left nothing that counts.
    sleep(Duration::from_secs(60 * MINUTES));
    let out = from_env("MASTMAINT_FIGURES");
    let keep = |name: &str, text: String| fs::write(out.join(name), text).unwrap();
    keep("late", machine.sh(&format!("cat {STAMPS}")).ok());
    machine.sh("systemctl stop mastmaintd").ok();
    keep("knocks", machine.sh(&format!("{CHILD} knock /run/mastmaintd-rooms/run.sock {TIMES}")).ok());
    // The peer: one line is the time before systemd-run was called, the next the program's.
    let transient = format!(
        "for i in $(seq {TIMES}); do date +%s.%N >>/root/peer; \
         systemd-run --quiet --wait {CHILD} stamp /root/peer; done; cat /root/peer"
    );
    keep("systemd-run", machine.sh(&transient).ok());
}

const UNITS: &str = "mastodon-web mastodon-sidekiq mastodon-streaming mastodon-streaming@4000";
const BRACKETS: usize = 20;

#[test]
#[ignore = "a benchmark: cargo xtask bench bracket"]
fn bracket() {
    let jobs = "  plain:\n    steps: [{run: [/bin/true]}]\n  \
                bracketed:\n    with_services_stopped: true\n    steps: [{run: [/bin/true]}]\n";
    let machine = answering(Debian::Bookworm, jobs, "");
    let number = |text: &str| text.trim().parse::<u64>().unwrap();
    let (mut in_room, mut in_run, mut systemctl) = (String::new(), String::new(), String::new());
    for _ in 0..BRACKETS {
        // systemctl's own time: one call for the stop, one for each start, as in the room. systemd's limit of starts in a
        // short time is for services that crash, not for us.
        let own = machine.sh(&format!(
            "systemctl reset-failed; b=$(date +%s%N); systemctl stop {UNITS}; for u in {UNITS}; do systemctl start $u; done; \
             echo $((($(date +%s%N) - b) / 1000))"
        ));
        let own = number(&own.ok());
        let took = |job: &str| -> Vec<u64> {
            ctl(&machine, &format!("run {job} --follow")).ok();
            let shown: serde_json::Value =
                serde_json::from_str(&ctl(&machine, &format!("show {job} --json")).ok()).unwrap();
            let micros = |value: &serde_json::Value| {
                Duration::from_secs_f64(value["took_seconds"].as_f64().unwrap())
                    .as_micros()
                    .try_into()
                    .unwrap()
            };
            std::iter::once(micros(&shown))
                .chain(shown["steps"].as_array().unwrap().iter().map(micros))
                .collect()
        };
        let plain = took("plain");
        let bracketed = took("bracketed");
        let watched = machine.journal("-u mastmaintd -n 60 MASTMAINT_JOB=bracketed");
        let watched = watched.iter().rev().find_map(|entry| {
            let (_, rest) = entry["MESSAGE"].as_str()?.split_once("watched for ")?;
            Some(number(rest.split(' ').next()?) * 1000)
        });
        let watched = watched.unwrap();
        writeln!(systemctl, "{own}").unwrap();
        writeln!(in_room, "{}", (bracketed[1] + bracketed[3]).saturating_sub(own + watched)).unwrap();
        writeln!(in_run, "{}", bracketed[0].saturating_sub(plain[0] + own + watched)).unwrap();
    }
    let out = from_env("MASTMAINT_FIGURES");
    for (name, text) in [("in-room", in_room), ("in-run", in_run), ("systemctl", systemctl)] {
        fs::write(out.join(name), text).unwrap();
    }
}

const PROBES: &str = "probes:
  web: {address: 127.0.0.1:3000, every: 5s}
  api: {address: 127.0.0.1:3000, every: 5s}
  assets: {every: 5s}
  units: {every: 5s}
  disk: {every: 5s}
";
/// So long, once with probes and once without.
const WATCHED: Duration = Duration::from_mins(4);
/// How often they are asked in that time.
const ASKED: u32 = 48;

#[test]
#[ignore = "a benchmark: cargo xtask bench probes"]
fn probes() {
    let nothing = "  nothing: {steps: [{run: /bin/true}]}\n";
    let machine = answering(Debian::Bookworm, nothing, "");
    machine.sh("mkdir -p /home/mastodon/live/config && echo 'default: styles/application.scss' >/home/mastodon/live/config/themes.yml").ok();
    let used = |probes: &str| {
        configure(&machine, &format!("{nothing}{probes}"));
        ctl(&machine, "reload").ok();
        // What is done once, at the first look, is not what a minute costs.
        sleep(Duration::from_secs(15));
        let before = machine.cpu();
        sleep(WATCHED);
        machine.cpu().saturating_sub(before)
    };
    let (with, without) = (used(PROBES), used(""));
    let each = with.saturating_sub(without) / ASKED;
    let said = ctl(&machine, "incidents").out;
    fs::write(from_env("MASTMAINT_FIGURES").join("each"), each.as_micros().to_string()).unwrap();
    assert!(!said.contains("web"), "what was measured did not answer: {said}");
}

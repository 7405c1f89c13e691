//! A job that fires by its schedule, before and after a reboot, and what systemd and the journal say of it.

use crate::{
    host::{SECRET, calls, ctl, ended_run, maintained},
    image::Debian,
};
use std::time::Duration;

pub(crate) fn a_job_fires_by_schedule_and_after_a_reboot(debian: Debian) {
    let jobs =
        "  clean-media:\n    schedule: '* * * * *'\n    steps:\n      - tootctl: media remove --days 14\n";
    let mut machine = maintained(debian, jobs, "speed: 50\nweather:\n  media remove: {print-secret: true}\n");
    assert_eq!(machine.property("mastmaintd", "ActiveState"), "active");
    let status = machine.property("mastmaintd", "StatusText");
    assert!(status.contains("clean-media"), "{status}");

    let run = ended_run(&machine, "clean-media");
    assert_eq!(run["outcome"], "ok", "{run}");
    assert_eq!(run["trigger"]["kind"], "schedule", "{run}");
    let mastodon: u64 = machine.sh("id -u mastodon").ok().trim().parse().unwrap();
    let made = calls(&machine);
    assert!(made.iter().all(|call| call["uid"] == mastodon), "{made:?}");

    let late = made[0]["at_us"].as_u64().unwrap() % 60_000_000;
    eprintln!("{}: slot to the first instruction in the room: {late} µs", debian.suite());
    assert!(late < 10_000_000, "begun {late} µs after its slot");

    let entries = machine.journal("-u mastmaintd MASTMAINT_JOB=clean-media");
    let with = |field: &str| entries.iter().find(|e| e.get(field).is_some());
    for field in [
        "MASTMAINT_RUN",
        "MASTMAINT_STEP",
        "MASTMAINT_OUTCOME",
        "MASTMAINT_GRADE",
        "MASTMAINT_TRIGGER",
        "MASTMAINT_STREAM",
        "MASTMAINT_DURATION_USEC",
        "MESSAGE_ID",
    ] {
        assert!(with(field).is_some(), "no entry has {field}: {entries:#?}");
    }
    let explained = machine.sh("journalctl -x --no-pager -u mastmaintd MASTMAINT_OUTCOME=ok").ok();
    assert!(explained.contains("░░"), "{explained}");

    // What the command says of its secrets is told without them, wherever it is told.
    let output = ctl(&machine, "show clean-media --output").ok();
    assert!(output.contains("the value of DB_PASS is"), "{output}");
    assert!(!output.contains(SECRET), "{output}");
    let told = entries.iter().any(|e| e["MESSAGE"].as_str().is_some_and(|m| m.contains("DB_PASS")));
    assert!(told, "{entries:#?}");
    let found = machine.sh(&format!(
        "journalctl --sync; journalctl -o export --no-pager | grep -a {SECRET}; grep -ra {SECRET} /var/lib/mastmaint*"
    ));
    assert_eq!(found.out, "");

    machine.reboot();
    assert_eq!(machine.property("mastmaintd", "ActiveState"), "active");
    let before = calls(&machine).len();
    machine.until("it fires after the reboot", Duration::from_secs(100), |m| {
        (calls(m).len() > before).then_some(())
    });
    let history = ctl(&machine, "history clean-media --json").ok();
    assert!(history.contains(run["run"].as_str().unwrap()), "{history}");
}

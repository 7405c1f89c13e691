//! Services that always come back: what a run has stopped is up again whatever happens to the run, the daemon, the
//! rooms, the host and the package.

use crate::{
    answering::{SERVICES, ail, all_are, answering, open_brackets, states},
    host::{calls, ctl, ended_run, install, next_deb, step_pid},
    image::Debian,
    machine::Machine,
};
use serde_json::Value;
use std::time::Duration;

const JOBS: &str = "  good:
    with_services_stopped: true
    steps: [{tootctl: media remove --days 14}]
    then: [{tootctl: cache clear}]
  bad:
    with_services_stopped: true
    steps: [{tootctl: preview_cards remove --days 30}, {tootctl: media remove --days 14}]
    then: [{tootctl: cache clear}]
  late:
    with_services_stopped: [mastodon-web, mastodon-streaming]
    steps: [{tootctl: statuses remove --days 90, timeout: 1s}]
  long:
    with_services_stopped: true
    steps: [{tootctl: statuses remove --days 90}, {tootctl: media remove --days 14}]
  short:
    with_services_stopped: true
    steps: [{run: [/bin/sleep, \"10\"]}, {tootctl: media remove --days 14}]
";
/// `long` is long enough for what happens meanwhile; the waiting is the test's time.
const WEATHER: &str =
    "speed: 100\nweather:\n  statuses remove: {sleep: 20s}\n  preview_cards remove: {exit: 1}\n";

fn show(machine: &Machine, job: &str) -> Value {
    serde_json::from_str(&ctl(machine, &format!("show {job} --json")).ok()).unwrap()
}

/// The outcomes of the newest run's steps, in order.
fn outcomes(machine: &Machine, job: &str) -> Vec<String> {
    let shown = show(machine, job);
    shown["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["outcome"].as_str().unwrap_or("none").to_owned())
        .collect()
}

/// Waits until `mastmaintctl status` says this.
fn until_status(machine: &Machine, words: &str) {
    machine.until(&format!("status says {words:?}"), Duration::from_mins(1), |m| {
        ctl(m, "status").out.contains(words).then_some(())
    });
}

/// Starts `long` and waits until it works with the services stopped.
fn begun(machine: &Machine) -> String {
    ctl(machine, "run long").ok();
    let pid = step_pid(machine);
    assert_eq!(states(machine), ["inactive"; 4]);
    assert_eq!(open_brackets(machine).len(), 1);
    pid
}

pub(crate) fn what_ran_before_comes_back_however_the_run_ends(debian: Debian) {
    let machine = answering(debian, JOBS, WEATHER);
    let done = ctl(&machine, "run good --follow");
    assert_eq!(done.status, 0, "{}{}", done.out, done.err);
    let shown = show(&machine, "good").to_string();
    assert!(shown.contains("proved"), "{shown}");
    assert_eq!(outcomes(&machine, "good"), ["ok"; 4]);
    assert_eq!(states(&machine), ["active"; 4]);
    assert!(open_brackets(&machine).is_empty());
    for id in ["d82ecbfb7f4a4190a76f75b741f5772e", "7b1810b06d3847349a4b3a3e34c8a3c9"] {
        assert_eq!(machine.journal(&format!("-u mastmaintd MESSAGE_ID={id}")).len(), 1, "{id}");
    }

    // A step that fails: nothing further runs but the start.
    assert_eq!(ctl(&machine, "run bad --follow").status, 1);
    assert_eq!(outcomes(&machine, "bad"), ["ok", "failed", "ok"]);
    assert_eq!(states(&machine), ["active"; 4]);

    // One that takes too long; and what did not run before stays as it is.
    machine.sh("systemctl stop mastodon-sidekiq mastodon-streaming@4000").ok();
    assert_eq!(ctl(&machine, "run late --follow").status, 1);
    assert_eq!(outcomes(&machine, "late"), ["ok", "timed-out", "ok"]);
    assert_eq!(machine.property("mastodon-sidekiq", "ActiveState"), "inactive");
    machine.sh("systemctl start mastodon-sidekiq mastodon-streaming@4000").ok();

    // One that is cancelled.
    begun(&machine);
    until_status(&machine, "stopped  mastodon-web");
    assert!(machine.property("mastmaintd", "StatusText").contains("stopped by long"));
    ctl(&machine, "cancel long").ok();
    assert_eq!(ended_run(&machine, "long")["outcome"], "cancelled");
    assert_eq!(outcomes(&machine, "long"), ["ok", "cancelled", "ok"]);
    assert_eq!(states(&machine), ["active"; 4]);
    assert!(open_brackets(&machine).is_empty());

    // A person starts one of them under the steps: what is left of these is not run.
    ctl(&machine, "run short").ok();
    all_are(&machine, "inactive");
    machine.sh("systemctl start mastodon-web").ok();
    let run = ended_run(&machine, "short");
    assert!(run["reason"].as_str().is_some_and(|r| r.contains("somebody has started mastodon-web")), "{run}");
    assert_eq!(outcomes(&machine, "short"), ["ok", "ok", "interrupted", "interrupted"]);
    assert_eq!(states(&machine), ["active"; 4]);
    assert!(open_brackets(&machine).is_empty());

    // A dry run stops nothing.
    let before = machine.property("mastodon-web", "InvocationID");
    ctl(&machine, "run good --dry-run --follow").ok();
    assert_eq!(machine.property("mastodon-web", "InvocationID"), before);
}

pub(crate) fn a_service_that_does_not_come_back_is_said_and_tried_until_it_does(debian: Debian) {
    let machine = answering(debian, JOBS, WEATHER);
    ail(&machine, "web", "crash");
    let done = ctl(&machine, "run good --follow");
    assert_eq!(done.status, 1);
    let run = ended_run(&machine, "good");
    assert_eq!(run["outcome"], "failed", "{run}");
    let reason = run["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("Mastodon is not back: mastodon-web"), "{run}");
    let entries = machine.journal("-u mastmaintd MESSAGE_ID=6a7660fd282b444db53b6f3676580e4b");
    assert!(!entries.is_empty() && entries[0]["PRIORITY"] == "3", "{entries:?}");
    until_status(&machine, "NOT BACK after good");
    // Nothing else stops what is not back.
    assert_eq!(ctl(&machine, "run late --follow").status, 1);
    assert_eq!(open_brackets(&machine).len(), 1);
    // The others are up, and web is started as soon as it can be.
    assert_eq!(states(&machine)[1..], ["active"; 3]);
    ail(&machine, "web", "");
    machine.until("the bracket is closed", Duration::from_mins(3), |m| {
        open_brackets(m).is_empty().then_some(())
    });
    assert_eq!(states(&machine), ["active"; 4]);
    let recovered = machine.journal("-u mastmaintd MESSAGE_ID=f7ecfe86b56d454a885eeb0ef8fcfa6c");
    assert_eq!(recovered.len(), 1, "{recovered:?}");

    // A person who takes over ends it.
    ail(&machine, "web", "crash");
    assert_eq!(ctl(&machine, "run good --follow").status, 1);
    machine
        .sh("mv /etc/systemd/system/mastodon-web.service /usr/lib/systemd/system/ && systemctl daemon-reload && \
             systemctl mask --now mastodon-web")
        .ok();
    machine.until("the bracket is closed", Duration::from_mins(3), |m| {
        open_brackets(m).is_empty().then_some(())
    });
    assert_ne!(machine.property("mastodon-web", "ActiveState"), "active");
}

pub(crate) fn they_come_back_without_the_daemon_and_after_the_host(debian: Debian) {
    let mut machine = answering(debian, JOBS, WEATHER);
    // A daemon that never comes back. The step that relies on the stop goes on first.
    let pid = begun(&machine);
    machine.sh("systemctl stop mastmaintd").ok();
    assert_eq!(machine.sh(&format!("kill -0 {pid}")).status, 0);
    machine.until("the step is over", Duration::from_mins(2), |m| {
        (m.sh(&format!("kill -0 {pid}")).status != 0).then_some(())
    });
    assert_eq!(states(&machine), ["inactive"; 4], "they were started under the step's feet or by a daemon");
    all_are(&machine, "active");
    machine.until("the record is put away", Duration::from_mins(1), |m| {
        open_brackets(m).is_empty().then_some(())
    });
    // The daemon that comes back all the same does not run what needs the services stopped.
    let made = calls(&machine).len();
    machine.sh("systemctl start mastmaintd").ok();
    assert_eq!(ended_run(&machine, "long")["outcome"], "interrupted");
    assert_eq!(calls(&machine).len(), made, "a step ran although the services were up");
    assert_eq!(states(&machine), ["active"; 4]);

    // The host is cut off: systemd starts them by itself, and the record is closed with that said.
    begun(&machine);
    machine.power_cut();
    machine.power_on();
    machine.until("the record is put away", Duration::from_mins(3), |m| {
        open_brackets(m).is_empty().then_some(())
    });
    all_are(&machine, "active");
    assert_eq!(ended_run(&machine, "long")["outcome"], "interrupted");
    let said = machine.journal("-u mastmaintd MESSAGE_ID=7b1810b06d3847349a4b3a3e34c8a3c9 + MESSAGE_ID=f7ecfe86b56d454a885eeb0ef8fcfa6c");
    assert!(
        said.iter().any(|e| e["MESSAGE"].as_str().is_some_and(|m| m.contains("the host was restarted"))),
        "{said:?}"
    );
}

pub(crate) fn a_restart_of_the_host_ends_no_start(debian: Debian) {
    let mut machine = answering(debian, JOBS, WEATHER);
    let drop_in = |machine: &Machine, text: &str| {
        machine.write("/etc/systemd/system/mastodon-web.service.d/hindrance.conf", text);
        machine.sh("systemctl daemon-reload").ok();
    };
    // systemctl start says yes and does nothing. The person who restarts the host has not taken over.
    drop_in(&machine, "[Unit]\nConditionPathExists=/var/lib/web-may-run\n");
    assert_eq!(ctl(&machine, "run good --follow").status, 1);
    let run = ended_run(&machine, "good");
    assert!(run["reason"].as_str().is_some_and(|r| r.contains("a condition in its unit file")), "{run}");
    until_status(&machine, "NOT BACK after good");
    machine.reboot();
    let not_back = "-b -u mastmaintd MESSAGE_ID=6a7660fd282b444db53b6f3676580e4b";
    machine.until("it is tried in the new boot", Duration::from_mins(3), |m| {
        (!m.journal(not_back).is_empty()).then_some(())
    });
    assert_eq!(open_brackets(&machine).len(), 1, "the care for web ended with the boot");
    machine.sh("touch /var/lib/web-may-run").ok();
    machine.until("the bracket is closed", Duration::from_mins(3), |m| {
        open_brackets(m).is_empty().then_some(())
    });
    assert_eq!(states(&machine), ["active"; 4]);

    // The host is cut off while services are started and watched. At boot systemd has web in its queue for as long as
    // nobody says that it is waited for; then it is asked whether it answers, whoever started it.
    machine.write(
        "/etc/systemd/system/slow.service",
        "[Service]\nType=oneshot\nTimeoutStartSec=100\nExecStart=/bin/sh -c 'until journalctl -b -u mastmaintd -o cat | \
         grep -q \"about to start mastodon-web\"; do sleep 1; done'\n",
    );
    drop_in(&machine, "[Unit]\nWants=slow.service\nAfter=slow.service\n");
    ail(&machine, "web", "500");
    // Not in this boot: /run goes with it.
    machine
        .sh("mkdir -p /run/systemd/system/slow.service.d && cd /run/systemd/system/slow.service.d && \
             printf '[Service]\\nExecStart=\\nExecStart=/bin/true\\n' > now.conf && systemctl daemon-reload")
        .ok();
    ctl(&machine, "run good").ok();
    machine.until("web is up and does not answer", Duration::from_mins(2), |m| {
        let recorded = m.sh("cat /var/lib/mastmaintd-systemctl/brackets/*.json").out;
        recorded.contains("\"ours\"").then_some(())
    });
    machine.power_cut();
    machine.power_on();
    machine.until("the run has ended", Duration::from_mins(3), |m| {
        (show(m, "good")["state"] == "ended").then_some(())
    });
    let run = ended_run(&machine, "good");
    assert_eq!(run["outcome"], "ok", "{run}");
    let steps = show(&machine, "good")["steps"].clone();
    assert_eq!(steps[2]["grade"], "proved", "web was not asked: {steps}");
    assert_eq!(states(&machine), ["active"; 4]);
    assert!(machine.sh("journalctl -b -u mastmaintd -o cat").ok().contains("about to start mastodon-web"));
}

pub(crate) fn they_come_back_over_an_upgrade_and_a_removal(debian: Debian) {
    let machine = answering(debian, JOBS, WEATHER);
    begun(&machine);
    install(&machine, &next_deb());
    let run = ended_run(&machine, "long");
    assert_eq!(run["outcome"], "ok", "{run}");
    assert_eq!(outcomes(&machine, "long"), ["ok"; 4]);
    assert_eq!(states(&machine), ["active"; 4]);
    // The package goes in the middle: its steps are ended, then the services started, by the package itself.
    begun(&machine);
    machine.sh("dpkg --remove mastmaintd").ok();
    assert_eq!(states(&machine), ["active"; 4]);
}

pub(crate) fn nothing_is_stopped_without_a_record(debian: Debian) {
    let machine = answering(debian, JOBS, WEATHER);
    let before: Vec<String> = SERVICES.iter().map(|unit| machine.property(unit, "InvocationID")).collect();
    // No room for a record, in the room's state or in the daemon's.
    let full = "mount -t tmpfs -o size=1m,mode=700 full /var/lib/mastmaintd-systemctl && mkdir -p \
                /var/lib/mastmaintd-systemctl/brackets && (cat /dev/zero > /var/lib/mastmaintd-systemctl/fill || true)";
    machine.sh(full).ok();
    assert_eq!(ctl(&machine, "run good --follow").status, 1);
    let now: Vec<String> = SERVICES.iter().map(|unit| machine.property(unit, "InvocationID")).collect();
    assert_eq!((states(&machine), now), (vec!["active".to_owned(); 4], before));
    machine.sh("rm /var/lib/mastmaintd-systemctl/fill").ok();
    // The disk fills up while they are stopped.
    begun(&machine);
    machine.sh("cat /dev/zero > /var/lib/mastmaintd-systemctl/fill || true").ok();
    let run = ended_run(&machine, "long");
    assert_eq!(run["outcome"], "ok", "{run}");
    assert_eq!(states(&machine), ["active"; 4]);
}

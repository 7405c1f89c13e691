//! A step outlives the daemon: restart, kill, upgrade; and a power cut is told as what it was.

use crate::{
    host::{calls, ctl, ended_run, install, maintained, next_deb, step_pid},
    image::Debian,
    machine::Machine,
};
use std::time::Duration;

const JOBS: &str =
    "  long:\n    steps:\n      - tootctl: media remove --days 14\n      - tootctl: cache clear\n";
/// Long enough for what happens meanwhile on a busy host: the waiting is the test's time.
const WEATHER: &str = "speed: 100\nweather:\n  media remove: {sleep: 20s}\n";

/// Starts the long job and returns the process of its first step.
fn begun(machine: &Machine) -> String {
    ctl(machine, "run long").ok();
    step_pid(machine)
}

/// The run went on to its end, and each of its two steps ran once.
fn went_on(machine: &Machine) {
    let run = ended_run(machine, "long");
    assert_eq!(run["outcome"], "ok", "{run}");
    let made = calls(machine);
    assert_eq!(made.len(), 2, "{made:?}");
    let adopted = machine.journal("-u mastmaintd MESSAGE_ID=7682d1a7a7d24ce69bf4e704b83ad429");
    assert_eq!(adopted.len(), 1, "{adopted:?}");
    assert_eq!(adopted[0]["MASTMAINT_RUN"], run["run"]);
    let ended = machine.journal("-u mastmaintd MESSAGE_ID=fc9e6790ac6f42afb2043f6b635c67e4 MASTMAINT_STEP=1");
    assert_eq!(ended.len(), 1, "the step's end was told twice or not at all: {ended:?}");
}

fn alive(machine: &Machine, pid: &str) -> bool {
    machine.sh(&format!("kill -0 {pid}")).status == 0
}

pub(crate) fn a_step_goes_on_over_a_restart(debian: Debian) {
    let machine = maintained(debian, JOBS, WEATHER);
    let pid = begun(&machine);
    machine.sh("systemctl restart mastmaintd").ok();
    assert!(alive(&machine, &pid), "the restart ended the step");
    went_on(&machine);
    // And a step that is begun after the restart.
    machine.write("/home/mastodon/live/standin.yaml", "speed: 100\n");
    ctl(&machine, "run long --follow").ok();
}

pub(crate) fn a_killed_daemon_adopts_its_step(debian: Debian) {
    let machine = maintained(debian, JOBS, WEATHER);
    let pid = begun(&machine);
    machine.sh("kill -KILL $(systemctl show -P MainPID mastmaintd)").ok();
    assert!(alive(&machine, &pid), "the daemon's death ended the step");
    machine.until("systemd has started it again", Duration::from_mins(1), |m| {
        (m.property("mastmaintd", "ActiveState") == "active" && m.property("mastmaintd", "NRestarts") == "1")
            .then_some(())
    });
    went_on(&machine);
}

pub(crate) fn an_upgrade_ends_no_step(debian: Debian) {
    let machine = maintained(debian, JOBS, WEATHER);
    let daemon = machine.property("mastmaintd", "MainPID");
    let pid = begun(&machine);
    install(&machine, &next_deb());
    assert!(alive(&machine, &pid), "the upgrade ended the step");
    assert_ne!(machine.property("mastmaintd", "MainPID"), daemon, "the upgrade left the old daemon running");
    let version = machine.sh("dpkg-query -W -f '${Version}' mastmaintd").ok();
    assert_eq!(version, "99.0.0-1");
    went_on(&machine);
}

pub(crate) fn a_power_cut_is_told_as_interrupted(debian: Debian) {
    let mut machine = maintained(debian, JOBS, WEATHER);
    begun(&machine);
    // What the step's start wrote is durable by then; nothing else is promised.
    machine.power_cut();
    machine.power_on();
    let run = ended_run(&machine, "long");
    assert_eq!(run["outcome"], "interrupted", "{run}");
    assert_eq!(calls(&machine).len(), 1, "the step ran again after the power cut");
}

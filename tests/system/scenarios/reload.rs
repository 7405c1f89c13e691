//! SIGHUP and `systemctl reload`: a good file is taken, a bad one changes nothing and is told everywhere.

use crate::{
    host::{configure, ctl, maintained},
    image::Debian,
    machine::Machine,
};
use std::time::Duration;

const ONE: &str = "  one:\n    schedule: '30 0 * * *'\n    steps: [{tootctl: cache clear}]\n";
const TWO: &str = "  two:\n    schedule: '30 1 * * *'\n    steps: [{tootctl: cache clear}]\n";
const BAD: &str = "  one:\n    schedule: '61 0 * * *'\n    steps: [{tootctl: cache clear}]\n";

fn knows(machine: &Machine, job: &str) -> bool {
    ctl(machine, "jobs --json").ok().contains(&format!("\"{job}\""))
}

pub(crate) fn a_bad_config_changes_nothing(debian: Debian) {
    let machine = maintained(debian, ONE, "");
    assert!(knows(&machine, "one"));

    configure(&machine, &format!("{ONE}{TWO}"));
    machine.sh("systemctl reload mastmaintd").ok();
    assert!(knows(&machine, "two"));

    configure(&machine, BAD);
    let refused = machine.sh("systemctl reload mastmaintd");
    assert_ne!(refused.status, 0, "systemd called a refused reload a success");
    assert_eq!(machine.property("mastmaintd", "ActiveState"), "active");
    assert!(knows(&machine, "one") && knows(&machine, "two"), "the bad file took something away");
    let status = machine.property("mastmaintd", "StatusText");
    assert!(status.contains("configuration refused"), "{status}");
    let page: serde_json::Value = serde_json::from_str(&ctl(&machine, "status --json").out).unwrap();
    assert!(page["config"]["refused"].to_string().contains("mastmaintd.yaml:"), "{page}");
    let said = machine.journal("-u mastmaintd -p err");
    let names_it = |m: &str| m.contains("/etc/mastmaintd/mastmaintd.yaml:");
    assert!(said.iter().any(|e| e["MESSAGE"].as_str().is_some_and(names_it)), "{said:?}");
    assert_eq!(ctl(&machine, "check").status, 78);

    configure(&machine, TWO);
    machine.sh("systemctl kill --kill-whom=main -s HUP mastmaintd").ok();
    machine.until("SIGHUP is obeyed", Duration::from_mins(1), |m| (!knows(m, "one")).then_some(()));

    // A daemon that starts on a bad file says so by 78, and systemd does not try it again.
    configure(&machine, BAD);
    assert_ne!(machine.sh("systemctl restart mastmaintd").status, 0);
    assert_eq!(machine.property("mastmaintd", "ExecMainStatus"), "78");
    assert_eq!(machine.property("mastmaintd", "ActiveState"), "failed");
    assert_eq!(machine.property("mastmaintd", "NRestarts"), "0");
}

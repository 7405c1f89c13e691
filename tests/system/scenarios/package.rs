//! The package: what it installs, how tight its units are, what it leaves.

use crate::{
    host::{configure, deb, from_env, install, mastodon},
    image::Debian,
    machine::Machine,
};
use std::{path::Path, process::Command, time::Duration};

const ROOMS: [&str; 13] = [
    "tootctl",
    "systemctl",
    "run",
    "verify",
    "remote",
    "restore",
    "fetch",
    "drill",
    "database",
    "boot",
    "probe",
    "change",
    "notify",
];

/// Scores of the design: `systemd-analyze security --offline=true` says at most this.
const SCORES: [(&str, f64); 17] = [
    ("mastmaintd-change@.service", 2.0),
    ("mastmaintd-remote@.service", 1.4),
    ("mastmaintd-fetch@.service", 1.4),
    ("mastmaintd-restore@.service", 1.2),
    ("mastmaintd-resume.service", 2.5),
    ("mastmaintd-probe@.service", 1.4),
    ("mastmaintd-recover.service", 0.8),
    ("mastmaintd-hold.service", 0.8),
    ("mastmaintd.service", 0.3),
    ("mastmaintd-tootctl@.service", 1.3),
    ("mastmaintd-systemctl@.service", 0.8),
    ("mastmaintd-run@.service", 1.0),
    ("mastmaintd-verify@.service", 0.9),
    ("mastmaintd-database@.service", 1.2),
    ("mastmaintd-drill@.service", 0.4),
    ("mastmaintd-boot@.service", 1.0),
    ("mastmaintd-notify@.service", 1.5),
];

pub(crate) fn a_fresh_install_waits_for_its_config(debian: Debian) {
    let mut machine = mastodon(debian);
    install(&machine, &deb());
    let state = |m: &Machine, unit: &str| {
        (m.sh(&format!("systemctl is-enabled {unit}")).out.trim().to_owned(), m.property(unit, "ActiveState"))
    };
    let enabled = |s: &str| ("enabled".to_owned(), s.to_owned());
    for _boot in 0..2 {
        for room in ROOMS {
            assert_eq!(state(&machine, &format!("mastmaintd-{room}.socket")), enabled("active"), "{room}");
            let stat = machine.sh(&format!("stat -c '%U:%G %a' /run/mastmaintd-rooms/{room}.sock")).ok();
            // These hear the verify room only, and the restore room.
            let is_for_rooms = ["drill", "boot", "database", "fetch"].contains(&room);
            let expected = if is_for_rooms { "root:root 600" } else { "root:mastmaintd 660" };
            assert_eq!(stat.trim(), expected, "{room}");
        }
        assert_eq!(state(&machine, "mastmaintd.service"), enabled("inactive"));
        let said = machine.journal("-u mastmaintd");
        let hint = "is still as shipped";
        assert!(said.iter().any(|e| e["MESSAGE"].as_str().is_some_and(|m| m.contains(hint))), "{said:?}");
        machine.reboot();
    }
    let stat = |path: &str| machine.sh(&format!("stat -c '%U:%G %a' {path}")).ok().trim().to_owned();
    assert_eq!(stat("/etc/mastmaintd/mastmaintd.yaml"), "root:mastmaintd 640");
    assert_eq!(stat("/var/lib/mastmaintd-accepted/daemon"), "root:mastmaintd 2750");
    assert_eq!(stat("/var/lib/mastmaintd-accepted/tootctl"), "root:mastmaintd-tootctl 2750");
    assert_eq!(stat("/var/lib/mastmaintd-accepted/systemctl"), "root:root 2750");
    assert_eq!(stat("/var/lib/mastmaintd-accepted/run"), "root:mastmaintd-run 2750");
    assert_eq!(stat("/var/lib/mastmaintd-accepted/verify"), "root:root 2750");
    assert_eq!(stat("/var/lib/mastmaintd-accepted/remote"), "root:mastmaintd-remote 2750");
    assert_eq!(stat("/var/lib/mastmaintd-accepted/change"), "root:mastmaintd-change 2750");
    assert_eq!(stat("/etc/mastmaintd/remote"), "root:root 700");
    assert_eq!(stat("/var/lib/mastmaintd-accepted/notify"), "root:mastmaintd-notify 2750");
    assert_eq!(state(&machine, "mastmaintd-recover.path"), enabled("active"));
    let catalog = machine.sh("journalctl --list-catalog").ok();
    assert!(catalog.contains("mastmaintd"), "{catalog}");
}

pub(crate) fn purge_leaves_nothing(debian: Debian) {
    let machine = mastodon(debian);
    // Index and hash files that any package's installation touches.
    let list = "find / -xdev \\( -path /proc -o -path /sys -o -path /run/systemd -o -path /var/log \
                -o -path /var/cache -o -path /var/lib/dpkg -o -path /tmp -o -path /var/tmp \
                -o -path /home/mastodon/live/log \\) -prune -o -print; ls -d /run/mastmaintd*";
    let before = machine.sh(list).out;
    install(&machine, &deb());
    configure(
        &machine,
        "  nightly:\n    schedule: '30 0 * * *'\n    steps: [{tootctl: media remove --days 14}]\n",
    );
    // Whether it starts is shown elsewhere; what it makes has to go.
    drop(machine.sh("systemctl start mastmaintd"));
    machine
        .write("/etc/systemd/system/mastmaintd-tootctl@.service.d/50-mastmaintd-rooms.conf", "[Service]\n");
    machine.sh("dpkg --purge mastmaintd").ok();
    let after = machine.sh(list).out;
    let left: Vec<&str> = after.lines().filter(|l| !before.lines().any(|b| b == *l)).collect();
    let unexpected: Vec<_> = left.iter().filter(|l| l.contains("mastmaint")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    // What is not-found has no file any more: systemd's memory of a name, which it tidies up when it likes.
    let units = "systemctl list-units --all --no-legend --plain 'mastmaintd*' | grep -v not-found; \
                 systemctl list-unit-files --no-legend 'mastmaintd*'";
    machine.until("systemd knows no unit of ours", Duration::from_mins(1), |m| {
        m.sh(units).out.trim().is_empty().then_some(())
    });
    // Nothing keeps the package from being installed again.
    install(&machine, &deb());
    assert_eq!(machine.property("mastmaintd-tootctl.socket", "ActiveState"), "active");
}

pub(crate) fn units_are_as_tight_as_designed(debian: Debian) {
    let machine = mastodon(debian);
    install(&machine, &deb());
    for (unit, most) in SCORES {
        as_tight_as(&machine, unit, most);
    }
    let rooms = ROOMS.map(|room| format!("mastmaintd-{room}.socket mastmaintd-{room}@1.service")).join(" ");
    let done = machine.sh(&format!("systemd-analyze verify --man=no mastmaintd.service mastmaintd-recover.service mastmaintd-recover.path mastmaintd-resume.service mastmaintd-hold.service {rooms}"));
    let ours: Vec<_> = done.err.lines().filter(|l| l.contains("mastmaint")).collect();
    assert!(done.status == 0 && ours.is_empty(), "{}{}", done.out, done.err);
}

/// A unit's exposure, with its drop-ins, is at most this.
pub(crate) fn as_tight_as(machine: &Machine, unit: &str, most: f64) {
    let text = machine.sh(&format!("systemd-analyze security --offline=true --no-pager {unit}")).ok();
    let line = text.lines().find(|l| l.contains("Overall exposure level")).unwrap();
    let score: f64 = line.rsplit_once(": ").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
    assert!(score <= most, "{unit}: {score}, at most {most}\n{text}");
}

/// Neither the mechanism nor the name of one of the places.
pub(crate) fn nothing_shipped_can_be_told_to_die(debian: Debian) {
    let machine = mastodon(debian);
    install(&machine, &deb());
    let programs = "/usr/bin/mastmaintd /usr/bin/mastmaintctl /usr/lib/mastmaintd/mastmaint-runner \
                    /usr/lib/mastmaintd/mastmaintd-recover /usr/lib/mastmaintd/mastmaint-restore \
                    /usr/lib/mastmaintd/mastmaint-database";
    let found =
        machine.sh(&format!("grep -laE 'mastmaint-failpoints|open\\.recorded|close\\.noted' {programs}"));
    assert_eq!((found.status, found.out.as_str()), (1, ""), "{}", found.err);
    // The control: in what the kill matrix puts in their place they are.
    for program in
        ["mastmaintd", "mastmaint-runner", "mastmaintd-recover", "mastmaint-restore", "mastmaint-database"]
    {
        let deadly = std::fs::read(from_env("MASTMAINT_DEADLY").join(program)).unwrap();
        assert!(deadly.windows(20).any(|bytes| bytes == b"mastmaint-failpoints"), "{program}");
    }
}

pub(crate) fn lintian_has_nothing_to_say(debian: Debian) {
    // The host's lintian; once is enough.
    if debian == Debian::Bookworm {
        let done = Command::new("lintian")
            .args(["--allow-root", "--fail-on", "error,warning"])
            .arg(Path::new(&deb()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success() && said.is_empty(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    }
}

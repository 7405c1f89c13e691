//! The walls of the rooms: what gets out of which, and what happens if one cannot be opened.

use crate::{
    host::{ctl, ended_run, maintained},
    image::Debian,
};

const PAGE: &str = "[Unit]\n[Socket]\nListenStream=203.0.113.5:80\nFreeBind=yes\nAccept=yes\n";
const ANSWER: &str = "[Service]\nStandardInput=socket\nStandardOutput=socket\n\
    ExecStart=/bin/sh -c 'read -r line; printf \"HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n\"'\n";

pub(crate) fn tootctl_reaches_other_servers_and_run_does_not(debian: Debian) {
    let jobs = "  fetch:\n    steps: [{tootctl: cache clear}]\n  \
                walled:\n    steps: [{run: [/bin/bash, -c, 'exec 3<>/dev/tcp/203.0.113.5/80']}]\n";
    let weather = "weather:\n  cache clear: {fetch: 'http://203.0.113.5/'}\n";
    let machine = maintained(debian, jobs, weather);
    machine.write("/etc/systemd/system/page.socket", PAGE);
    machine.write("/etc/systemd/system/page@.service", ANSWER);
    machine
        .sh("ip addr add 203.0.113.5/32 dev lo && systemctl daemon-reload && systemctl start page.socket")
        .ok();
    ctl(&machine, "run fetch --follow").ok();
    assert_eq!(machine.property("page.socket", "NAccepted"), "1");
    assert_eq!(ctl(&machine, "run walled --follow").status, 1);
    assert_eq!(machine.property("page.socket", "NAccepted"), "1", "the run room has a network");
}

pub(crate) fn a_masked_room_fails_its_step_only(debian: Debian) {
    let jobs = "  walled:\n    steps: [{run: [/bin/true]}]\n  open:\n    steps: [{systemctl: status mastodon-web}]\n";
    let machine = maintained(debian, jobs, "");
    machine.sh("systemctl mask --now mastmaintd-run.socket").ok();
    assert_eq!(ctl(&machine, "run walled --follow").status, 1);
    let run = ended_run(&machine, "walled");
    let reason = run["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("mastmaintd-run.socket"), "{run}");
    ctl(&machine, "run open --follow").ok();
    assert_eq!(machine.property("mastmaintd", "ActiveState"), "active");
}

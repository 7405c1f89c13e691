//! The walls of the rooms: what gets out of which, and what happens if one cannot be opened.

use super::package::as_tight_as;
use crate::{
    host::{ctl, ended_run, maintained, within},
    image::Debian,
};
use std::{
    io::{BufRead as _, BufReader},
    time::{Duration, Instant},
};

const PAGE: &str = "[Unit]\n[Socket]\nListenStream=203.0.113.5:80\nFreeBind=yes\nAccept=yes\n";
const ANSWER: &str =
    "[Service]\nStandardInput=socket\nStandardOutput=socket\nExecStart=/usr/local/bin/page\n";
/// Reads the request up to its empty line: a server that closes before that resets the connection.
const SERVER: &str = "#!/bin/sh\nsed -n '/^.$/q'\nprintf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n'\n";

pub(crate) fn tootctl_reaches_other_servers_and_run_does_not(debian: Debian) {
    let jobs = "  fetch:\n    steps: [{tootctl: cache clear}]\n  \
                walled:\n    steps: [{run: [/bin/bash, -c, 'exec 3<>/dev/tcp/203.0.113.5/80']}]\n";
    let weather = "weather:\n  cache clear: {fetch: 'http://203.0.113.5/'}\n";
    let machine = maintained(debian, jobs, weather);
    machine.write("/etc/systemd/system/page.socket", PAGE);
    machine.write("/etc/systemd/system/page@.service", ANSWER);
    machine.write("/usr/local/bin/page", SERVER);
    machine
        .sh("chmod 755 /usr/local/bin/page && ip addr add 203.0.113.5/32 dev lo && systemctl daemon-reload && systemctl start page.socket")
        .ok();
    ctl(&machine, "run fetch --follow").ok();
    assert_eq!(machine.property("page.socket", "NAccepted"), "1");
    assert_eq!(ctl(&machine, "run walled --follow").status, 1);
    assert_eq!(machine.property("page.socket", "NAccepted"), "1", "the run room has a network");
}

pub(crate) fn a_room_that_is_shut_fails_its_step_and_says_how_to_open_it(debian: Debian) {
    let jobs = "  walled:\n    steps: [{run: [/bin/true]}]\n  open:\n    steps: [{systemctl: status mastodon-web}]\n";
    let machine = maintained(debian, jobs, "");
    let shut = [
        "systemctl stop mastmaintd-run.socket",
        "systemctl mask --now mastmaintd-run.socket",
        "systemctl mask mastmaintd-run@.service",
    ];
    for how in shut {
        machine.sh(how).ok();
        assert_eq!(ctl(&machine, "run walled --follow").status, 1, "{how}");
        let run = ended_run(&machine, "walled");
        let reason = run["reason"].as_str().unwrap_or_default();
        assert!(reason.contains("the run room cannot be opened"), "{how}: {run}");
        // The others work.
        ctl(&machine, "run open --follow").ok();
        // What it advises helps.
        let (_, remedy) = reason.split_once("try: ").unwrap_or_else(|| panic!("no remedy: {run}"));
        machine.sh(remedy).ok();
        ctl(&machine, "run walled --follow").ok();
    }
}

pub(crate) fn a_stalled_journal_delays_no_step(debian: Debian) {
    let jobs = "  chatty:\n    steps: [{tootctl: cache clear}, {tootctl: media remove}, {run: [/usr/bin/seq, '5000']}]\n";
    let weather = "speed: 100\nweather:\n  cache clear: {print-lines: 50000}\n";
    let machine = maintained(debian, jobs, weather);
    let journald = machine.property("systemd-journald", "MainPID");
    for _ in 0..4 {
        // More than its socket and our queue hold.
        machine
            .sh(&format!("kill -STOP {journald}; timeout 40 mastmaintctl run chatty --follow >/dev/null"))
            .ok();
        ctl(&machine, "status --json").ok();
    }
    let state = machine.sh(&format!("ps -o state= -p {journald}")).out;
    assert_eq!(state.trim(), "T", "journald was not stalled at all");
    machine.sh(&format!("kill -CONT {journald}")).ok();
    let history: serde_json::Value =
        serde_json::from_str(&ctl(&machine, "history chatty --json").ok()).unwrap();
    let outcomes: Vec<_> = history["runs"].as_array().unwrap().iter().map(|r| &r["outcome"]).collect();
    assert_eq!(outcomes, ["ok"; 4]);
    assert_eq!(machine.property("mastmaintd", "NRestarts"), "0");
}

pub(crate) fn a_mastodon_of_another_user_elsewhere_gets_a_room_that_fits(debian: Debian) {
    let machine = maintained(debian, "  clear:\n    steps: [{tootctl: cache clear}]\n", "");
    // Another user, in a home of its own: the shipped room would run tootctl as somebody else.
    machine
        .sh("useradd --create-home --shell /bin/bash masto && cp -a /home/mastodon/live /home/masto/ \
             && chown -R masto: /home/masto && chmod 755 /home/masto \
             && sed -i 's,/home/mastodon/live,/home/masto/live,; s,user: mastodon,user: masto,' \
             /etc/mastmaintd/mastmaintd.yaml && systemctl reload mastmaintd")
        .ok();
    assert_eq!(ctl(&machine, "run clear --follow").status, 1);
    let reason = ended_run(&machine, "clear")["reason"].to_string();
    assert!(reason.contains("mastmaintctl rooms --apply"), "{reason}");
    assert_eq!(ctl(&machine, "rooms").status, 1);

    ctl(&machine, "rooms --apply").ok();
    ctl(&machine, "rooms").ok();
    ctl(&machine, "run clear --follow").ok();
    let owner = machine.sh("stat -c %U /home/masto/live/log/standin-calls.jsonl").ok();
    assert_eq!(owner.trim(), "masto");
    as_tight_as(&machine, "mastmaintd-tootctl@.service", 1.3);
    let (status, said) = within(&machine, "tootctl", TRIES_IN_MASTO);
    assert_eq!((status.as_str(), said.trim()), ("0", "wrote masto"));

    // Back again: what is no longer needed goes.
    machine
        .sh("sed -i 's,/home/masto/live,/home/mastodon/live,; s,user: masto$,user: mastodon,' \
             /etc/mastmaintd/mastmaintd.yaml && systemctl reload mastmaintd && mastmaintctl rooms --apply")
        .ok();
    ctl(&machine, "run clear --follow").ok();
    assert!(!machine.root().join("etc/systemd/system/mastmaintd-tootctl@.service.d").exists());
}

const TRIES_IN_MASTO: &str = "/bin/sh -c 'cd /home/masto/live && touch tmp/x public/system/x && echo wrote $(id -un); \
     ! touch app.rb 2>/dev/null && ! ls /home/mastodon 2>/dev/null'";

/// The figures are those of `cargo xtask bench`; here a room only has to answer while somebody still waits.
pub(crate) fn rooms_open_in_no_time(debian: Debian) {
    let machine = maintained(debian, "  one:\n    steps: [{run: [/bin/true]}]\n", "");
    let mut took: Vec<Duration> = (0..60)
        .map(|_| {
            let begin = Instant::now();
            let stream = machine.connect("/run/mastmaintd-rooms/tootctl.sock");
            let mut hello = String::new();
            BufReader::new(stream).read_line(&mut hello).unwrap();
            assert!(hello.contains(r#""event":"hello""#), "{hello}");
            begin.elapsed()
        })
        .collect();
    took.sort();
    eprintln!("{}: connect to first line of the tootctl room, sorted: {took:?}", debian.suite());
    assert!(took[30] < Duration::from_secs(1), "{took:?}");
}

pub(crate) fn walls_hold(debian: Debian) {
    let machine = maintained(debian, "  one:\n    steps: [{tootctl: cache clear}]\n", "");
    let web = || machine.property("mastodon-web", "ActiveState");
    // Root without a capability: systemd obeys it, nothing but systemctl can be run.
    assert_eq!(within(&machine, "systemctl", "/usr/bin/systemctl stop mastodon-web").0, "0");
    assert_eq!(web(), "inactive");
    assert_eq!(within(&machine, "systemctl", "/usr/bin/systemctl start mastodon-web").0, "0");
    assert_eq!(web(), "active");
    for escape in ["/usr/bin/systemd-run --wait touch /root/escaped", "/bin/sh -c 'touch /root/escaped'"] {
        assert_eq!(within(&machine, "systemctl", escape).0, "203", "{escape}");
    }
    assert!(!machine.root().join("root/escaped").exists());
    // The control: outside of the room the same command does it.
    machine.sh("systemd-run --quiet --wait touch /root/escaped").ok();
    assert!(machine.root().join("root/escaped").exists());

    // tootctl writes media, logs and tmp; not the code, not the configuration, and it sees no other home.
    let tries = "/bin/sh -c 'cd /home/mastodon/live; touch tmp/x log/x public/system/x && echo wrote; \
                 for f in x bin/tootctl .env.production /etc/x /var/lib/mastmaintd-accepted/tootctl/x; do \
                 touch $f 2>/dev/null && echo touched $f; done; ls -A /home /root 2>/dev/null; id -un; umask; \
                 stat -c %%U tmp/x; grep -E CapEff /proc/self/status'";
    let (_, said) = within(&machine, "tootctl", tries);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words.starts_with(&["wrote"]) && !said.contains("touched"), "{said}");
    assert!(said.contains("/home:\nmastodon\n") && said.contains("CapEff:\t0000000000000000"), "{said}");
    assert!(said.contains("mastodon\n0022\nmastodon\n"), "{said}");

    let tries = "/bin/sh -c 'touch /var/lib/mastmaintd-run/x && echo wrote; ls -A /home/mastodon 2>/dev/null; \
                 cat /etc/mastmaintd/mastmaintd.yaml 2>/dev/null; id -un; ls /sys/class/net'";
    let (_, said) = within(&machine, "run", tries);
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["wrote", "mastmaintd-run", "lo"]);
}

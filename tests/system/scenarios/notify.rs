//! People are told from within the walls of the notify room.

use crate::{
    answering::{all_are, answering},
    host::{ctl, maintained, step_pid, within},
    image::Debian,
    machine::Machine,
};
use std::time::Duration;

/// A mail server of three lines: it keeps what it is sent.
const SERVER: &str = "#!/bin/bash\nsay() { printf '%s\\r\\n' \"$1\"; }\nsay '220 test'\nwhile read -r line; do\n\
     case \"${line^^}\" in\n\
     DATA*) say '354 go on'; while read -r line; do [ \"${line%$'\\r'}\" = . ] && break; \
     echo \"${line%$'\\r'}\" >>/var/lib/mails; done; say '250 queued' ;;\n\
     QUIT*) say '221 bye'; exit ;;\n*) say '250 ok' ;;\nesac\ndone\n";
const SOCKET: &str = "[Socket]\nListenStream=127.0.0.1:25\nAccept=yes\n";
const SERVICE: &str =
    "[Service]\nStandardInput=socket\nStandardOutput=socket\nExecStart=/usr/local/bin/mail-server\n";

pub(crate) fn mail_server(machine: &Machine) {
    // A minimal image has no such line; the daemon's rooms read it when they are asked to send.
    machine.write("/etc/hosts", "127.0.0.1 localhost\n");
    machine.write("/etc/systemd/system/mail.socket", SOCKET);
    machine.write("/etc/systemd/system/mail@.service", SERVICE);
    machine.write("/usr/local/bin/mail-server", SERVER);
    machine
        .sh("chmod 755 /usr/local/bin/mail-server && systemctl daemon-reload && systemctl start mail.socket")
        .ok();
}

/// What it was sent.
pub(crate) fn mails(machine: &Machine) -> String {
    machine.sh("cat /var/lib/mails 2>/dev/null || true").ok()
}

pub(crate) fn what_is_started_while_the_daemon_is_away_is_mailed(debian: Debian) {
    let jobs = "  long:\n    with_services_stopped: true\n    steps: [{tootctl: statuses remove --days 90}]\n\
                notify:\n  - {mail: root}\n";
    let weather = "speed: 100\nweather:\n  statuses remove: {sleep: 5s}\n";
    let machine = answering(debian, jobs, weather);
    mail_server(&machine);
    ctl(&machine, "run long").ok();
    step_pid(&machine);
    machine.sh("systemctl stop mastmaintd").ok();
    all_are(&machine, "active");
    let wait = Duration::from_mins(2);
    machine.until("it was mailed", wait, |m| {
        let mails = m.sh("cat /var/lib/mails 2>/dev/null || true").ok();
        mails.contains("long was cut off, Mastodon was started again").then_some(())
    });
    machine.until("mastmaintd-recover has nothing more to do", wait, |m| {
        (m.property("mastmaintd-recover", "ActiveState") == "inactive").then_some(())
    });
}

pub(crate) fn a_failure_is_mailed_once_and_a_failing_mail_server_fails_no_job(debian: Debian) {
    let jobs = "  work:\n    steps: [{run: [/usr/bin/test, -e, /var/lib/mastmaintd-run/well]}]\n\
                notify:\n  - {mail: root}\n  - {webhook: 'http://127.0.0.1:1/s3cr3t', on: [failed]}\n";
    let machine = maintained(debian, jobs, "");
    let status =
        || -> serde_json::Value { serde_json::from_str(&ctl(&machine, "status --json").out).unwrap() };
    let wait = Duration::from_mins(2);
    // Nobody listens on port 25 yet.
    assert_eq!(ctl(&machine, "run work --follow").status, 1);
    machine.until("both targets are seen to fail", wait, |_| {
        let status = status();
        let failing = |n: usize| status["notify"][n]["failing"].is_string().then_some(());
        failing(0).and(failing(1))
    });
    assert!(machine.property("mastmaintd", "StatusText").contains("cannot notify: "));
    assert_eq!(ctl(&machine, "run work --follow").status, 1, "the job goes on as before");

    mail_server(&machine);
    machine.sh("systemctl restart mastmaintd").ok();
    let mails = || machine.sh("cat /var/lib/mails 2>/dev/null || true").ok();
    machine.until("the mail that waited has come", wait, |_| mails().contains("work failed: ").then_some(()));
    for _ in 0..3 {
        assert_eq!(ctl(&machine, "run work --follow").status, 1);
    }
    machine.sh("touch /var/lib/mastmaintd-run/well && chmod 644 /var/lib/mastmaintd-run/well").ok();
    ctl(&machine, "run work --follow").ok();
    machine.until("the end of it is told", wait, |_| mails().contains("work is well again").then_some(()));
    let subjects: Vec<String> =
        mails().lines().filter(|line| line.starts_with("Subject: ")).map(str::to_owned).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    let test = ctl(&machine, "notify test --target 1").ok();
    assert!(test.contains("1 mail: ok: 250"), "{test}");
    let journal = machine.sh("journalctl -u mastmaintd -o cat").ok();
    assert_eq!(
        journal.matches("cannot notify target 2 (webhook)").count(),
        2,
        "once for each daemon: {journal}"
    );
    assert!(!journal.contains("s3cr3t"), "{journal}");

    // The room sees its own part of the configuration and nothing else.
    let tries = "/bin/sh -c 'cat /var/lib/mastmaintd-accepted/notify/*.json >/dev/null && echo read; \
                 for d in daemon tootctl run; do cat /var/lib/mastmaintd-accepted/$d/*.json 2>/dev/null; done; \
                 cat /etc/mastmaintd/mastmaintd.yaml 2>/dev/null; ls -A /home/mastodon 2>/dev/null; \
                 touch /var/lib/x /etc/x /var/tmp/x 2>/dev/null; id -un; grep CapEff /proc/self/status'";
    let (_, said) = within(&machine, "notify", tries);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words, ["read", "mastmaintd-notify", "CapEff:", "0000000000000000"], "{said}");
    let (_, said) = within(&machine, "run", "/bin/sh -c 'cat /var/lib/mastmaintd-accepted/notify/*.json'");
    assert!(!said.contains("s3cr3t"), "{said}");
}

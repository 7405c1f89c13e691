//! What a job requires is seen from behind the walls: units, processes of others, room below /home, services.

use crate::{
    answering::answering,
    host::{calls, ctl, ended_run},
    image::Debian,
    machine::Machine,
};

const JOBS: &str = "  work:
    requires:
      unit_active: [mastodon-web, systemd-journald]
      not_running: [pg_dump, rsnapshot]
      free:
        - {path: /home, at_least: 1 MB}
        - {path: /home/mastodon/live/public/system, at_least: 1 MB}
        - {path: /var/lib, at_least: 1 MB}
      load: {below: 100000}
      probe: [web, streaming, sidekiq]
    steps: [{tootctl: cache clear}]
  huge:
    requires: {free: [{path: /home, at_least: 900000 TB}, {path: /home/mastodon/live, at_least: 900000 TB}]}
    steps: [{tootctl: cache clear}]
";

/// What is said of a run by hand that does not come to be.
fn in_the_way(machine: &Machine, job: &str, status: i32) -> String {
    let done = ctl(machine, &format!("run {job}"));
    assert_eq!(done.status, status, "{}{}", done.out, done.err);
    let run = ended_run(machine, job);
    assert_eq!(run["outcome"], if status == 0 { "skipped" } else { "failed" }, "{run}");
    done.err
}

pub(crate) fn nothing_begins_while_something_is_in_its_way(debian: Debian) {
    let machine = answering(debian, JOBS, "speed: 100\n");
    machine.sh("systemctl stop mastodon-web").ok();
    let said = in_the_way(&machine, "work", 0);
    assert!(said.contains("mastodon-web.service is inactive"), "{said}");
    machine.sh("systemctl start mastodon-web").ok();

    // Of another user than the room, by its own name; and as a script of root.
    machine
        .sh("cp /usr/bin/sleep /usr/local/bin/pg_dump && \
             systemd-run --quiet --unit=dump --uid=mastodon /usr/local/bin/pg_dump 600")
        .ok();
    let said = in_the_way(&machine, "work", 0);
    assert!(said.contains("pg_dump is running"), "{said}");
    machine.sh("systemctl stop dump").ok();
    machine.write("/usr/local/bin/rsnapshot", "#!/bin/sh\nwhile :; do sleep 1; done\n");
    machine
        .sh("chmod 755 /usr/local/bin/rsnapshot && systemd-run --quiet --unit=backup /usr/local/bin/rsnapshot daily")
        .ok();
    let said = in_the_way(&machine, "work", 0);
    assert!(said.contains("rsnapshot is running"), "{said}");
    machine.sh("systemctl stop backup mastodon-sidekiq").ok();

    let said = in_the_way(&machine, "work", 0);
    assert!(said.contains("mastodon-sidekiq.service is inactive"), "{said}");
    machine.sh("systemctl start mastodon-sidekiq").ok();

    // What is free is read from the file system itself and not from what the sandbox puts in its place.
    let said = in_the_way(&machine, "huge", 0);
    let shown = machine.sh("df --output=size -B1 /home | tail -n 1").ok();
    assert!(said.contains(" free in /home, ") && said.contains(" free in /home/mastodon/live, "), "{said}");
    assert!(!said.contains("0 bytes free") && shown.trim().parse::<u64>().unwrap() > 0, "{said}");

    // What nobody can look at is not taken for granted.
    machine.sh("systemctl stop mastmaintd-probe.socket").ok();
    let said = in_the_way(&machine, "work", 1);
    assert!(said.contains("the probe room cannot be opened"), "{said}");
    machine.sh("systemctl start mastmaintd-probe.socket").ok();
    assert_eq!(calls(&machine).len(), 0, "something ran");

    let done = ctl(&machine, "run work --follow");
    assert_eq!(done.status, 0, "{}{}", done.out, done.err);
    assert_eq!(ended_run(&machine, "work")["outcome"], "ok");
    assert_eq!(calls(&machine).len(), 1);
}

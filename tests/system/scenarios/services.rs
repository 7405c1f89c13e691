//! The systemctl room: root without a capability, and only for the units that the config names.

use crate::{
    host::{configure, ctl, ended_run, maintained, say_to_room},
    image::Debian,
};

pub(crate) fn units_are_stopped_and_started(debian: Debian) {
    let jobs = "  pause-web:\n    steps: [{systemctl: stop mastodon-web mastodon-streaming}]\n  \
                unpause-web:\n    steps: [{systemctl: start mastodon-web mastodon-streaming}]\n  \
                again:\n    steps: [{systemctl: restart mastodon-web}]\n";
    let machine = maintained(debian, jobs, "");
    let state = |unit: &str| machine.property(unit, "ActiveState");
    ctl(&machine, "run pause-web --follow").ok();
    assert_eq!((state("mastodon-web").as_str(), state("mastodon-sidekiq").as_str()), ("inactive", "active"));
    ctl(&machine, "run unpause-web --follow").ok();
    assert_eq!((state("mastodon-web").as_str(), state("mastodon-streaming").as_str()), ("active", "active"));

    // A unit that systemd would not start a second time within the hour is restarted as often as it is asked for.
    let limit = "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=1\n";
    machine.write("/etc/systemd/system/mastodon-web.service.d/limit.conf", limit);
    machine.sh("systemctl daemon-reload").ok();
    for _ in 0..2 {
        ctl(&machine, "run again --follow").ok();
    }
    assert_eq!(state("mastodon-web"), "active");
}

pub(crate) fn a_unit_that_the_config_does_not_name_is_refused(debian: Debian) {
    let good = "  ok:\n    steps: [{systemctl: status mastodon-web}]\n";
    let machine = maintained(debian, good, "");
    // In the config: it is refused as a whole, the good one stays.
    configure(&machine, &format!("{good}  bad:\n    steps: [{{systemctl: stop dbus}}]\n"));
    let refused = machine.sh("systemctl reload mastmaintd");
    assert_ne!(refused.status, 0);
    ctl(&machine, "run ok --follow").ok();
    // Past the config and past the daemon: a step that no accepted configuration has.
    let digest = machine.sh("ls /var/lib/mastmaintd-accepted/systemctl").ok();
    let digest = digest.lines().next().unwrap().split('.').next().unwrap().to_owned();
    let ask = |digest: &str, job: &str, step: u16| {
        let line = format!(
            r#"{{"v":1,"op":"start","digest":"{digest}","job":"{job}","key":{{"run":"20261123T003000Z-7k3f9q","step":{step}}}}}"#
        );
        let answers = say_to_room(&machine, "systemctl", format!("{line}\n").as_bytes());
        assert_eq!(answers[0]["event"], "hello", "{answers:?}");
        answers[1].clone()
    };
    for (digest, job, step) in [(digest.as_str(), "bad", 0), (&digest, "ok", 1), (&"0".repeat(32), "ok", 0)] {
        let answer = ask(digest, job, step);
        assert_eq!((&answer["event"], &answer["code"]), (&"refused".into(), &"not-in-config".into()));
    }
    let rubbish = say_to_room(&machine, "systemctl", b"systemctl stop dbus\n");
    assert_eq!(rubbish[1]["code"], "bad-request", "{rubbish:?}");
    // Nobody but the daemon may knock, and the daemon cannot accept a configuration in the room's place.
    let door = "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Peer=>\"/run/mastmaintd-rooms/systemctl.sock\") or exit 13'";
    assert_eq!(machine.sh(&format!("runuser -u mastodon -- {door}")).status, 13);
    assert_eq!(machine.sh(&format!("runuser -u mastmaintd -- {door}")).status, 0);
    let write = "runuser -u mastmaintd -- touch /var/lib/mastmaintd-accepted/systemctl/x /var/lib/mastmaintd-accepted/daemon/x";
    assert_ne!(machine.sh(write).status, 0);
    assert_eq!(machine.property("dbus", "ActiveState"), "active");
}

pub(crate) fn only_trustworthy_instances_of_a_template_are_touched(debian: Debian) {
    let jobs = "  real:\n    steps: [{systemctl: stop mastodon-streaming@4000}]\n  \
                forged:\n    steps: [{systemctl: stop mastodon-streaming@5000}]\n";
    let machine = maintained(debian, jobs, "");
    machine.sh("systemctl start mastodon-streaming@4000").ok();
    // A transient unit may take the name of an instance: its file is not one that root wrote.
    machine
        .sh("mv /etc/systemd/system/mastodon-streaming@.service /root/ && systemctl daemon-reload \
             && systemd-run --unit=mastodon-streaming@5000 sleep infinity \
             && mv /root/mastodon-streaming@.service /etc/systemd/system/ && systemctl daemon-reload")
        .ok();
    ctl(&machine, "run real --follow").ok();
    assert_eq!(machine.property("mastodon-streaming@4000", "ActiveState"), "inactive");
    assert_eq!(ctl(&machine, "run forged --follow").status, 1);
    let run = ended_run(&machine, "forged");
    assert!(run["reason"].as_str().is_some_and(|r| r.contains("left alone")), "{run}");
    assert_eq!(machine.property("mastodon-streaming@5000", "ActiveState"), "active");
}

//! The systemctl room: root without a capability, and only for the units that the config names.

use crate::{
    host::{configure, ctl, maintained},
    image::Debian,
};

pub(crate) fn units_are_stopped_and_started(debian: Debian) {
    let jobs = "  pause-web:\n    steps: [{systemctl: stop mastodon-web mastodon-streaming}]\n  \
                unpause-web:\n    steps: [{systemctl: start mastodon-web mastodon-streaming}]\n";
    let machine = maintained(debian, jobs, "");
    let state = |unit: &str| machine.property(unit, "ActiveState");
    ctl(&machine, "run pause-web --follow").ok();
    assert_eq!((state("mastodon-web").as_str(), state("mastodon-sidekiq").as_str()), ("inactive", "active"));
    ctl(&machine, "run unpause-web --follow").ok();
    assert_eq!((state("mastodon-web").as_str(), state("mastodon-streaming").as_str()), ("active", "active"));
}

pub(crate) fn a_unit_that_the_config_does_not_name_is_refused(debian: Debian) {
    let good = "  ok:\n    steps: [{systemctl: status mastodon-web}]\n";
    let machine = maintained(debian, good, "");
    // In the config: it is refused as a whole, the good one stays.
    configure(&machine, &format!("{good}  bad:\n    steps: [{{systemctl: stop dbus}}]\n"));
    let refused = machine.sh("systemctl reload mastmaintd");
    assert_ne!(refused.status, 0);
    ctl(&machine, "run ok --follow").ok();
    // Past the config: the daemon's user asks the room for a step that no accepted configuration has.
    let ask = r#"{"v":1,"op":"start","digest":"0000000000000000000000000000000000000000000000000000000000000000","job":"bad","key":{"run":"01hf0000000000000000000000","step":0}}"#;
    machine.write("/root/ask", &format!("{ask}\n"));
    let said =
        machine.sh("apt-mark showmanual >/dev/null; runuser -u mastmaintd -- perl -MIO::Socket::UNIX -e \
         '$s=IO::Socket::UNIX->new(Peer=>\"/run/mastmaintd-rooms/systemctl.sock\") or die $!; \
         print $s $ARGV[0].\"\\n\"; $s->flush; shutdown($s,1); print while <$s>' \"$(cat /root/ask)\"");
    assert!(said.out.contains("refused"), "{}{}", said.out, said.err);
    assert_eq!(machine.property("dbus", "ActiveState"), "active");
}

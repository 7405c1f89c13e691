//! A backup that a person looks at: the boot room opened at a port of the loopback, with the release's own PostgreSQL,
//! Redis, Ruby and Bundler and a stand-in of puma. Whatever ends it, nothing of it stays.

use super::{
    boot::{self, LIVE},
    drill::is_clean,
};
use crate::{
    host::ctl,
    image::Debian,
    machine::{Done, Machine},
};
use std::time::Duration;

const PORT: &str = "3999";

/// Begins a stage that goes on while the test does, and waits until its address is printed.
fn begin(machine: &Machine, words: &str) {
    let line = format!(
        "rm -f /run/stage.*; setsid sh -c 'mastmaintctl stage database --port {PORT} {words} >/run/stage.out; \
         echo $? >/run/stage.rc' </dev/null >/dev/null 2>/run/stage.err &"
    );
    machine.sh(&line).ok();
    let address = machine.until("it is up", Duration::from_mins(3), |m| {
        let out = m.sh("cat /run/stage.out /run/stage.rc 2>/dev/null").out;
        (!out.is_empty()).then_some(out)
    });
    assert_eq!(address, format!("http://127.0.0.1:{PORT}/\n"), "{}", said(machine));
}

fn said(machine: &Machine) -> String {
    machine.sh("cat /run/stage.err").out
}

/// How it ended; nothing is left then.
fn ended(machine: &Machine) -> String {
    let status = machine.until("it has ended", Duration::from_mins(2), |m| {
        let status = m.sh("cat /run/stage.rc").out;
        (!status.is_empty()).then(|| status.trim().to_owned())
    });
    nothing_is_left(machine);
    status
}

fn nothing_is_left(machine: &Machine) {
    is_clean(machine);
    machine.until("no unit and no port is left", Duration::from_mins(1), |m| {
        let units = "systemctl list-units --all --plain --no-legend 'mastmaint-stage-*' 'mastmaintd-boot@*'";
        let left = m.sh(&format!(
            "{units}; ls -d /var/tmp/systemd-private-*-mastmaint-stage-* 2>/dev/null; ss -Hltn | grep :{PORT}"
        ));
        left.out.is_empty().then_some(())
    });
}

/// A page, as a browser on the host gets it.
fn page(machine: &Machine, path: &str) -> Done {
    let get = "r = Net::HTTP.get_response(URI(ARGV[0])); puts r.code; print r.body";
    machine.sh(&format!("ruby -rnet/http -ruri -e '{get}' http://127.0.0.1:{PORT}{path}"))
}

/// What the kernel says of the process that has let in a browser.
fn who_answers(machine: &Machine) -> String {
    let look = [
        "s = TCPSocket.new(\"127.0.0.1\", ",
        PORT,
        "); s.write(\"GET\"); 300.times { pid = `ss -Htnp state established \"sport = :",
        PORT,
        "\"`[/pid=(\\d+)/, 1]; (print File.read(\"/proc/#{pid}/status\"); exit) if pid; sleep 0.1 }; exit 1",
    ];
    machine.sh(&format!("ruby -rsocket -e '{}'", look.concat())).ok()
}

/// While a command is tried, which came on standard input, nobody on the host reads it.
fn what_is_tried_is_nobodys_business(machine: &Machine) {
    machine.write("/root/command", "echo under way; : s3same; exec sleep 1000");
    machine
        .sh("rm -f /run/stage.*; setsid sh -c 'mastmaintctl stage database --try - </root/command \
                >/run/stage.out 2>/run/stage.err; echo $? >/run/stage.rc' >/dev/null 2>&1 &")
        .ok();
    machine.until("it is tried", Duration::from_mins(3), |m| said(m).contains("under way").then_some(()));
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let lines = format!("{nobody} cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");
    let units = format!("{nobody} systemctl show 'mastmaint-stage-*' 'mastmaintd-boot@*'");
    let open = machine.sh(&format!("{lines}; {units}")).out;
    assert!(open.contains("mastmaint-verify --boots") && open.contains("ExecStart="), "{open}");
    assert!(!open.contains("s3same"), "everybody reads what is tried: {open}");
    machine.sh("pkill -INT -x mastmaintctl").ok();
    assert_eq!(ended(machine), "1", "{}", said(machine));
}

pub(crate) fn a_person_looks_at_a_backup_and_nothing_of_it_stays(debian: Debian) {
    let machine = boot::host(debian);
    machine.write(&format!("{LIVE}/app/javascript/styles/bird.scss"), "body{}");
    machine.sh("chown -R root:root /backup; chmod -R go= /backup").ok();

    // A build that fails: nothing is staged.
    let failed = ctl(
        &machine,
        "stage database --try 'rm app/javascript/styles/*; bundle exec rails assets:precompile'",
    );
    assert_eq!((failed.status, failed.out.as_str()), (1, ""), "{}", failed.err);
    assert!(failed.err.contains("SassError") && failed.err.contains("[change-failed]"), "{}", failed.err);
    nothing_is_left(&machine);

    what_is_tried_is_nobodys_business(&machine);

    begin(&machine, "--try \"bundle exec rails assets:precompile\"");
    assert!(said(&machine).contains("Mastodon 4.6.5 of mast.test from mastodon.dump"), "{}", said(&machine));
    let about = page(&machine, "/about").ok();
    assert!(about.starts_with("200\n") && about.contains("mast.test"), "{about}");
    assert_eq!(page(&machine, "/packs/bird.css").ok(), "200\n/* built */ body{}");
    let listening = machine.sh(&format!("ss -Hltn | grep :{PORT}")).ok();
    assert!(
        listening.lines().count() == 1 && listening.contains(&format!("127.0.0.1:{PORT}")),
        "{listening}"
    );
    // Who speaks with browsers is no user of this host, and may nothing.
    let answers = who_answers(&machine);
    let of = |name: &str| {
        let line = answers.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {answers}")).trim().to_owned()
    };
    let user: u32 = of("Uid:").split_whitespace().next().unwrap().parse().unwrap();
    assert!((61_184..=65_519).contains(&user), "not one of systemd's own: {answers}");
    assert!(["", &user.to_string()].contains(&of("Groups:").as_str()), "{answers}");
    assert!(["CapPrm:", "CapEff:", "CapBnd:"].iter().all(|set| of(set) == "0000000000000000"), "{answers}");
    assert_eq!(of("NoNewPrivs:"), "1");
    // One at a time: who comes second is told, and nothing happens to the first.
    let second = ctl(&machine, "stage database");
    assert_eq!(second.status, 1, "{}", second.err);
    assert!(second.err.contains("[drill-at-work]"), "{}", second.err);
    assert!(page(&machine, "/about").ok().starts_with("200\n"));
    // The room's user would like root to speak to the daemon.
    let socket = "/var/lib/mastmaintd-drill/scratch/puma.sock";
    let as_room = "setpriv --reuid=mastmaintd-drill --regid=mastmaintd-drill --clear-groups";
    machine
        .sh(&format!("mv {socket} {socket}.mine; {as_room} ln -s /run/mastmaintd/control.sock {socket}"))
        .ok();
    assert!(page(&machine, "/about").ok().starts_with("502\n"));
    machine.sh(&format!("mv {socket}.mine {socket}")).ok();
    assert!(page(&machine, "/about").ok().starts_with("200\n"));
    machine.sh("pkill -TERM -x mastmaintctl").ok();
    assert_eq!(ended(&machine), "0", "{}", said(&machine));

    begin(&machine, "--for 2s");
    assert_eq!(ended(&machine), "0", "{}", said(&machine));

    begin(&machine, "");
    machine.sh("pkill -KILL -x mastmaintctl").ok();
    nothing_is_left(&machine);

    // The room is stopped, as at a shutdown.
    begin(&machine, "");
    machine.sh("systemctl stop 'mastmaintd-boot@*'").ok();
    assert_eq!(ended(&machine), "1", "{}", said(&machine));
    assert!(said(&machine).contains("[stage-ended]"), "{}", said(&machine));
}

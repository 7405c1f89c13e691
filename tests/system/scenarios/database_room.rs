//! The database room with the release's own PostgreSQL and peer authentication: what the verify room hands it is loaded
//! beside the instance's database, and commands in a dump reach nothing.

use crate::{
    host::{configure, deb, install, mastodon, within},
    image::Debian,
    machine::Machine,
};
use std::{path::Path, time::Duration};

const RUN: &str = "20261126T200000Z-7k3f9q";
const SERVER: &str = "pg_createcluster $(ls /usr/lib/postgresql) main --start >/dev/null && cd / \
    && runuser -u postgres -- psql -qc 'CREATE ROLE mastodon LOGIN CREATEDB' \
    && as='runuser -u mastodon --' && $as createdb -T template0 -E UTF8 mastodon_production \
    && $as pg_restore --no-owner --no-privileges -d mastodon_production /root/mastodon.dump";

fn host(debian: Debian) -> Machine {
    let machine = mastodon(debian);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mastodon-pg15.dump");
    machine.put(&fixture, "/root/mastodon.dump");
    machine.sh("chmod 755 /root && chmod 644 /root/mastodon.dump").ok();
    machine.sh(SERVER).ok();
    machine.sh("chmod 700 /root && mkdir -p /backup/dumps && mv /root/mastodon.dump /backup/dumps/").ok();
    machine.sh("chmod -R go= /backup && touch -d '-1 hour' /backup/dumps/*").ok();
    let env = "LOCAL_DOMAIN=mast.test\nDB_HOST=/var/run/postgresql\nDB_USER=mastodon\nDB_NAME=mastodon_production\n";
    let live = "/home/mastodon/live";
    machine.write(&format!("{live}/.env.production"), env);
    machine.write(&format!("{live}/db/migrate/20260611150940_newest.rb"), "");
    machine.sh("chown -R mastodon: /home/mastodon && chmod 700 /home/mastodon").ok();
    install(&machine, &deb());
    configure(&machine, "  work:\n    steps: [{tootctl: cache clear}]\n");
    machine.sh("systemctl start mastmaintd").ok();
    machine
}

/// As the verify room asks it: root that may read everything and reaches nothing but the socket.
fn load(machine: &Machine, run: &str) -> (i32, String) {
    let digest = machine.sh("ls /var/lib/mastmaintd-accepted/tootctl").ok();
    let digest = digest.trim().trim_end_matches(".json");
    let order = format!(
        r#"{{"run":"{run}","digest":"{digest}","name":"database","unproved":true,"backup":{{"kind":"postgres","path":"/backup/dumps/*","prove_every":"7d","wait":"0s"}}}}"#
    );
    let done = machine.sh(&format!(
        "systemd-run -q --pipe --wait -p PrivateNetwork=yes -p CapabilityBoundingSet=CAP_DAC_READ_SEARCH \
         /usr/lib/mastmaintd/mastmaint-verify --load --state /var/lib/mastmaintd-verify \
         --databases /run/mastmaintd-rooms/database.sock '{order}' 2>&1"
    ));
    (done.status, done.out)
}

fn databases(machine: &Machine) -> String {
    machine
        .sh("runuser -u postgres -- psql -XqAtc \"SELECT string_agg(datname || ' ' || pg_get_userbyid(datdba), ', ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'mast%'\"")
        .ok()
        .trim()
        .to_owned()
}

pub(crate) fn a_dump_is_loaded_in_its_room_and_switched_in(debian: Debian) {
    let machine = host(debian);
    machine.until("the configuration is accepted", Duration::from_mins(1), |m| {
        (!m.sh("ls /var/lib/mastmaintd-accepted/tootctl").out.trim().is_empty()).then_some(())
    });
    let (status, said) = load(&machine, RUN);
    assert_eq!((status, said.contains("115 tables, 1 user, 4 posts")), (0, true), "{said}");
    let new = "mastodon_production_new_20261126t200000z_7k3f9q";
    assert_eq!(databases(&machine), format!("mastodon_production mastodon, {new} mastodon"));
    let verb = |verb: &str| {
        machine.sh(&format!(
            "runuser -u mastodon -- /usr/lib/mastmaintd/mastmaint-database --live /home/mastodon/live {verb}"
        ))
    };
    let run = format!("--run {RUN}");
    let switched = verb(&format!("switch {run}")).ok();
    assert!(switched.contains("mastodon_production is the restored database now"), "{switched}");
    let before = "mastodon_production_before_20261126t200000z_7k3f9q";
    assert_eq!(databases(&machine), format!("mastodon_production mastodon, {before} mastodon"));
    assert!(verb(&format!("back {run}")).ok().contains("again the database of before"));
    assert!(verb(&format!("prune {run}")).ok().contains("dropped"));
    assert_eq!(databases(&machine), "mastodon_production mastodon");

    // What a dump may hold besides SQL is not done, and the room could not do it.
    let text = "SELECT 1;\n\\! touch /tmp/witness /home/mastodon/witness\n\\copy (SELECT 1) TO '/home/mastodon/live/witness'\n";
    machine.sh("rm /backup/dumps/*").ok();
    machine.write(
        "/backup/dumps/evil.sql",
        &format!("-- PostgreSQL database dump\n{text}-- PostgreSQL database dump complete\n"),
    );
    machine.sh("touch -d '-1 hour' /backup/dumps/evil.sql").ok();
    let (status, said) = load(&machine, "20261126T200000Z-7k3f9r");
    assert_eq!((status, said.contains("backslash commands are restricted")), (1, true), "{said}");
    assert_eq!(databases(&machine), "mastodon_production mastodon");
    let witness = "ls /tmp/witness /home/mastodon/witness /home/mastodon/live/witness";
    assert_eq!(machine.sh(&format!("{witness} 2>/dev/null")).out, "");
    machine.write(
        "/etc/systemd/system/mastmaintd-database@.service.d/61-probe.conf",
        "[Service]\nNoExecPaths=\nExecPaths=\n",
    );
    machine
        .sh("cd /home/mastodon && mkdir .ssh && echo 'elsewhere:5432:*:mastodon:x' >.pgpass && echo key >.ssh/id \
             && chmod -R go= .pgpass .ssh && chown -R mastodon: .pgpass .ssh")
        .ok();
    let tries = "/bin/sh -c 'touch /home/mastodon/live/x /home/mastodon/live/public/x 2>/dev/null && echo wrote; \
                 cat /home/mastodon/.pgpass /home/mastodon/.ssh/id 2>/dev/null; \
                 cat /backup/dumps/evil.sql /etc/mastmaintd/mastmaintd.yaml 2>/dev/null; head -n 1 /home/mastodon/live/.env.production; id -un; \
                 grep CapEff /proc/self/status'";
    let (_, said) = within(&machine, "database", tries);
    let lines: Vec<_> = said.lines().collect();
    let pass = "elsewhere:5432:*:mastodon:x";
    assert_eq!(lines, [pass, "LOCAL_DOMAIN=mast.test", "mastodon", "CapEff:\t0000000000000000"], "{said}");
}

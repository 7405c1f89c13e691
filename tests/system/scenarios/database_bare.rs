//! A Mastodon that is gone, or whose backup names another database: whose settings count is decided once. And whatever is
//! killed while PgBouncer is paused, it goes on.

use super::{
    database::{databases, host_with, nothing_is_left_open, psql, shape_of},
    kills::{arm, await_hit, put_deadly_programs_in_place},
    restore::tree,
};
use crate::{
    host::{ctl, ended_run, within},
    image::Debian,
    machine::Machine,
};
use std::time::Duration;

const LIVE: &str = "/home/mastodon/live";
/// A PgBouncer whose console hears the instance's role.
const BOUNCER: &str = "[databases]\n* = host=/var/run/postgresql\n[pgbouncer]\nunix_socket_dir=\nlisten_addr=127.0.0.1\n\
                       listen_port=6433\nauth_type=trust\nauth_file=/etc/pgbouncer/ours.txt\nadmin_users=mastodon\n";
/// What the backup names; today's is `mastodon_production`.
const THEN: &str = "social_then";

fn env(machine: &Machine) -> String {
    machine.sh(&format!("grep -o '^DB_NAME=.*' {LIVE}/.env.production")).out.trim().to_owned()
}

pub(crate) fn an_instance_that_is_gone_comes_back_as_its_backup_says(debian: Debian) {
    let machine = host_with(debian, &format!("echo DB_NAME={THEN} >>.env.production;"));
    let (good, posts) = (tree(&machine, LIVE), shape_of(&machine, "mastodon_production"));
    assert_eq!(databases(&machine), ["mastodon_production"]);

    // As in the post-mortem.
    machine.sh(&format!("rm -rf {LIVE}")).ok();
    let restored = ctl(&machine, "run restore-all --follow");
    let said = format!("{}{}", restored.out, restored.err);
    assert_eq!(restored.status, 0, "{said}");
    for told in ["nothing is at /home/mastodon/live today", &format!("{THEN} at /var/run/postgresql")] {
        assert!(said.contains(told), "{told}: {said}");
    }
    nothing_is_left_open(&machine);
    assert_eq!((tree(&machine, LIVE), shape_of(&machine, THEN)), (good, posts.clone()));
    assert_eq!(databases(&machine), ["mastodon_production", THEN], "the other one was not touched");

    // Today names another database than the backup; what comes back with its settings comes back to the one of those.
    psql(&machine, "DELETE FROM statuses");
    let today = "sed -i s/^DB_NAME=.*/DB_NAME=mastodon_production/";
    machine.sh(&format!("{today} {LIVE}/.env.production")).ok();
    machine.sh(&format!("cd / && runuser -u mastodon -- psql -Xqd {THEN} -c 'DELETE FROM statuses'")).ok();
    let restored = ctl(&machine, "run restore-then --follow");
    assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
    nothing_is_left_open(&machine);
    assert_eq!((env(&machine), shape_of(&machine, THEN)), (format!("DB_NAME={THEN}"), posts.clone()));
    assert_ne!(shape_of(&machine, "mastodon_production"), posts);
    let run = ended_run(&machine, "restore-then")["run"].as_str().unwrap().to_owned();
    let beside = |word: &str| format!("{THEN}_{word}_{}", run.to_lowercase().replace('-', "_"));
    assert_eq!(databases(&machine), ["mastodon_production", THEN, &beside("before")]);

    let back = ctl(&machine, &format!("rollback {run} --yes"));
    assert_eq!(back.status, 0, "{}{}", back.out, back.err);
    nothing_is_left_open(&machine);
    assert_eq!(env(&machine), "DB_NAME=mastodon_production");
    assert_eq!(databases(&machine), ["mastodon_production", THEN, &beside("restored")]);
    // What is live names the other one again; what this run has left is found all the same.
    let pruned = ctl(&machine, &format!("prune {run}"));
    assert_eq!(pruned.status, 0, "{}{}", pruned.out, pruned.err);
    assert_eq!(databases(&machine), ["mastodon_production", THEN]);
    let gone = format!("! ls -d {LIVE}.restored-{run} && ! ls -d /home/mastodon/.mastmaintd-restore/{run}");
    machine.sh(&gone).ok();
}

pub(crate) fn a_paused_pgbouncer_goes_on_whatever_is_killed(debian: Debian) {
    let pooled =
        "sed -i s,^DB_HOST=.*,DB_HOST=127.0.0.1, .env.production; echo DB_PORT=6433 >>.env.production;";
    let machine = host_with(debian, pooled);
    machine.write("/etc/pgbouncer/ours.ini", BOUNCER);
    machine.write("/etc/pgbouncer/ours.txt", "\"mastodon\" \"\"\n");
    machine
        .sh("chmod 644 /etc/pgbouncer/ours.* && systemd-run -q -p User=mastodon pgbouncer /etc/pgbouncer/ours.ini")
        .ok();
    let ask = |m: &Machine| {
        let line =
            "psql -XqAt -h 127.0.0.1 -p 6433 -d mastodon_production -c 'SELECT count(*) FROM statuses'";
        m.sh(&format!("cd / && runuser -u mastodon -- timeout 20 {line}")).out.trim().to_owned()
    };
    let posts = machine.until("PgBouncer answers", Duration::from_mins(1), |m| {
        Some(ask(m)).filter(|posts| posts.parse::<u64>().is_ok_and(|posts| posts > 0))
    });
    let direct = "--env DB_HOST=/var/run/postgresql --env DB_PORT=5432";
    let rehearsed = ctl(&machine, &format!("restore base {direct} --rehearse"));
    assert_eq!(rehearsed.status, 0, "{}{}", rehearsed.out, rehearsed.err);
    let prepared = rehearsed.err.split("--prepared ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let prepared = prepared.unwrap().to_owned();

    // The room of the switch is killed while it is paused, and there is no daemon that would ask again.
    put_deadly_programs_in_place(&machine);
    machine.sh("systemctl stop mastmaintd").ok();
    arm(&machine, "paused", 0);
    let switch = format!(
        "/usr/bin/env DB_HOST=/var/run/postgresql DB_PORT=5432 /usr/lib/mastmaintd/mastmaint-database --live {LIVE} \
         --paused /var/lib/mastmaintd-tootctl/paused switch --run {prepared}"
    );
    within(&machine, "tootctl", &switch);
    await_hit(&machine, "paused");
    machine.until("PgBouncer goes on", Duration::from_mins(1), |m| (ask(m) == posts).then_some(()));
    let notes = machine.sh("ls /var/lib/mastmaintd-tootctl/paused").ok();
    assert_eq!(notes.trim(), "");
    let said = machine.sh("cat /run/probe /run/probe-err").out;
    assert!(said.contains("PgBouncer at 127.0.0.1:6433 goes on"), "{said}");
}

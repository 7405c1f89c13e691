//! Proofs of effect from within the walls of the tootctl room: the instance's own PostgreSQL by every way that a
//! Mastodon may go to it.

use crate::{
    host::{SECRET, ctl, ended_run, from_env, maintained},
    image::Debian,
    machine::Machine,
};
use mastmaint_tests::{Instance, postgres};
use std::fs;

/// The pooler as Mastodon's documentation sets it up, as the instance's user so that it is known to the server.
const BOUNCER: &str = "[databases]\n* = host=/var/run/postgresql user=mastodon\n[pgbouncer]\nunix_socket_dir=\nlisten_addr=127.0.0.1\n\
                       listen_port=6432\nauth_type=any\npool_mode=transaction\n";

/// A way to the database, for people; the lines of `.env.production` for it, and the grade of the proof.
type Way = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const WAYS: [Way; 4] = [
    ("its socket, known by the user", &[], "proved"),
    (
        "the network, by password, behind TLS",
        &[("DB_HOST", "127.0.0.1"), ("DB_PASS", SECRET), ("DB_SSLMODE", "require")],
        "proved",
    ),
    (
        "PgBouncer in transaction mode",
        &[
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", "6432"),
            ("PREPARED_STATEMENTS", "false"),
            ("DB_SSLMODE", "disable"),
        ],
        "proved",
    ),
    (
        "TLS with a certificate that nobody vouches for",
        &[("DB_HOST", "127.0.0.1"), ("DB_PASS", SECRET), ("DB_SSLMODE", "verify-full")],
        "read",
    ),
];

pub(crate) fn effects_are_looked_at_from_within_the_walls(debian: Debian) {
    let jobs = "  work:\n    steps: [{tootctl: media remove --days 7, prove: sample}]\n";
    let machine = maintained(debian, jobs, "");
    database(&machine);
    for (way, settings, grade) in WAYS {
        fresh(&machine, settings);
        let said = ctl(&machine, "run work --follow");
        let run = ended_run(&machine, "work");
        assert_eq!(
            (said.status, run["grade"].as_str()),
            (0, Some(grade)),
            "{way}: {run:#}\n{}{}",
            said.out,
            said.err
        );
        let left = psql(&machine, "SELECT count(*) FROM media_attachments WHERE file_file_name IS NOT NULL");
        assert_eq!(left.trim(), "1", "{way}: the rows stand as before, so nothing was looked at");
    }
    // A command that says it did and did nothing.
    fresh(&machine, &[]);
    machine.write("/home/mastodon/live/standin.yaml", "weather: {media remove: s3-media-remove-403}\n");
    assert_eq!(ctl(&machine, "run work --follow").status, 1);
    let run = ended_run(&machine, "work");
    assert_eq!((run["outcome"].as_str(), run["grade"].as_str()), (Some("failed"), Some("proved")), "{run:#}");
}

/// The database of a Mastodon as its documentation makes it.
fn database(machine: &Machine) {
    fs::write(machine.root().join("srv/dump"), postgres::dump()).unwrap();
    machine.write("/srv/rows.sql", &format!("{};\n", postgres::made_up_rows().join(";\n")));
    cluster(machine);
}

/// A server of PostgreSQL that knows the user, and a pooler before it. What the host's kernel has no power cut of a
/// container takes away, so the server need not wait for the disk.
pub(super) fn cluster(machine: &Machine) {
    machine.write("/etc/pgbouncer/here.ini", BOUNCER);
    machine
        .sh("pg_createcluster $(ls /usr/lib/postgresql) main -o fsync=off --start >/dev/null && runuser -u postgres -- sh -c \"\
             psql -qc \\\"CREATE ROLE mastodon LOGIN CREATEDB PASSWORD '$1'\\\"\" \
             && systemd-run -q -p User=mastodon pgbouncer /etc/pgbouncer/here.ini"
            .replace("$1", SECRET)
            .as_str())
        .ok();
}

/// Rows and files as they were, and the way to the database.
fn fresh(machine: &Machine, settings: &[(&str, &str)]) {
    machine.sh("rm -rf /home/mastodon/live/public/system /home/mastodon/live/bin").ok();
    let home = machine.root().join("home/mastodon");
    let instance = Instance::create(&home, "4.6.5", &from_env("MASTMAINT_STANDIN")).unwrap();
    for (name, value) in settings {
        instance.set_env(name, value).unwrap();
    }
    let standin = "elsewhere: {database: /var/run/postgresql, name: mastodon_production}\nspeed: 200\n\
                   weather: {media remove: media-remove-ok}\n";
    machine.write("/home/mastodon/live/standin.yaml", standin);
    machine
        .sh("chown -R mastodon:mastodon /home/mastodon && cd / && as='runuser -u mastodon --' \
             && $as dropdb --if-exists -f mastodon_production && $as createdb -T template0 -E UTF8 mastodon_production \
             && $as pg_restore --no-owner -n public -d mastodon_production /srv/dump; \
             $as psql -q -v ON_ERROR_STOP=1 -d mastodon_production -f /srv/rows.sql")
        .ok();
}

fn psql(machine: &Machine, sql: &str) -> String {
    machine.sh(&format!("cd / && runuser -u mastodon -- psql -XqAtd mastodon_production -c \"{sql}\"")).ok()
}

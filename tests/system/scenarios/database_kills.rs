//! The kill matrix of a restore of files and database, and of its way back: at each of its writes and effects, in the
//! programs, the rooms and the daemon, the process that does it is killed by SIGKILL, or the host loses its power.
//! Afterwards both are as before or both as after, with all uploads of today, and nothing waits for a pooler.

use super::{
    cut::{Cut, End, Place, Way, all, is_long, plan, rollback},
    database::{UPLOAD, back_up, databases, host, psql, shape, wreck},
    kills::{Dice, put_deadly_programs_in_place},
    restore::{LIVE, tree},
};
use crate::{
    host::{configure, ctl, ended_run},
    image::Debian,
    machine::Machine,
    uploads,
};
use std::time::Duration;

/// Where, with the highest number of times that it is passed by before.
const PLACES: [Place<Way>; 36] = [
    // The load, with Mastodon up.
    ("load.create", Way::Restore, 0),
    ("load.created", Way::Restore, 0),
    ("load.filled", Way::Restore, 0),
    ("load.mark", Way::Restore, 0),
    ("load.marked", Way::Restore, 0),
    // The bracket, and the files, which change places first.
    ("open.recorded", Way::Restore, 0),
    ("open.stopped", Way::Restore, 0),
    ("open.noted", Way::Restore, 0),
    ("switch.marked", Way::Restore, 0),
    ("switch.before-exchange", Way::Restore, 0),
    ("switch.exchanged", Way::Restore, 0),
    ("switch.missing", Way::Restore, 0),
    ("switch.unmarked", Way::Restore, 0),
    // The names of the databases, with the pooler paused around them.
    ("switch", Way::Restore, 0),
    ("pause", Way::Restore, 0),
    ("paused", Way::Restore, 0),
    ("rename", Way::Restore, 0),
    ("renamed", Way::Restore, 0),
    ("resume", Way::Restore, 0),
    ("resumed", Way::Restore, 0),
    ("switched", Way::Restore, 0),
    ("start.begun", Way::Restore, 0),
    ("close.started", Way::Restore, 3),
    // Those that every step passes by: prepare, try, assets, load, match, ready, stop, both switches, match, start.
    ("step.begun", Way::Restore, 10),
    ("step.before-outcome", Way::Restore, 10),
    ("step.outcome", Way::Restore, 10),
    ("run.step-recorded", Way::Restore, 10),
    ("run.before-step-end", Way::Restore, 10),
    ("run.step-end-recorded", Way::Restore, 10),
    ("back", Way::Back, 0),
    ("paused", Way::Back, 0),
    ("renamed", Way::Back, 0),
    ("backed", Way::Back, 0),
    ("back.before-exchange", Way::Back, 0),
    ("back.exchanged", Way::Back, 0),
    ("step.before-outcome", Way::Back, 3),
];
/// Of these in the gate, beside one power cut; `--long` takes all, each by a kill and by a power cut.
const SAMPLE: usize = 3;
const ALWAYS: &str = "renamed";
/// The instance reaches its database through a pooler, a restore goes past it.
const JOBS: &str = "  restore-all:
    steps:
      - restore: files
      - restore-database: base
        environment: {DB_HOST: /var/run/postgresql, DB_PORT: '5432'}
backups:
  files: {kind: rsnapshot, config: /etc/rsnapshot.conf, live: host/home/mastodon/live, max_age: 26h}
  base: {kind: postgres, path: /backup/dumps/mastodon-*.dump, files: files, max_age: 26h}
";
const POOLER: &str = "[Unit]\nAfter=postgresql.service\n[Service]\nUser=mastodon\nExecStart=/usr/sbin/pgbouncer /etc/pgbouncer/here.ini\n\
                      [Install]\nWantedBy=multi-user.target\n";

pub(crate) fn cut_anywhere_it_ends_as_one_set(debian: Debian) {
    let mut machine = pooled(debian);
    let mut good = (tree(&machine, LIVE), shape(&machine));
    put_deadly_programs_in_place(&machine);
    // A way back takes a restore before it: only the whole matrix has the time.
    let is_wanted = |place: &Place<Way>| is_long() || place.1 == Way::Restore;
    let places: Vec<Place<Way>> = PLACES.into_iter().filter(is_wanted).collect();
    let cuts = plan(&mut Dice::new(), &places, SAMPLE, (ALWAYS, Way::Restore));
    let mut number = 1;
    all(debian, "restores of files and database", &cuts, |way, cut| {
        number += 1;
        let (is_after, now) = cut_once(&mut machine, way, cut, &good, number);
        if cut.end == End::PowerCut {
            back_up(&machine);
            good = now;
        }
        is_after
    });
}

/// A Mastodon that reaches its database through PgBouncer.
fn pooled(debian: Debian) -> Machine {
    let machine = host(debian);
    machine.write("/etc/systemd/system/pooler.service", POOLER);
    machine
        .sh(&format!(
            "systemctl stop 'run-r*.service'; echo admin_users=mastodon >>/etc/pgbouncer/here.ini; systemctl enable -q --now pooler && \
             sed -i 's/^DB_HOST=.*/DB_HOST=127.0.0.1\\nDB_PORT=6432\\nDB_SSLMODE=disable/' {LIVE}/.env.production"
        ))
        .ok();
    configure(&machine, JOBS);
    ctl(&machine, "reload").ok();
    machine
}

/// Names and contents of the files, and what is in the database.
type Set = (String, String);

/// One restore, or its way back, that is cut once; whether it ended as after, and what is there now.
fn cut_once(machine: &mut Machine, way: Way, cut: Cut, good: &Set, number: usize) -> (bool, Set) {
    let at = format!("{LIVE}/{UPLOAD}");
    wreck(machine, number);
    let wrecked = (tree(machine, LIVE), shape(machine));
    let (begin, before, after) = match way {
        Way::Restore => ("mastmaintctl run restore-all".to_owned(), &wrecked, good),
        Way::Back => {
            let restored = ctl(machine, "run restore-all --follow");
            assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
            let past_it = "--env DB_HOST=/var/run/postgresql --env DB_PORT=5432";
            (rollback(&ended_run(machine, "restore-all"), past_it), good, &wrecked)
        }
    };
    uploads::begin(machine, &at);
    let run = cut.once(machine, &begin, |_| ());
    uploads::are_all_there(machine, &at, &cut.to_string());
    machine.until(&format!("the pooler lets go on after {cut}"), Duration::from_secs(30), |m| {
        let asked = "cd / && runuser -u mastodon -- timeout 5 psql -XqAtc 'SELECT 1' \
                     'host=127.0.0.1 port=6432 dbname=mastodon_production sslmode=disable'";
        (m.sh(asked).out.trim() == "1").then_some(())
    });
    let now = (tree(machine, LIVE), shape(machine));
    assert!(now == *before || now == *after, "{cut}: neither as before nor as after: {:?} {run:#}", now.1);
    let is_after = now == *after;
    assert!(is_after || run["outcome"] != "ok", "{cut}: {run:#}");
    let id = run["run"].as_str().unwrap();
    if is_after && way == Way::Restore {
        let beside = format!("mastodon_production_before_{}", id.to_lowercase().replace('-', "_"));
        assert!(databases(machine).contains(&beside), "{cut}: {:?}", databases(machine));
        assert_eq!(
            tree(machine, &format!("{LIVE}.before-{id}")),
            wrecked.0,
            "{cut}: what was there is beside"
        );
    }
    assert_eq!(half(machine), "", "{cut}: half a database: {run:#}");
    tidy(machine);
    (is_after, now)
}

/// Databases that only a person drops: each takes its time.
fn tidy(machine: &Machine) {
    Cut::tidy(machine);
    let whole = "SELECT datname FROM pg_database WHERE datname ~ '^mastodon_production_(before|restored|new)_' \
                 AND (datname !~ '_new_' OR shobj_description(oid, 'pg_database') IS NOT NULL)";
    for name in psql(machine, whole).lines() {
        psql(machine, &format!("DROP DATABASE {name}"));
    }
}

/// What was loaded half.
fn half(machine: &Machine) -> String {
    let half = "SELECT datname FROM pg_database WHERE datname ~ '^mastodon_production_new_' \
                AND shobj_description(oid, 'pg_database') IS NULL";
    psql(machine, half)
}

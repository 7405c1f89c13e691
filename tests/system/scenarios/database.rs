//! A database that was wrecked comes back from last night's dump, alone or with the files, from within the walls of three
//! rooms; nothing starts on what does not belong together, and nothing that was there is gone afterwards.

use super::{
    proofs::cluster,
    restore::{LIVE, RSNAPSHOT, tree, with_built_assets},
};
use crate::{
    answering::{all_are, answering, open_brackets, states},
    host::{configure, ctl, ended_run},
    image::Debian,
    machine::Machine,
};
use mastmaint_tests::postgres;
use std::{fs, path::Path, time::Duration};

const JOBS: &str = "  restore-all:
    steps:
      - restore: files
      - restore-database: base
  restore-then:
    steps:
      - restore: {backup: files, with_env: true}
      - restore-database: base
  restore-files:
    steps: [{restore: files}]
  flush:
    steps: [{redis-flush: true, environment: {REDIS_PORT: '6390'}}]
  restore-base:
    steps: [{restore-database: base}]
  restore-newer:
    steps: [{restore-database: {backup: newer, unproved: true}}]
backups:
  files: {kind: rsnapshot, config: /etc/rsnapshot.conf, live: host/home/mastodon/live, max_age: 26h}
  base: {kind: postgres, path: /backup/dumps/mastodon-*.dump, files: files, max_age: 26h}
  newer: {kind: postgres, path: /backup/newer/*.dump}
";
/// The one upload that the dump names.
pub(super) const UPLOAD: &str = "public/system/media_attachments/files/117/663/865/034/040/040/original";
/// Takes code away as soon as services are stopped: what was seen to belong together does not any more.
const HIDE: &str =
    "cd /home/mastodon/live/db/migrate; until ! systemctl -q is-active mastodon-web; do sleep 0.02; done
mv \"$(ls | tail -1)\" /root/hidden/\n";
/// The same, and connects to what was today's database before the switch.
const SIT: &str = "sh /root/hide; cd /; ask=\"SELECT datname FROM pg_database WHERE datname LIKE 'mastodon_production_before%'\"
until db=$(runuser -u postgres -- psql -XAtc \"$ask\") && [ -n \"$db\" ]; do sleep 0.02; done; exec runuser -u postgres -- psql -d \"$db\" -c 'SELECT pg_sleep(600)'\n";
/// A migration that no code on this host has.
const FUTURE: &str = "20991231235959";

pub(super) fn psql(machine: &Machine, sql: &str) -> String {
    machine.sh(&format!("cd / && runuser -u mastodon -- psql -XqAtd mastodon_production -c \"{sql}\"")).ok()
}

pub(super) fn databases(machine: &Machine) -> Vec<String> {
    let listed = psql(
        machine,
        "SELECT datname FROM pg_database WHERE datname LIKE 'mastodon%' OR datname LIKE 'social%' ORDER BY 1",
    );
    listed.lines().map(str::to_owned).collect()
}

/// A Mastodon with its database, both backed up and proved.
pub(super) fn host(debian: Debian) -> Machine {
    host_with(debian, "")
}

/// The same with these lines of sh for its settings.
pub(super) fn host_with(debian: Debian, settings: &str) -> Machine {
    let machine = answering(debian, "  nothing: {steps: [{run: /bin/true}]}\n", "");
    cluster(&machine);
    fs::write(machine.root().join("srv/dump"), postgres::dump()).unwrap();
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/verify/tests/fixture/.env.production");
    machine.put(&fixture, "/root/env");
    machine.write("/etc/rsnapshot.conf", RSNAPSHOT);
    let lines = format!(
        "set -e; cd / && as='runuser -u mastodon --'; $as createdb -T template0 -E UTF8 mastodon_production
         $as pg_restore --no-owner -n public -d mastodon_production /srv/dump || true
         # The stand-in of web answers by this name only.
         $as psql -Xqd mastodon_production -c \"UPDATE statuses SET uri = replace(uri, 'mast.test', 'social.example')\"
         cd {LIVE}; grep -E '^(SECRET|VAPID|ACTIVE_RECORD|OTP)' /root/env >.env.production; echo LOCAL_DOMAIN=social.example >>.env.production; echo DB_HOST=/var/run/postgresql >>.env.production; {settings} chmod 640 .env.production
         mkdir -p db/migrate config app/javascript/styles {UPLOAD}; echo 'body {{}}' >app/javascript/styles/application.scss; head -c 1603 /dev/zero >{UPLOAD}/991bedd1c9f05788.png; echo 'default: styles/application.scss' >config/themes.yml
         for v in $($as psql -XqAtd mastodon_production -c 'SELECT version FROM schema_migrations'); do touch db/migrate/${{v}}_x.rb; done"
    );
    machine.sh(&lines).ok();
    with_built_assets(&machine);
    machine.sh(&format!("chown -hR mastodon:mastodon {LIVE}")).ok();
    configure(&machine, JOBS);
    ctl(&machine, "reload").ok();
    back_up(&machine);
    machine
}

/// Backs up what is there now, and has it proved. What the host is started with anew has no backups.
pub(super) fn back_up(machine: &Machine) {
    let lines = format!(
        "set -e; as='runuser -u mastodon --'; mkdir -p /backup && mount -t tmpfs tmpfs /backup && mkdir -p /backup/dumps /backup/newer && chown mastodon /backup/dumps /backup/newer
         cd / && $as pg_dump -Fc -f /backup/dumps/mastodon-1.dump mastodon_production
         $as psql -Xqd mastodon_production -c \"INSERT INTO schema_migrations VALUES ('{FUTURE}')\"
         $as pg_dump -Fc -f /backup/newer/x.dump mastodon_production
         $as psql -Xqd mastodon_production -c \"DELETE FROM schema_migrations WHERE version = '{FUTURE}'\"
         rsnapshot daily && sleep 1.1 && rsnapshot daily"
    );
    machine.sh(&lines).ok();
    for backup in ["files", "base"] {
        let verified = ctl(machine, &format!("verify {backup} --follow"));
        assert_eq!(verified.status, 0, "{}{}", verified.out, verified.err);
    }
}

/// Each time otherwise.
pub(super) fn wreck(machine: &Machine, how: usize) {
    psql(machine, &format!("UPDATE accounts SET display_name = 'wrecked {how}'; DELETE FROM statuses"));
    // Not so that it could not come back: after a power cut it may be what is backed up next.
    machine.sh(&format!("echo wrecked {how} >{LIVE}/config/wrecked")).ok();
}

/// Posts, and how accounts are called.
pub(super) fn shape(machine: &Machine) -> String {
    shape_of(machine, "mastodon_production")
}

pub(super) fn shape_of(machine: &Machine, database: &str) -> String {
    let names = "SELECT md5(string_agg(display_name, ',' ORDER BY id)) FROM accounts";
    let sql = format!("SELECT (SELECT count(*) FROM statuses), ({names})");
    let asked = machine.sh(&format!("cd / && runuser -u mastodon -- psql -XqAtd {database} -c \"{sql}\""));
    asked.ok().trim().to_owned()
}

/// How often systemd has started a service at this boot; what it has skipped has the same id.
pub(super) fn starts(machine: &Machine, service: &str) -> usize {
    let of = format!("-b _PID=1 MESSAGE_ID=39f53479d3a045ac8e11786248231fbf UNIT={service}.service");
    let is_start =
        |entry: &serde_json::Value| entry["MESSAGE"].as_str().is_some_and(|m| m.starts_with("Started"));
    machine.journal(&of).iter().filter(|entry| is_start(entry)).count()
}

#[track_caller]
pub(super) fn nothing_is_left_open(machine: &Machine) {
    all_are(machine, "active");
    machine.until("the bracket is closed", Duration::from_mins(3), |m| {
        open_brackets(m).is_empty().then_some(())
    });
}

pub(crate) fn files_and_database_come_back_as_one(debian: Debian) {
    let machine = host(debian);
    let (good_tree, good) = (tree(&machine, LIVE), shape(&machine));
    wreck(&machine, 1);
    let (wrecked_tree, wrecked) = (tree(&machine, LIVE), shape(&machine));
    assert_ne!((&good_tree, &good), (&wrecked_tree, &wrecked));

    let restored = ctl(&machine, "run restore-all --follow");
    assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
    nothing_is_left_open(&machine);
    assert_eq!((tree(&machine, LIVE), shape(&machine)), (good_tree.clone(), good.clone()));
    let run = ended_run(&machine, "restore-all")["run"].as_str().unwrap().to_owned();
    let of_run = run.to_lowercase().replace('-', "_");
    let before = format!("mastodon_production_before_{of_run}");
    assert_eq!(databases(&machine), ["mastodon_production", before.as_str()], "what was there is beside");

    let back = ctl(&machine, &format!("rollback {run} --yes"));
    assert_eq!(back.status, 0, "{}{}", back.out, back.err);
    nothing_is_left_open(&machine);
    assert_eq!((tree(&machine, LIVE), shape(&machine)), (wrecked_tree, wrecked));
    let after = format!("mastodon_production_restored_{of_run}");
    assert_eq!(databases(&machine), ["mastodon_production", after.as_str()]);

    // By hand: rehearsed, and switched in from what was rehearsed. A session of somebody else is in the way of that.
    let rehearsed = ctl(&machine, "restore files base --rehearse");
    assert_eq!(rehearsed.status, 0, "{}{}", rehearsed.out, rehearsed.err);
    let prepared = rehearsed.err.split("--prepared ").nth(1).and_then(|rest| rest.split('`').next());
    let prepared = prepared.unwrap().to_owned();
    let before = (tree(&machine, LIVE), shape(&machine));
    machine
        .sh("systemd-run -q --unit=foreign -p User=postgres psql -d mastodon_production -c 'SELECT pg_sleep(600)'")
        .ok();
    machine.until("somebody else is connected", Duration::from_secs(30), |m| {
        psql(m, "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND usename = 'postgres'")
            .contains('1')
            .then_some(())
    });
    let refused = ctl(&machine, &format!("restore --prepared {prepared} --yes"));
    assert_eq!(refused.status, 1, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("postgres"), "who it is was not said: {}", refused.err);
    nothing_is_left_open(&machine);
    assert_eq!((tree(&machine, LIVE), shape(&machine)), before, "the files were taken back too");
    machine.sh("systemctl stop foreign").ok();
    redis_is_emptied_by_who_has_seen_what_is_in_it(&machine);
}

fn redis_is_emptied_by_who_has_seen_what_is_in_it(machine: &Machine) {
    // At the usual port the stand-in of Sidekiq plays one.
    let fill = "redis-server --port 6390 --daemonize yes --dir /var/tmp >/dev/null; sleep 1; c='redis-cli -p 6390'; \
                $c lpush queue:default job && $c sadd queues default && $c set feed:home:1 x && $c set somebody:else y";
    machine.sh(fill).ok();
    let size = || machine.sh("redis-cli -p 6390 dbsize").ok().trim().to_owned();
    let asked = ctl(machine, "run flush --follow");
    let said = format!("{}{}", asked.out, asked.err);
    assert_eq!((asked.status, size().as_str()), (0, "4"), "{said}");
    for text in
        ["needs approval", "jobs of Sidekiq's that would be lost: default 1", "somebody else's: somebody 1"]
    {
        assert!(said.contains(text), "{text}: {said}");
    }
    let done = ctl(machine, "approve flush --follow");
    assert_eq!((done.status, size().as_str()), (0, "0"), "{}{}", done.out, done.err);
}

pub(crate) fn what_does_not_belong_together_is_not_started(debian: Debian) {
    let mut machine = host(debian);
    wreck(&machine, 1);
    let today = shape(&machine);

    // The dump is of newer code than this host has: nothing is even stopped.
    let newer = ctl(&machine, "run restore-newer --follow");
    assert_eq!(newer.status, 1, "{}{}", newer.out, newer.err);
    assert!(newer.err.contains(FUTURE) && !newer.err.contains("to be started again"), "{}", newer.err);
    let rehearsed = ctl(&machine, "restore newer --unproved --rehearse");
    assert_eq!(rehearsed.status, 1, "{}{}", rehearsed.out, rehearsed.err);
    assert!(
        rehearsed.err.contains(FUTURE) && rehearsed.err.contains("mastmaintctl prune"),
        "{}",
        rehearsed.err
    );
    nothing_is_left_open(&machine);
    assert_eq!(shape(&machine), today);

    // What belonged together does not any more once it is switched: it is taken back.
    machine.write("/root/hide", HIDE);
    machine.sh("mkdir /root/hidden && systemd-run -q --unit=hide sh /root/hide").ok();
    let refused = ctl(&machine, "run restore-base --follow");
    assert_eq!(refused.status, 1, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("nothing of it stays, Mastodon is as before"), "{}", refused.err);
    nothing_is_left_open(&machine);
    assert_eq!(shape(&machine), today);
    let put_back = format!("mv /root/hidden/* {LIVE}/db/migrate/");
    machine.sh(&put_back).ok();

    // Files alone that are older than the database of today: nothing is even stopped.
    psql(&machine, &format!("INSERT INTO schema_migrations VALUES ('{FUTURE}')"));
    let files = ctl(&machine, "run restore-files --follow");
    assert_eq!(files.status, 1, "{}{}", files.out, files.err);
    assert!(files.err.contains(FUTURE) && !files.err.contains("to be started again"), "{}", files.err);
    nothing_is_left_open(&machine);

    psql(&machine, &format!("DELETE FROM schema_migrations WHERE version = '{FUTURE}'"));

    // Somebody sits on what was today's as soon as it is beside: it cannot be taken back, and nothing whole is left.
    machine.write("/root/sit", SIT);
    machine.sh("systemd-run -q --unit=foreign sh /root/sit").ok();
    let down = ctl(&machine, "run restore-base --follow");
    assert_eq!(down.status, 1, "{}{}", down.out, down.err);
    assert!(down.err.contains("STAYS DOWN"), "{}", down.err);
    machine.sh("sleep 20").ok();
    assert!(states(&machine).iter().all(|state| state == "inactive"), "{:?}", states(&machine));
    let status = ctl(&machine, "status");
    assert_eq!(status.status, 1, "{}", status.out);
    assert!(status.out.contains("do not belong together"), "{}", status.out);

    // systemd would start it at boot; that is no person.
    machine.power_cut();
    machine.power_on();
    machine.until("it is known that it stays down", Duration::from_mins(2), |m| {
        m.sh("ls /run/mastmaintd-held").out.trim().is_empty().then_some(())
    });
    assert!(states(&machine).iter().all(|state| state == "inactive"), "{:?}", states(&machine));
    let early = ["mastodon-web", "mastodon-sidekiq"].map(|service| starts(&machine, service));
    assert_eq!((early, open_brackets(&machine).len()), ([0, 0], 1));
    // What a person starts is theirs.
    machine.sh("systemctl start mastodon-sidekiq && systemctl is-active mastodon-sidekiq").ok();

    // A person takes the restore back; nothing is in the way of that.
    machine.sh(&put_back).ok();
    let run = ended_run(&machine, "restore-base")["run"].as_str().unwrap().to_owned();
    let back = ctl(&machine, &format!("rollback {run} --yes"));
    assert_eq!(back.status, 0, "{}{}", back.out, back.err);
    nothing_is_left_open(&machine);
    assert_eq!(shape(&machine), today);
}

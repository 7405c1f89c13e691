//! Drills with the release's own PostgreSQL: every kind of dump comes to life in the drill room and nothing stays; the
//! room reads nothing but what it is handed.

use crate::{
    host::{configure, ctl, deb, ended_run, install, mastodon, within},
    image::Debian,
    machine::Machine,
};
use serde_json::Value;
use std::{fs, path::Path, time::Duration};

/// A PostgreSQL of this release's own makes every kind of dump of the real instance.
const DUMPS: &str = r#"set -e
bin=$(ls -d /usr/lib/postgresql/*/bin); src=/var/lib/postgresql/src; mkdir -p /backup/dumps
as() { setpriv --reuid=postgres --regid=postgres --init-groups env LC_ALL=C.UTF-8 PGHOST=$src "$@"; }
mkdir $src; chown postgres:postgres $src
as $bin/initdb --no-sync -A trust -D $src/data >/dev/null
as $bin/pg_ctl -D $src/data -w -l $src/log -o "-c listen_addresses= -c fsync=off -c unix_socket_directories=$src" start >/dev/null
as $bin/createuser mastodon; as $bin/createdb -O mastodon mastodon_production
as $bin/pg_restore --no-owner --role=mastodon -d mastodon_production </root/mastodon.dump
for kind in c d; do as $bin/pg_dump -F$kind -f $src/dump-$kind mastodon_production; done
as $bin/pg_dump mastodon_production | gzip >/backup/dumps/plain.sql.gz
as $bin/pg_dumpall >/backup/dumps/all.sql
mv $src/dump-c /backup/dumps/custom.dump; mv $src/dump-d /backup/dumps/directory
as $bin/pg_ctl -D $src/data -m immediate stop >/dev/null; rm -rf $src
chown -R root:root /backup; chmod -R go= /backup"#;

const JOBS: &str = "  drills:
    steps:
      - {verify: custom, full: true, continue: true}
      - {verify: directory, full: true, continue: true}
      - {verify: plain, full: true, continue: true}
      - {verify: all, full: true, continue: true}
  nightly:
    steps: [{verify: custom}]
  wrong:
    steps: [{verify: wrong, full: true}]
";

fn host(debian: Debian) -> Machine {
    let machine = mastodon(debian);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mastodon-pg15.dump");
    machine.put(&fixture, "/root/mastodon.dump");
    machine.sh("chmod 644 /root/mastodon.dump").ok();
    machine.sh(DUMPS).ok();
    let live = "/backup/files/live";
    let env = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/verify/tests/fixture/.env.production");
    let env = fs::read_to_string(env).unwrap();
    machine.write(&format!("{live}/.env.production"), &format!("{env}\nS3_ENABLED=true\n"));
    machine.write(&format!("{live}/db/migrate/20260611150940_newest.rb"), "x");
    install(&machine, &deb());
    let drilled = |name: &str, path: &str, more: &str| {
        format!(
            "  {name}: {{kind: postgres, path: /backup/dumps/{path}, files: files, drill: {{reserve: 1 MB{more}}}}}\n"
        )
    };
    let backups = [
        "  files: {kind: tree, path: /backup/files, live: live}\n".to_owned(),
        drilled("custom", "custom.dump", ", assertions: [SELECT count(*) = 17 FROM accounts]"),
        drilled("directory", "directory", ""),
        drilled("plain", "plain.sql.gz", ""),
        drilled("all", "all.sql", ""),
        drilled("wrong", "custom.dump", ", assertions: [SELECT count(*) > 1000 FROM users]"),
    ];
    // The sections stand beside each other: what `configure` writes ends with the jobs.
    configure(&machine, &format!("{JOBS}backups:\n{}", backups.concat()));
    machine.sh("systemctl start mastmaintd").ok();
    machine
}

/// The newest run of a job with its steps, once it is over.
pub(super) fn shown(machine: &Machine, job: &str) -> Value {
    let ended = ended_run(machine, job);
    let text = ctl(machine, &format!("show {} --json", ended["run"].as_str().unwrap())).ok();
    serde_json::from_str(&text).unwrap()
}

/// Nothing of a drill is left, no process and no file, once the room has swept behind it.
pub(super) fn is_clean(machine: &Machine) {
    machine.until("nothing of a drill is left", Duration::from_mins(1), |m| {
        (m.sh("pgrep -U mastmaintd-drill || true").out.is_empty()
            && m.sh("ls -A /var/lib/mastmaintd-drill").out == "lock\n")
            .then_some(())
    });
}

pub(crate) fn every_kind_of_dump_comes_to_life(debian: Debian) {
    let machine = host(debian);
    let done = ctl(&machine, "run drills --follow");
    let run = shown(&machine, "drills");
    assert_eq!(run["outcome"], "ok", "{run:#}\n{}", done.out);
    for step in run["steps"].as_array().unwrap() {
        let said = step.to_string();
        assert!(said.contains("115 tables, 1 user, 4 local posts"), "{said}");
        assert!(said.contains("brought to life just now: restored in"), "{said}");
    }
    is_clean(&machine);
    let listed = ctl(&machine, "backups --json").ok();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    for backup in listed["backups"].as_array().unwrap() {
        assert_eq!(backup["drill"]["is_good"], true, "{backup:#}");
        assert!(backup["drill"]["times"]["restore"].as_f64().unwrap() > 0.0, "{backup:#}");
    }
    // Not due again; an assertion that does not hold is.
    let begun = || {
        let entries = machine.journal("-u 'mastmaintd-drill@*'");
        entries.iter().filter(|e| e["MESSAGE"].as_str().is_some_and(|m| m.starts_with("Started "))).count()
    };
    let before = begun();
    assert_eq!(ctl(&machine, "run nightly --follow").status, 0);
    assert_eq!(begun(), before);
    assert_eq!(ctl(&machine, "run wrong --follow").status, 1);
    let run = shown(&machine, "wrong");
    assert_eq!(run["outcome"], "failed", "{run:#}");
    assert!(run.to_string().contains("assertion-failed"), "{run:#}");
    is_clean(&machine);
}

pub(crate) fn a_drill_that_is_killed_leaves_nothing_and_reads_nothing_else(debian: Debian) {
    let machine = host(debian);
    assert_eq!(ctl(&machine, "run wrong").status, 0);
    let kill = "for i in $(seq 3000); do pgrep -U mastmaintd-drill -x postgres >/dev/null && break; sleep 0.02; done; \
                pkill -9 -U mastmaintd-drill -x mastmaint-drill";
    machine.sh(kill).ok();
    let run = shown(&machine, "wrong");
    assert_eq!(run["outcome"], "failed", "{run:#}");
    assert!(run.to_string().contains("drill-died"), "{run:#}");
    is_clean(&machine);
    let tries = "/bin/sh -c 'cat /backup/dumps/custom.dump /etc/mastmaintd/mastmaintd.yaml /var/lib/mastmaintd-verify/proofs \
                 2>/dev/null; touch /var/lib/mastmaintd-drill/x && echo wrote; rm /var/lib/mastmaintd-drill/x; id -un; \
                 grep CapEff /proc/self/status'";
    machine.write(
        "/etc/systemd/system/mastmaintd-drill@.service.d/61-probe.conf",
        "[Service]\nNoExecPaths=\nExecPaths=\nExecStopPost=\n",
    );
    let (_, said) = within(&machine, "drill", tries);
    let words: Vec<_> = said.split_whitespace().collect();
    assert_eq!(words[..2], ["wrote", "mastmaintd-drill"], "{said}");
    assert!(said.contains("CapEff:\t0000000000000000"), "{said}");
}

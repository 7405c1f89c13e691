//! Backups by rsnapshot itself and dumps of a real PostgreSQL, verified from within the walls of the verify room.

use crate::{
    host::{ctl, deb, ended_run, install, within},
    image::Debian,
    machine::Machine,
};
use serde_json::Value;
use std::path::Path;

const CONFIG: &str = "\
defaults: {timezone: UTC, timeout: 10m, grace: 5s, lock: backup}
backups:
  files:
    kind: rsnapshot
    config: /etc/rsnapshot.conf
    live: host/srv/mastodon/live
    require: [srv/mastodon/live/.env.production, srv/mastodon/live/public/system]
    forbid: [srv/mastodon/live/public/system/cache]
    max_age: 26h
  database: {kind: postgres, path: /backup/postgres/mastodon-*.dump, files: files, max_age: 26h}
jobs:
  verify-backups:
    schedule: '* * * * *'
    steps:
      - {verify: files, continue: true}
      - {verify: database, continue: true}
";
const RSNAPSHOT: &str = "config_version\t1.2\nsnapshot_root\t/backup/snapshots/\ncmd_cp\t/bin/cp\ncmd_rm\t/bin/rm\n\
    cmd_rsync\t/usr/bin/rsync\nretain\tdaily\t3\nlockfile\t/run/rsnapshot.pid\nlogfile\t/var/log/rsnapshot\nverbose\t1\n\
    loglevel\t3\nbackup\t/srv/mastodon/\thost/\n";
/// In `public/system`; linked by every generation.
const UPLOAD: &str =
    "find /backup/snapshots/daily.0/host/srv/mastodon/live/public/system -type f -size +1k | sort | head -1";

/// A backup server: three generations of a Mastodon's files, and a dump of its database.
fn server(debian: Debian) -> Machine {
    let machine = Machine::boot(debian);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/verify/tests/fixture");
    let live = "/srv/mastodon/live";
    machine.put(&fixture.join(".env.production"), &format!("{live}/.env.production"));
    machine.put(&fixture.join("system.tar.gz"), "/root/system.tar.gz");
    machine.put(&fixture.join("mastodon-pg15.dump"), "/var/tmp/fixture.dump");
    machine.write(&format!("{live}/lib/mastodon/version.rb"), "def major\n 4\nend\ndef minor\n 6\nend\n");
    machine.write(&format!("{live}/db/migrate/20260611150940_newest.rb"), "x");
    machine.write("/etc/rsnapshot.conf", RSNAPSHOT);
    machine
        .sh("mkdir -p /srv/mastodon/live/public /backup/postgres && chown postgres /backup/postgres \
             && tar -xzf /root/system.tar.gz -C /srv/mastodon/live/public && rm -rf /srv/mastodon/live/public/system/cache \
             && for night in 1 2 3; do rsnapshot daily || exit; sleep 1.1; done \
             && version=$(ls /usr/lib/postgresql) && pg_createcluster --start \"$version\" main && cd /var/tmp && runuser -u postgres -- createdb mastodon_production \
             && runuser -u postgres -- pg_restore --no-owner -d mastodon_production /var/tmp/fixture.dump \
             && runuser -u postgres -- pg_dump -Fc -f /backup/postgres/mastodon-1.dump mastodon_production \
             && pg_dropcluster --stop \"$version\" main")
        .ok();
    install(&machine, &deb());
    machine.write("/etc/mastmaintd/mastmaintd.yaml", CONFIG);
    machine.sh("systemctl start mastmaintd").ok();
    machine
}

fn backup(machine: &Machine, name: &str) -> Value {
    serde_json::from_str(&ctl(machine, &format!("backup {name} --json")).out).unwrap()
}

fn codes(backup: &Value) -> Vec<&str> {
    let known = backup["findings"].as_array().unwrap().iter();
    known.filter(|f| f["severity"] != "info").map(|f| f["code"].as_str().unwrap()).collect()
}

pub(crate) fn real_backups_are_proved_and_a_flipped_bit_is_named(debian: Debian) {
    let machine = server(debian);
    let run = ended_run(&machine, "verify-backups");
    assert_eq!((&run["outcome"], &run["trigger"]["kind"]), (&"ok".into(), &"schedule".into()), "{run:#}");
    assert_eq!(run["grade"], "proved", "{run:#}");
    // From here on by hand only: a run in between would find what is planted before it is looked for.
    ctl(&machine, "pause verify-backups").ok();
    machine.sh("while mastmaintctl jobs --json | grep -q '\"current\"'; do sleep 0.2; done").ok();
    let (files, database) = (backup(&machine, "files"), backup(&machine, "database"));
    for (known, newest) in [(&files, "daily.0"), (&database, "mastodon-1.dump")] {
        assert_eq!(known["newest"]["name"], newest, "{known:#}");
        let proof = &known["proof"];
        assert_eq!((&proof["proved"], codes(known).len()), (&proof["files"], 0), "{known:#}");
    }
    assert!(database["newest"]["youngest"].is_string(), "{database:#}");
    let listing = ctl(&machine, "backups").ok();
    assert!(listing.contains("statuses since "), "{listing}");
    let manifest: Value = serde_json::from_str(&ctl(&machine, "manifest files --json").ok()).unwrap();
    let entries = manifest["entries"].as_array().unwrap();
    let file = |e: &&Value| e["type"] == "file";
    assert!(entries.iter().filter(file).all(|e| e["blake3"].is_string()), "{manifest:#}");
    let there = machine.sh("find /backup/snapshots/daily.0 -mindepth 1 | wc -l").ok();
    assert_eq!(entries.len().to_string(), there.trim());

    // One bit of a file that three generations share, and one of the dump; size and time stay.
    let upload = machine.sh(UPLOAD).ok().trim().to_owned();
    let flip = |path: &str| {
        let script = format!(
            "cp -p {path} /root/was && printf '\\001' | dd of={path} bs=1 seek=700 conv=notrunc status=none \
             && touch -r /root/was {path} && ! cmp -s /root/was {path}"
        );
        machine.sh(&script).ok();
    };
    flip(&upload);
    let said = ctl(&machine, "verify files --full --follow");
    assert_eq!(said.status, 1, "{}{}", said.out, said.err);
    let files = backup(&machine, "files");
    assert_eq!(codes(&files), ["rot"], "{files:#}");
    let name = upload.strip_prefix("/backup/snapshots/daily.0/").unwrap();
    let evidence = files["findings"][0]["evidence"].to_string();
    for generation in ["daily.0", "daily.1", "daily.2"] {
        assert!(evidence.contains(&format!("{generation}/{name}")), "{evidence}");
    }
    let id = files["findings"][0]["id"].as_str().unwrap().to_owned();
    ctl(&machine, &format!("ack {id} --until 30d")).ok();
    assert_eq!(ctl(&machine, "verify files --full --follow").status, 1, "it is as it was");
    let files = backup(&machine, "files");
    let finding = &files["findings"][0];
    assert!(finding["id"] == id.as_str() && finding["ack"]["until"].is_string(), "{files:#}");

    flip("/backup/postgres/mastodon-1.dump");
    assert_eq!(ctl(&machine, "run verify-backups --follow").status, 1);
    let database = backup(&machine, "database");
    let found = codes(&database);
    assert!(found.contains(&"damaged") && found.contains(&"rot"), "{database:#}");

    // The room reads what root's alone is, and writes nothing but its own state.
    // A shell is let in for once; the room itself runs its own programs only.
    let exec = "/etc/systemd/system/mastmaintd-verify@.service.d/61-shell.conf";
    machine.write(exec, "[Service]\nNoExecPaths=\nExecPaths=\n");
    let tries = "/bin/sh -c 'head -c 4 /etc/shadow >/dev/null && echo read; touch /backup/x /etc/x /srv/x 2>/dev/null; \
                 touch /var/lib/mastmaintd-verify/x && echo own; ls /sys/class/net; grep CapEff /proc/self/status'";
    let (_, said) = within(&machine, "verify", tries);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words, ["read", "own", "lo", "CapEff:", "0000000000000004"], "{said}");
    assert_eq!(machine.sh("ls -d /backup/x /etc/x /srv/x 2>/dev/null").out, "");
}

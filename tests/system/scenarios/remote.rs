//! Repositories of restic and Borg behind an sshd, verified from within the remote room with keys that only it gets.

use crate::{
    host::{SECRET, ctl, deb, install, within},
    image::Debian,
    machine::Machine,
};
use serde_json::Value;
use std::path::Path;

/// The other host is this one: an account that lets one key in. Two nights of restic, one archive of Borg.
const HOST: &str = r#"set -e
useradd --create-home --home-dir /srv/keeper --shell /bin/sh keeper
cd /etc/mastmaintd/remote; umask 077
ssh-keygen -q -t ed25519 -N '' -f id; printf '%s\n' "$SECRET" >pass
install -d -m 700 -o keeper /srv/keeper/.ssh; install -m 600 -o keeper id.pub /srv/keeper/.ssh/authorized_keys
printf '127.0.0.1 %s\n' "$(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" >known_hosts
printf '127.0.0.1 %s\n' "$(cut -d' ' -f1,2 id.pub)" >others_known
cd /; mkdir -p /run/sshd; systemctl start ssh
live=/srv/mastodon/live/public; mkdir -p $live /srv/mastodon/dumps; tar -xzf /root/system.tar.gz -C $live
cp /root/dump /srv/mastodon/dumps/mastodon-1.dump
as() { setpriv --reuid=keeper --regid=keeper --init-groups env HOME=/srv/keeper RESTIC_PASSWORD="$SECRET" BORG_PASSPHRASE="$SECRET" "$@"; }
chmod -R a+rX /srv/mastodon
as restic -q -r /srv/keeper/restic init; as borg init -e repokey /srv/keeper/borg
for night in 1 2; do
  head -c 1500000 /dev/urandom >/srv/mastodon/live/noise-$night; chmod 644 /srv/mastodon/live/noise-$night
  as restic -q -r /srv/keeper/restic backup /srv/mastodon
done
as borg create /srv/keeper/borg::mastodon-1 /srv/mastodon"#;

fn config() -> String {
    let place = |name: &str, place: &str, hosts: &str| {
        format!(
            "  {name}:\n    {place}\n    password_file: /etc/mastmaintd/remote/pass\n    ssh_key: /etc/mastmaintd/remote/id\n    \
             known_hosts: /etc/mastmaintd/remote/{hosts}\n    budget: {{bytes: 2 MB}}\n    prove_every: 2d\n"
        )
    };
    let restic = "{kind: restic, repository: 'sftp:keeper@127.0.0.1:/srv/keeper/restic'}";
    let borg = "{kind: borg, repository: 'ssh://keeper@127.0.0.1/srv/keeper/borg'}";
    let flat = |map: &str| map.trim_matches(['{', '}']).replace(", ", "\n    ");
    let backups = [
        place("snapshots", &flat(restic), "known_hosts"),
        place("archives", &flat(borg), "known_hosts"),
        place("stranger", &flat(borg), "others_known"),
        place("other-stranger", &flat(restic), "others_known"),
        "  database: {kind: postgres, in: snapshots, path: srv/mastodon/dumps/mastodon-*.dump}\n".to_owned(),
    ];
    format!(
        "defaults: {{timezone: UTC, timeout: 10m, grace: 5s, lock: backup}}\nbackups:\n{}jobs:\n  nightly:\n    steps:\n      \
         - {{verify: snapshots, continue: true}}\n      - {{verify: archives, continue: true}}\n      - {{verify: database, continue: true}}\n",
        backups.concat()
    )
}

fn backup(machine: &Machine, name: &str) -> Value {
    serde_json::from_str(&ctl(machine, &format!("backup {name} --json")).out).unwrap()
}

pub(crate) fn repositories_over_ssh_are_proved_with_keys_of_their_own(debian: Debian) {
    let machine = Machine::boot(debian);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/verify/tests/fixture");
    machine.put(&fixture.join("system.tar.gz"), "/root/system.tar.gz");
    machine.put(&fixture.join("mastodon-pg15.dump"), "/root/dump");
    install(&machine, &deb());
    machine.sh(&HOST.replace("$SECRET", SECRET)).ok();
    machine.write("/etc/mastmaintd/mastmaintd.yaml", &config());
    machine.sh("systemctl start mastmaintd").ok();
    let rooms = ctl(&machine, "rooms").ok();
    assert!(rooms.contains("remote") && rooms.contains("mastmaintd-remote"), "{rooms}");

    // Night after night a part that fits the budget, until all of it is proved.
    let mut nights = 0;
    loop {
        let done = ctl(&machine, "run nightly --follow");
        assert_eq!(done.status, 0, "{}{}", done.out, done.err);
        nights += 1;
        let all = ["snapshots", "archives"].map(|name| backup(&machine, name));
        for known in &all {
            assert_eq!(known["findings"].as_array().unwrap().len(), 0, "{known:#}");
        }
        if all.iter().all(|known| known["proof"]["proved"] == known["proof"]["files"]) {
            break;
        }
        assert!(nights < 20, "{all:#?}");
    }
    assert!(nights >= 2, "all in one night is more than the budget");
    let database = backup(&machine, "database");
    assert!(database["newest"]["name"].as_str().unwrap().contains("mastodon-1.dump"), "{database:#}");

    // Somebody else answers, as far as the room can know.
    for name in ["stranger", "other-stranger"] {
        let done = ctl(&machine, &format!("verify {name} --follow"));
        assert_eq!(done.status, 1, "{}{}", done.out, done.err);
        let known = backup(&machine, name);
        assert_eq!(known["findings"][0]["code"], "other-host", "{known:#}");
    }

    let told = "journalctl --no-pager -o export; cat /var/lib/mastmaintd/ledger.sqlite* /var/lib/mastmaintd-accepted/*/*";
    let seen = machine.sh(&format!("{{ {told}; }} | grep -ac {SECRET}"));
    assert_eq!(seen.out.trim(), "0", "the password was told");
    let exec = "/etc/systemd/system/mastmaintd-remote@.service.d/61-shell.conf";
    machine.write(exec, "[Service]\nNoExecPaths=\nExecPaths=\n");
    let tries = "/bin/sh -c 'cat /etc/mastmaintd/remote/pass /etc/mastmaintd/mastmaintd.yaml /etc/shadow 2>/dev/null; \
                 cat $CREDENTIALS_DIRECTORY/remote_pass; touch /srv/x /etc/x 2>/dev/null; id -un; grep CapEff /proc/self/status'";
    let (_, said) = within(&machine, "remote", tries);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words, [SECRET, "mastmaintd-remote", "CapEff:", "0000000000000000"], "{said}");
}

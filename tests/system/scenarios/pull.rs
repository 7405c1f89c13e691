//! Two machines: a Mastodon, and a backup server that keeps real snapshots of it. The server sends them when it is asked,
//! and pushes them by itself; whatever goes wrong in between changes nothing.

use super::restore::{LIVE, NIGHTS, furnished, is_restored, tree, wreck};
use crate::{
    answering::all_are,
    host::{configure, ctl, deb, install, within},
    image::Debian,
    machine::Machine,
};

const WEB: &str = "10.77.0.1";
const VAULT: &str = "10.77.0.2";

/// On the backup server: a key for its root, and whom it lets in by which key.
const KEYS: &str = "set -e; rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -A; install -d -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; mkdir -p /run/sshd; systemctl start ssh";
/// On the other: one that is good for one backup, and the same server for root.
const KEY: &str = "set -e; umask 077; ssh-keygen -q -t ed25519 -N '' -f /etc/mastmaintd/remote/id
install -d -m 700 /root/.ssh; mkdir -p /run/sshd; systemctl start ssh";

/// What is pulled, and by which knowledge of the other host.
fn jobs() -> String {
    let away = |name: &str, hosts: &str| {
        format!(
            "  {name}: {{kind: pulled, from: 'ssh://root@{VAULT}/files', max_age: 26h, ssh_key: /etc/mastmaintd/remote/id, \
             known_hosts: /etc/mastmaintd/remote/{hosts}}}\n"
        )
    };
    format!(
        "  nothing: {{steps: [{{run: /bin/true}}]}}\nbackups:\n{}{}",
        away("away", "known_hosts"),
        away("stranger", "others")
    )
}

fn rsnapshot() -> String {
    format!(
        "config_version\t1.2\nsnapshot_root\t/backup/snapshots/\ncmd_cp\t/bin/cp\ncmd_rm\t/bin/rm\n\
         cmd_rsync\t/usr/bin/rsync\ncmd_ssh\t/usr/bin/ssh\nretain\tdaily\t3\nlockfile\t/run/rsnapshot.pid\n\
         logfile\t/var/log/rsnapshot\nverbose\t1\nloglevel\t3\nbackup\troot@{WEB}:/home/mastodon/\tweb/\n"
    )
}

/// Which key a machine has, as others may write it down.
fn host_key(machine: &Machine) -> String {
    machine.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub").ok().trim().to_owned()
}

/// What the backup server does for the key that is good for one backup.
fn obeys(vault: &Machine, key: &str, command: &str) {
    vault.write("/root/.ssh/authorized_keys", &format!("restrict,command=\"{command}\" {key}\n"));
}

/// The two, which know and let in each other; the backup is proved where it lies.
fn both(debian: Debian) -> (Machine, Machine, String) {
    let (web, vault) = (furnished(debian), Machine::boot(debian));
    Machine::cable((&web, WEB), (&vault, VAULT));
    // What belongs to somebody else comes back so.
    web.sh(&format!("echo mine >{LIVE}/config/of-root && chown root:daemon {LIVE}/config/of-root && chmod 640 {LIVE}/config/of-root")).ok();
    web.sh(KEY).ok();
    install(&vault, &deb());
    vault.sh(KEYS).ok();
    let key = web.sh("cat /etc/mastmaintd/remote/id.pub").ok().trim().to_owned();
    let of_web = format!("{WEB} {}\n", host_key(&web));
    vault.write("/root/.ssh/known_hosts", &of_web);
    web.write("/root/.ssh/authorized_keys", &vault.sh("cat /root/.ssh/id_ed25519.pub").ok());
    let hosts = [("known_hosts", host_key(&vault)), ("others", host_key(&web))];
    for (name, of_vault) in hosts {
        web.write(&format!("/etc/mastmaintd/remote/{name}"), &format!("{VAULT} {of_vault}\n"));
    }
    obeys(&vault, &key, "mastmaintctl send files");
    vault.write("/etc/rsnapshot.conf", &rsnapshot());
    vault.sh(NIGHTS).ok();
    let config = "defaults: {timezone: UTC, timeout: 10m, grace: 5s}\nbackups:\n  files: {kind: rsnapshot, config: /etc/rsnapshot.conf, \
                  live: web/home/mastodon/live, max_age: 26h}\njobs:\n  nightly: {steps: [{verify: files}]}\n";
    vault.write("/etc/mastmaintd/mastmaintd.yaml", config);
    vault.sh("systemctl start mastmaintd").ok();
    let verified = ctl(&vault, "verify files --follow");
    assert_eq!(verified.status, 0, "{}{}", verified.out, verified.err);
    configure(&web, &jobs());
    ctl(&web, "reload").ok();
    (web, vault, key)
}

pub(crate) fn a_backup_server_sends_when_it_is_asked_and_by_itself(debian: Debian) {
    let (web, vault, key) = both(debian);
    let good = tree(&web, LIVE);
    assert!(good.contains("of-root f 640 0:1 "), "{good}");
    wreck(&web);
    let wrecked = tree(&web, LIVE);
    let refused = |line: &str, says: &str| {
        let done = ctl(&web, line);
        assert_eq!((done.status, done.err.contains(says)), (1, true), "{line}: {}{}", done.out, done.err);
        assert_eq!(tree(&web, LIVE), wrecked, "{line}");
        all_are(&web, "active");
    };

    // Another host answers; the connection is cut in the middle; the key is good for nothing else.
    refused("restore stranger --yes", "does not answer with the key that is known of it");
    let cut = "mastmaintctl send files | head -c 30000\np=$PPID\nuntil grep -q sshd /proc/$p/comm; do p=$(awk '/^PPid/ {print $2}' /proc/$p/status); done\n\
               kill -9 $p\nsleep 5\n";
    vault.write("/root/cut", cut);
    obeys(&vault, &key, "sh /root/cut");
    refused("restore away --yes", "cannot be reached, or not any more");
    obeys(&vault, &key, "mastmaintctl send others");
    refused("restore away --yes", "this key is good for");
    vault.sh("echo '# nobody' >/root/.ssh/authorized_keys").ok();
    refused("restore away --yes", "lets nobody in as root");
    obeys(&vault, &key, "mastmaintctl send files");
    refused("restore away --yes --snapshot daily.7", "daily.7");
    let units = web.sh("systemctl list-units --all --plain --no-legend 'mastmaintd-fetch@*'").ok();
    assert_eq!(units.trim(), "", "a room is left");

    // What can be pulled is the newest state, or one that is named.
    let kept = ctl(&web, "restore away --rehearse --snapshot daily.1");
    assert_eq!((kept.status, tree(&web, LIVE) == wrecked), (0, true), "{}{}", kept.out, kept.err);
    assert!(kept.err.contains("daily.1") || kept.out.contains("daily.1"), "{}{}", kept.out, kept.err);
    let restored = ctl(&web, "restore away --yes");
    assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
    is_restored(&web, &good, "what was pulled");

    // Who fetches owns nothing here and reads nothing but its key.
    let exec = "/etc/systemd/system/mastmaintd-fetch@.service.d/61-shell.conf";
    web.write(exec, "[Service]\nNoExecPaths=\nExecPaths=\n");
    let tries = "/bin/sh -c 'cat /etc/mastmaintd/remote/id /etc/mastmaintd/mastmaintd.yaml /etc/shadow 2>/dev/null; \
                 head -c 10 $CREDENTIALS_DIRECTORY/remote_id; touch /srv/x /etc/x 2>/dev/null; id -un; grep CapEff /proc/self/status'";
    let (_, said) = within(&web, "fetch", tries);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words, ["-----BEGINmastmaintd-remote", "CapEff:", "0000000000000000"], "{said}");

    pushed(&web, &vault, &good);
}

/// The other direction: the backup server does it by itself.
fn pushed(web: &Machine, vault: &Machine, good: &str) {
    const SEND: &str = "mastmaintctl send files";
    let receive = format!("ssh -o BatchMode=yes root@{WEB} mastmaintctl restore --stdin");
    wreck(web);
    let wrecked = tree(web, LIVE);
    // A line that breaks off, a host that is another one, and nobody who could be asked: nothing is changed.
    let cut = vault.sh(&format!("{SEND} | head -c 30000 | {receive} --yes"));
    assert_eq!((cut.status, tree(web, LIVE) == wrecked), (1, true), "{}{}", cut.out, cut.err);
    vault.sh("cp /root/.ssh/known_hosts /root/right; sed -i 's/AAAA/AAAB/' /root/.ssh/known_hosts").ok();
    let other = vault.sh(&format!("{SEND} | {receive} --yes"));
    assert_ne!(other.status, 0, "{}", other.err);
    vault.sh("mv /root/right /root/.ssh/known_hosts").ok();
    // Over ssh there is no terminal: what was sent is not sent again for that.
    let kept = vault.sh(&format!("{SEND} | {receive}"));
    assert_eq!(kept.status, 1, "{}{}", kept.out, kept.err);
    assert_eq!(tree(web, LIVE), wrecked);
    let run = kept.err.split("--prepared ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    let restored = ctl(web, &format!("restore --prepared {run} --yes"));
    assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
    is_restored(web, good, "what was received before");
    wreck(web);
    let restored = vault.sh(&format!("{SEND} | {receive} --yes"));
    assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
    is_restored(web, good, "what was pushed");
}

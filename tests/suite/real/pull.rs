//! A restore pulled from a backup host: a real sshd with a key that is good for one command, the programs as processes of
//! a daemon without systemd.

use mastmaint_tests::{
    Daemon, Place, Sshd, binaries,
    daemon::{children, runs},
    vite, wait_for,
};
use nix::unistd::{Pid, User};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// An instance whose backup lies on the other side of a server of ssh.
struct Scene {
    place: Place,
    sshd: Sshd,
    user: String,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new("").unwrap();
        let sshd = Sshd::start(&place.path("ssh")).unwrap();
        let user = User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
        let scene = Self { place, sshd, user };
        // The backup is what the instance was, with its assets built.
        let styles = scene.live().join(vite::STYLES);
        fs::create_dir_all(&styles).unwrap();
        fs::write(styles.join("application.scss"), "body { color: orange }\n").unwrap();
        vite::build(scene.live()).unwrap();
        fs::create_dir(scene.place.path("backup")).unwrap();
        let copied = Command::new("cp").arg("-a").arg(scene.live()).arg(scene.place.path("backup")).status();
        assert!(copied.unwrap().success());
        fs::write(scene.live().join("config/themes.yml"), "broken: true\n").unwrap();
        fs::write(scene.place.path("backup/live/config/a name\nwith a newline"), "odd").unwrap();
        scene
    }

    fn live(&self) -> &Path {
        self.place.instance.live()
    }

    /// With this key and these known hosts, at this port.
    fn configure(&self, key: &str, hosts: &str, port: u16) {
        let (user, at) = (&self.user, self.place.path("ssh"));
        let text = format!(
            "instance: {{live: {}, user: {user}, services: [mastodon-web]}}\ndefaults: {{timezone: UTC, timeout: 2m, grace: 2s}}\n\
             backups:\n  away: {{kind: pulled, from: 'ssh://{user}@127.0.0.1:{port}/files', ssh_key: {at}/{key}, known_hosts: {at}/{hosts}}}\n\
             jobs:\n  rehearse: {{steps: [{{restore: {{backup: away, rehearse: true, unproved: true}}}}]}}\n  \
             older: {{steps: [{{restore: {{backup: away, snapshot: daily.1, rehearse: true, with_media: true, unproved: true}}}}]}}\n",
            self.live().display(),
            at = at.display(),
        );
        self.place.configure_whole(&text).unwrap();
    }

    /// What the other host does when it is asked: it sends a backup that lies there under a name.
    fn sends(&self, name: &str) -> String {
        let order = json!({
            "run": "20261126T200000Z-7k3f9q", "name": name, "live": "/home/mastodon/live", "user": "", "unproved": true,
            "backup": {"kind": "tree", "path": self.place.path("backup"), "live": "live", "prove_every": "7d", "wait": "2h"},
        });
        let [program, state] = [binaries::path("mastmaint-restore"), self.place.path("other")]
            .map(|path| path.display().to_string());
        format!("'{program}' --state '{state}' --proofs '{state}/proofs' send '{order}'")
    }

    /// The reasons of a run that failed; nothing is left of its copy, and live is as it was.
    fn refused(&self, daemon: &Daemon, job: &str) -> String {
        daemon.ctl(&["run", job, "--follow"]).exits(1);
        let run = daemon.ended(job);
        assert_eq!(run["outcome"], "failed", "{run:#}");
        assert!(self.copy(&run).is_none(), "{run:#}");
        let themes = fs::read_to_string(self.live().join("config/themes.yml")).unwrap();
        assert_eq!(themes, "broken: true\n");
        run["steps"][0]["reasons"].to_string()
    }

    /// The copy that a run has left.
    fn copy(&self, run: &Value) -> Option<PathBuf> {
        let copy = self.live().with_file_name(".mastmaintd-restore").join(run["run"].as_str()?).join("live");
        copy.exists().then_some(copy)
    }
}

#[test]
fn what_another_host_sends_when_it_is_asked_is_a_checked_copy() {
    if !Sshd::is_here() {
        return;
    }
    let scene = Scene::new();
    scene.configure("id", "known_hosts", scene.sshd.port());
    let daemon = scene.place.start().unwrap();
    scene.sshd.obeys(&scene.sends("files")).unwrap();
    daemon.ctl(&["run", "rehearse", "--follow"]).exits(0);
    let run = daemon.ended("rehearse");
    assert_eq!(run["outcome"], "ok", "{run:#}");
    assert_eq!(scene.sshd.asked(), "mastmaintctl send files --unproved");
    let copy = scene.copy(&run).unwrap();
    let odd = fs::read_to_string(copy.join("config/a name\nwith a newline")).unwrap();
    assert_eq!(odd, "odd");
    let themes = fs::read_to_string(copy.join("config/themes.yml")).unwrap();
    assert_eq!(themes, "default: styles/application.scss\n");
    // Nothing of it is verified here, and nobody is told that it should be.
    let listed = daemon.ctl(&["backups", "--json"]).exits(0).json();
    assert_eq!((&listed["unverified"], &listed["overdue"]), (&json!([]), &json!([])), "{listed:#}");
    daemon.ctl(&["verify", "away"]).exits(1);

    // A state that was chosen by its name, of a key that always sends the newest: it is another one.
    let reasons = scene.refused(&daemon, "older");
    assert_eq!(scene.sshd.asked(), "mastmaintctl send files --snapshot daily.1 --with-media --unproved");
    assert!(reasons.contains("another state is announced than was asked for"), "{reasons}");
    scene.sshd.obeys(&scene.sends("others")).unwrap();
    let reasons = scene.refused(&daemon, "rehearse");
    assert!(reasons.contains("another backup is announced than was asked for"), "{reasons}");
}

#[test]
fn each_way_in_which_another_host_does_not_send_has_its_sentence_and_changes_nothing() {
    if !Sshd::is_here() {
        return;
    }
    let scene = Scene::new();
    let port = scene.sshd.port();
    scene.configure("id", "known_hosts", port);
    let daemon = scene.place.start().unwrap();
    // The connection is cut in the middle: who serves it is killed.
    let whole = scene.sends("files");
    let served = "until grep -q sshd /proc/$p/comm; do p=$(awk '/^PPid/ {print $2}' /proc/$p/status); done";
    scene.sshd.obeys(&format!("{whole} | head -c 20000; p=$PPID; {served}; kill -9 $p; sleep 5")).unwrap();
    let reasons = scene.refused(&daemon, "rehearse");
    assert!(
        reasons.contains("no-answer") && reasons.contains("cannot be reached, or not any more"),
        "{reasons}"
    );
    // It says that it is done before it is.
    scene.sshd.obeys(&format!("{whole} | head -c 20000")).unwrap();
    let reasons = scene.refused(&daemon, "rehearse");
    assert!(reasons.contains("cut-short"), "{reasons}");
    // It does not want to.
    scene
        .sshd
        .obeys("echo 'mastmaint-restore: error: files is not proved [not-proved]' >&2; exit 1")
        .unwrap();
    let reasons = scene.refused(&daemon, "rehearse");
    assert!(reasons.contains("does not send files: ") && reasons.contains("is not proved"), "{reasons}");
    scene.sshd.obeys("exec no-such-program").unwrap();
    let reasons = scene.refused(&daemon, "rehearse");
    assert!(reasons.contains("has no mastmaintctl for"), "{reasons}");
    scene.sshd.obeys("echo Welcome").unwrap();
    let reasons = scene.refused(&daemon, "rehearse");
    assert!(reasons.contains("not from mastmaintctl send"), "{reasons}");

    for (key, hosts, port, code) in [
        ("other", "known_hosts", port, "wrong-key"),
        ("id", "others_known", port, "other-host"),
        ("id", "known_hosts", 1, "no-answer"),
        ("none", "known_hosts", port, "no-key"),
    ] {
        scene.configure(key, hosts, port);
        daemon.ctl(&["reload"]).exits(0);
        let reasons = scene.refused(&daemon, "rehearse");
        assert!(reasons.contains(&format!("\"{code}\"")), "{code}: {reasons}");
    }
}

#[test]
fn nobody_goes_on_when_nobody_waits_any_more() {
    if !Sshd::is_here() {
        return;
    }
    let scene = Scene::new();
    scene.configure("id", "known_hosts", scene.sshd.port());
    let daemon = scene.place.start().unwrap();
    scene.sshd.obeys("sleep 600").unwrap();
    daemon.ctl(&["run", "rehearse"]).exits(0);
    // As the kernel cuts their names.
    let chain = ["mastmaint-resto", "mastmaint-fetch", "ssh"];
    let at_work = || {
        let below =
            |pids: Vec<Pid>, name: &&str| pids.into_iter().flat_map(|pid| children(pid, name)).collect();
        chain.iter().fold(daemon.below("mastmaint-runne"), below)
    };
    assert!(wait_for(|| !at_work().is_empty()), "{}", daemon.log());
    let ssh = at_work()[0];
    daemon.ctl(&["cancel", "rehearse"]).exits(0);
    assert_eq!(daemon.ended("rehearse")["outcome"], "cancelled");
    assert!(wait_for(|| !runs(ssh.as_raw())), "ssh goes on");
}

//! Backups that are verified by a job: the program, its proofs and its verdict, without root and systemd.

use mastmaint_tests::{Place, binaries};
use serde_json::Value;
use std::{fs, process::Command};

fn place() -> Place {
    let place = Place::new("  idle:\n    steps: [{run: /bin/true}]\n").unwrap();
    fs::create_dir_all(place.path("mirror/live")).unwrap();
    for n in 0..30 {
        fs::write(place.path(&format!("mirror/live/{n}")), format!("content of {n}")).unwrap();
    }
    let mirror = place.path("mirror").display().to_string();
    place
        .configure_whole(&format!(
            "defaults: {{timezone: UTC, timeout: 1m, grace: 2s}}\nbackups:\n  mirror:\n    kind: tree\n    path: {mirror}\n    \
             require: [live]\n    forbid: [cache]\njobs:\n  prove:\n    steps: [{{verify: mirror, full: true}}]\n"
        ))
        .unwrap();
    place
}

#[test]
fn a_verification_is_a_step_with_a_proved_verdict() {
    let place = place();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "prove", "--follow"]).exits(0);
    let run = daemon.ended("prove");
    assert_eq!((&run["outcome"], &run["steps"][0]["grade"]), (&"ok".into(), &"proved".into()), "{run:#}");
    assert!(run.to_string().contains("30 of 30 files proved"), "{run:#}");
    // Something that must not be there: a warning.
    fs::create_dir(place.path("mirror/cache")).unwrap();
    fs::write(place.path("mirror/cache/x"), "x").unwrap();
    daemon.ctl(&["run", "prove", "--follow"]).exits(1);
    let run = daemon.ended("prove");
    assert_eq!(run["outcome"], "partial", "{run:#}");
    assert!(run.to_string().contains("forbidden-present"), "{run:#}");
    let listed = daemon.ctl(&["backups", "--json"]).exits(0).json();
    let backup = &listed["backups"][0];
    assert_eq!((&backup["backup"], &backup["run"]), (&"mirror".into(), &run["run"]), "{listed:#}");
    assert_eq!((&backup["worst"], &backup["proof"]["proved"]), (&"warn".into(), &31.into()), "{listed:#}");
    assert_eq!(backup["findings"][0]["code"], "forbidden-present", "{listed:#}");
    // Rot: same size, same time.
    let rotten = place.path("mirror/live/7");
    let time = fs::metadata(&rotten).unwrap().modified().unwrap();
    fs::write(&rotten, "kontent of 7").unwrap();
    fs::File::open(&rotten).unwrap().set_modified(time).unwrap();
    daemon.ctl(&["run", "prove", "--follow"]).exits(1);
    let run = daemon.ended("prove");
    assert_eq!(run["outcome"], "failed", "{run:#}");
    assert!(run.to_string().contains("\"rot\""), "{run:#}");
}

#[test]
fn it_needs_no_daemon() {
    let place = place();
    let once = || {
        let mut command = Command::new(binaries::path("mastmaintd"));
        command.args(place.arguments()).args(["--run", "prove"]).output().unwrap()
    };
    let said = once();
    assert!(said.status.success(), "{said:?}");
    fs::remove_dir_all(place.path("mirror")).unwrap();
    assert_eq!(once().status.code(), Some(1), "an absent backup is not well");
}

#[test]
fn a_backup_that_the_configuration_lacks_is_a_mistake_with_its_place() {
    let place = place();
    let text = fs::read_to_string(place.config()).unwrap();
    place.configure_whole(&text.replace("verify: mirror", "verify: miror")).unwrap();
    let said =
        Command::new(binaries::path("mastmaintctl")).arg("check").arg(place.config()).output().unwrap();
    assert_eq!(said.status.code(), Some(78));
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(
        text.contains("jobs.prove.steps[1].verify") && text.contains("did you mean \"mirror\"?"),
        "{text}"
    );
}

fn rot(place: &Place, name: &str, content: &str) {
    let rotten = place.path(&format!("mirror/live/{name}"));
    let time = fs::metadata(&rotten).unwrap().modified().unwrap();
    fs::write(&rotten, content).unwrap();
    fs::File::open(&rotten).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_backup_is_verified_by_hand_shown_and_its_findings_acknowledged() {
    let place = place();
    let daemon = place.start().unwrap();
    let before = daemon.ctl(&["backups", "--json"]).exits(0).json();
    assert_eq!(before["unverified"][0], "mirror", "{before:#}");
    daemon.ctl(&["verify", "mirror", "--follow"]).exits(0);
    let known = daemon.ctl(&["backup", "mirror", "--json"]).exits(0).json();
    assert_eq!((&known["proof"]["proved"], &known["version"]), (&30.into(), &1.into()), "{known:#}");
    // Nobody wrote a job for it, and nobody is shown one.
    let jobs = daemon.ctl(&["jobs", "--json"]).exits(0).stdout;
    assert!(!jobs.contains("verify:mirror"), "{jobs}");
    let history = daemon.ctl(&["history", "--json"]).exits(0).stdout;
    assert!(history.contains("verify:mirror"), "{history}");

    rot(&place, "7", "kontent of 7");
    daemon.ctl(&["verify", "mirror", "--follow"]).exits(0);
    daemon.ctl(&["verify", "mirror", "--full", "--follow"]).exits(1);
    let known = daemon.ctl(&["backup", "mirror", "--json"]).exits(0).json();
    let finding = &known["findings"][0];
    assert_eq!((&finding["code"], &finding["severity"]), (&"rot".into(), &"fail".into()), "{known:#}");
    let id = finding["id"].as_str().unwrap();
    daemon.ctl(&["ack", "F999"]).exits(1);
    daemon.ctl(&["ack", id, "--until", "3d"]).exits(0);
    // It is still what it was, and what was said to it stays over another night and another daemon.
    daemon.stop().unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "prove", "--follow"]).exits(1);
    let known = daemon.ctl(&["backup", "mirror", "--json"]).exits(0).json();
    let finding = &known["findings"][0];
    assert_eq!((&finding["id"], &finding["ack"]["uid"]), (&id.into(), &uid()), "{known:#}");
    daemon.ctl(&["backup", "nothing"]).exits(1);
}

fn uid() -> Value {
    nix::unistd::geteuid().as_raw().into()
}

#[test]
fn a_manifest_has_everything_with_its_hash() {
    let place = place();
    let daemon = place.start().unwrap();
    daemon.ctl(&["verify", "mirror", "--follow"]).exits(0);
    std::os::unix::fs::symlink("live/7", place.path("mirror/link")).unwrap();
    let (config, state) = (place.config(), place.path("state/rooms/verify"));
    let [config, state] = [&config, &state].map(|path| path.to_str().unwrap());
    let manifest = daemon.ctl(&["manifest", "mirror", "--json", "--config", config, "--state", state]);
    let manifest = manifest.exits(0).json();
    let entries = manifest["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 32, "{manifest:#}");
    let link = entries.iter().find(|e| e["path"] == "link").unwrap();
    assert_eq!((&link["type"], &link["target"]), (&"link".into(), &"live/7".into()));
    assert_eq!(entries.iter().filter(|e| e["blake3"].is_string()).count(), 30);
    let text = daemon.ctl(&["manifest", "mirror", "--config", config, "--state", state]).exits(0).stdout;
    assert_eq!(text.lines().count(), 32, "{text}");
    daemon.ctl(&["manifest", "miror", "--config", config]).exits(2);
}

/// The real dump, brought to life without a daemon. PostgreSQL refuses root, and then that is said.
#[test]
fn a_drill_needs_no_daemon_and_no_rooms() {
    let place = place();
    fs::create_dir(place.path("dumps")).unwrap();
    let dump = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/mastodon-pg15.dump");
    fs::copy(dump, place.path("dumps/mastodon-1.dump")).unwrap();
    let dumps = place.path("dumps").display().to_string();
    place
        .configure_whole(&format!(
            "defaults: {{timezone: UTC, timeout: 2m, grace: 2s}}\nbackups:\n  database:\n    kind: postgres\n    \
             path: {dumps}/mastodon-*.dump\n    drill: {{reserve: 1 MB}}\njobs:\n  prove:\n    steps: [{{verify: database}}]\n"
        ))
        .unwrap();
    let mut command = Command::new(binaries::path("mastmaintd"));
    let said = command.args(place.arguments()).args(["--run", "prove"]).output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    if nix::unistd::geteuid().is_root() {
        assert_eq!(said.status.code(), Some(1), "{text}");
        assert!(text.contains("PostgreSQL refuses to run as root"), "{text}");
    } else {
        assert_eq!(said.status.code(), Some(0), "{text}");
        assert!(text.contains("115 tables, 1 user, 4 local posts"), "{text}");
    }
}

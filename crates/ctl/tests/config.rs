//! `mastmaintctl check`, `config` and `rooms` on files, without a daemon.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const GOOD: &str = r#"instance:
  live: /srv/social/live
  user: nobody
  environment: {PATH: "/usr/local/bin:/usr/bin:/bin"}
defaults: {timezone: UTC}
jobs:
  clean-media:
    schedule: "30 0 * * *"
    steps:
      - tootctl: media remove --days 14
  rebuild-feeds:
    steps:
      - tootctl: feeds build --all
"#;

fn file(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("mastmaintd.yaml");
    fs::write(&path, text).unwrap();
    // Whatever the umask is, this is what a configuration has to be like.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    path
}

fn ctl(args: &[&str], file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mastmaintctl"));
    command.args(args).arg(file).env("TZ", "UTC").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_good_file_is_ok_and_tells_what_comes_next() {
    let dir = tempfile::tempdir().unwrap();
    let output = ctl(&["check"], &file(dir.path(), GOOD));
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let text = out(&output);
    assert!(text.starts_with("ok: 2 jobs, 1 of them by hand only\n"), "{text}");
    assert!(text.contains(" 00:30:00 UTC (in ") && text.contains("clean-media"), "{text}");
}

#[test]
fn every_mistake_is_told_with_a_caret_and_78() {
    let dir = tempfile::tempdir().unwrap();
    let bad = GOOD.replace("  user:", "  usr:").replace("30 0 * * *", "30 0 * *");
    let path = file(dir.path(), &bad);
    for command in ["check", "config"] {
        let output = ctl(&[command], &path);
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(78), ""), "{command}");
        let talk = err(&output);
        for part in [&format!("{}:3:", path.display()), ":8:", "usr", "\n", "^", "2 mistakes", "[bad-config]"]
        {
            assert!(talk.contains(part), "{part:?} in {talk}");
        }
    }
    let missing = ctl(&["check"], &dir.path().join("missing.yaml"));
    assert_eq!(missing.status.code(), Some(78));
}

#[test]
fn the_effective_configuration_is_one_itself() {
    let dir = tempfile::tempdir().unwrap();
    let first = ctl(&["config"], &file(dir.path(), GOOD));
    assert_eq!(first.status.code(), Some(0), "{}", err(&first));
    let again = ctl(&["config"], &file(dir.path(), &out(&first)));
    assert_eq!(out(&again), out(&first), "{}", err(&again));
}

#[test]
fn the_rooms_follow_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let units = dir.path().join("units");
    let units_arg = units.to_str().unwrap();
    let path = file(dir.path(), GOOD);
    let rooms = |more: &[&str]| {
        ctl(&[&["rooms", "--systemd-dir", units_arg][..], more, &["--config"]].concat(), &path)
    };
    let drop_in = units.join("mastmaintd-tootctl@.service.d/50-mastmaintd-rooms.conf");

    let before = rooms(&[]);
    assert_eq!(before.status.code(), Some(1), "{}", err(&before));
    assert!(out(&before).contains(": missing\n") && !drop_in.exists());
    let applied = rooms(&["--apply"]);
    assert_eq!(applied.status.code(), Some(0), "{}", err(&applied));
    assert!(err(&applied).contains(&format!("wrote {}\n", drop_in.display())));
    let text = fs::read_to_string(&drop_in).unwrap();
    assert!(
        text.contains("\nUser=nobody\n") && text.contains("\nReadWritePaths=-/srv/social/live/log\n"),
        "{text}"
    );
    let again = rooms(&["--apply", "--json"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(!err(&again).contains("wrote"));
    let value: serde_json::Value = serde_json::from_str(&out(&again)).unwrap();
    assert_eq!((&value["version"], &value["rooms"][0]["state"]), (&1.into(), &"up-to-date".into()));

    file(dir.path(), "jobs: {}\n");
    let gone = rooms(&["--apply"]);
    assert_eq!(gone.status.code(), Some(0), "{}", err(&gone));
    assert!(err(&gone).contains("removed") && !drop_in.exists());
}

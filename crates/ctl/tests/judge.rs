//! `mastmaintctl judge` on every recording of real commands, and on what people type.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/recordings");

fn judge(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mastmaintctl")).arg("judge").args(args).output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{error}"))
}

/// A scalar of `case.yaml`: every value stands on the line of its key.
fn scalar(yaml: &str, key: &str) -> Option<String> {
    let line = yaml.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(": "))?;
    Some(line.trim_matches('"').to_owned()).filter(|v| v != "null")
}

fn folders() -> Vec<PathBuf> {
    let below = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).unwrap().map(|e| e.unwrap().path());
        entries.filter(|p| p.is_dir()).collect()
    };
    below(Path::new(RECORDINGS)).iter().flat_map(|version| below(version)).collect()
}

#[test]
fn the_verdict_on_every_recording_is_the_truth() {
    let mut wrong = Vec::new();
    let folders = folders();
    for folder in &folders {
        let yaml = fs::read_to_string(folder.join("case.yaml")).unwrap();
        if !matches!(scalar(&yaml, "told_by").unwrap().as_str(), "exit" | "output") {
            continue;
        }
        let version = folder.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let end = match (scalar(&yaml, "exit"), scalar(&yaml, "signal")) {
            (Some(status), _) => ["--exit".to_owned(), status],
            (None, signal) => ["--signal".to_owned(), signal.unwrap()],
        };
        let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
        let command = scalar(&yaml, "command").unwrap();
        let mut args = vec!["--mastodon", version, &end[0], &end[1], "--json"];
        args.extend(["--stdout", stdout.to_str().unwrap(), "--stderr", stderr.to_str().unwrap(), "--"]);
        args.extend(command.split_whitespace());
        let output = judge(&args);
        let (told, truth) = (json(&output), scalar(&yaml, "truth").unwrap());
        assert_eq!(told["version"], 1);
        assert_eq!(output.status.code(), Some(i32::from(told["outcome"] != "ok")), "{}", folder.display());
        if told["outcome"] != truth.as_str() {
            wrong.push(format!("{}: {truth} is {told}", folder.display()));
        }
        assert!(told["outcome"] == "ok" || !told["reasons"][0]["text"].as_str().unwrap().is_empty());
    }
    assert!(folders.len() > 100 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_people_type_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let stdout = dir.path().join("stdout");
    fs::write(&stdout, "Removed 15 media attachments (approx. 1.11 MB)\n").unwrap();
    let files = ["--stdout", stdout.to_str().unwrap(), "--stderr", "/dev/null"];
    let run = |end: &[&str], command: &[&str]| judge(&[end, &files, &["--"], command].concat());
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();

    let fine =
        run(&["--exit", "0"], &["RAILS_ENV=production", "./bin/tootctl", "media", "remove", "-d", "7"]);
    assert_eq!(
        (fine.status.code(), said(&fine).as_str()),
        (Some(0), "ok (read)\n  15 visited, 15 removed, 1.11 MB\n")
    );
    let quoted = run(&["--exit", "0"], &["bundle exec bin/tootctl media remove"]);
    assert_eq!(quoted.status.code(), Some(0));
    let newer = run(&["--exit", "0", "--mastodon", "9.1"], &["bin/tootctl", "media", "remove"]);
    assert!(newer.status.success() && String::from_utf8_lossy(&newer.stderr).contains("newer"));
    for signal in ["TERM", "SIGINT", "9", "hup"] {
        let cut = run(&["--signal", signal], &["bin/tootctl", "media", "remove"]);
        assert_eq!(cut.status.code(), Some(1));
        assert!(said(&cut).starts_with("cancelled (exit)"), "{}", said(&cut));
    }
    for args in [&["--exit", "0", "--signal", "TERM"][..], &[], &["--exit", "256"], &["--signal", "NOPE"]] {
        assert_eq!(run(args, &["bin/tootctl"]).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(
        judge(&["--exit", "0", "--stdout", "/no/such", "--stderr", "/dev/null", "--", "x"]).status.code(),
        Some(1)
    );
}

//! The verdict on every recording of real tootctl: fine exactly when it was, and what it was wherever that can be told.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use mastmaint_runner::{
    exec::Ending,
    saved,
    verdict::{Judge, Signals, Terms},
};
use mastmaint_tootctl::Version;
use mastmaint_words::{Numbers, Outcome, Verdict};
use std::{fs, path::Path};

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/recordings");

struct Case {
    name: String,
    argv: Vec<String>,
    truth: String,
    told_by: String,
    ending: Ending,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// A scalar of `case.yaml`: every value stands on the line of its key.
fn scalar(yaml: &str, key: &str) -> Option<String> {
    let line = yaml.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(": "))?;
    Some(line.trim_matches('"').to_owned()).filter(|v| v != "null")
}

fn load(folder: &Path) -> Case {
    let yaml = fs::read_to_string(folder.join("case.yaml")).unwrap();
    let ending = match (scalar(&yaml, "exit"), scalar(&yaml, "signal")) {
        (Some(status), _) => Ending::Exited(status.parse().unwrap()),
        (None, Some(name)) => Ending::Signalled { name, by_oom_killer: false },
        (None, None) => panic!("{} has no end", folder.display()),
    };
    let command = scalar(&yaml, "command").unwrap();
    Case {
        name: folder.strip_prefix(RECORDINGS).unwrap().display().to_string(),
        argv: command.split_whitespace().map(str::to_owned).collect(),
        truth: scalar(&yaml, "truth").unwrap(),
        told_by: scalar(&yaml, "told_by").unwrap(),
        ending,
        stdout: fs::read(folder.join("stdout")).unwrap(),
        stderr: fs::read(folder.join("stderr")).unwrap(),
    }
}

fn cases() -> Vec<Case> {
    let versions = fs::read_dir(RECORDINGS).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir());
    let folders = versions.flat_map(|v| fs::read_dir(v).unwrap().map(|e| e.unwrap().path()));
    let mut cases: Vec<_> = folders.map(|f| load(&f)).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(cases.len() > 100, "only {} recordings were found", cases.len());
    cases
}

fn judge(case: &Case, signals: Signals) -> Verdict {
    let version = case.name.split('/').next().unwrap().parse::<Version>().unwrap().series();
    let judge =
        Judge::of_line(&case.argv).with(Terms { version: Some(version), signals, ..Terms::default() });
    saved::judge(&judge, case.ending.clone(), case.stdout.as_slice(), case.stderr.as_slice()).unwrap()
}

fn case(name: &str) -> Verdict {
    judge(&load(&Path::new(RECORDINGS).join(name)), Signals::Stranger)
}

#[test]
fn every_recording_gets_the_outcome_that_was_true() {
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|c| c.told_by == "exit" || c.told_by == "output") {
        let verdict = judge(case, Signals::Person);
        if verdict.outcome.as_str() != case.truth {
            wrong.push(format!("{}: {} is {verdict}", case.name, case.truth));
        }
        if verdict.outcome != Outcome::Ok {
            assert!(!verdict.reasons.is_empty(), "{}: no reason", case.name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reasons_have_names() {
    for (name, code, is_worth_retrying) in [
        ("4.6.5/postgres-down-media", "postgres-unreachable", true),
        ("4.3.23/postgres-down-media", "postgres-unreachable", true),
        ("4.6.5/redis-down-cache", "redis-unreachable", true),
        ("4.3.23/redis-down-cache", "redis-unreachable", true),
        ("4.3.23/redis-down-media", "redis-unreachable", true),
        ("4.6.5/media-remove-postgres-restart", "postgres-unreachable", true),
        ("4.6.5/accounts-refresh-domain", "network-unreachable", true),
        ("4.6.5/search-deploy-no-elasticsearch", "search-unreachable", true),
        ("4.6.5/s3-media-remove-refused", "network-unreachable", true),
        ("4.6.5/s3-orphans-403", "store-refused", false),
        ("4.6.5/media-remove-permission-some", "permission-denied", false),
        ("4.6.5/media-remove-database-read-only", "database-read-only", false),
        ("4.6.5/statuses-remove-statement-timeout", "database-timeout", false),
        ("4.6.5/database-missing", "database-missing", false),
        ("4.6.5/as-root", "database-refused", false),
        ("4.6.5/gems-missing", "gems-missing", false),
        ("4.6.5/path-without-ruby", "ruby-missing", false),
        ("4.6.5/rails-env-missing", "rails-env-missing", false),
        ("4.6.5/env-file-missing", "settings-missing", false),
        ("4.6.5/media-both-flags", "usage-error", false),
        ("4.6.5/unknown-command", "usage-error", false),
        ("4.6.5/no-arguments", "no-command", false),
        ("4.6.5/stdout-closed", "no-success-line", false),
        ("4.6.5/media-remove-sigint", "killed-from-outside", false),
        ("4.6.5/statuses-remove-sigkill", "killed-from-outside", false),
        ("4.6.5/media-remove-database-refuses-all", "database-read-only", false),
        ("4.6.5/assets-theme-broken-import", "build-failed", false),
    ] {
        let verdict = case(name);
        assert_eq!(verdict.reasons[0].code, code, "{name}: {verdict}");
        assert_eq!(verdict.is_worth_retrying(), is_worth_retrying, "{name}");
    }
}

#[test]
fn the_numbers_are_those_of_the_output() {
    let numbers = |visited, failed, removed, bytes| Numbers { visited, failed, removed, bytes };
    for (name, expected) in [
        ("4.6.5/media-remove-ok", numbers(Some(15), None, Some(15), Some(1_163_919))),
        ("4.6.5/locale-de", numbers(Some(15), None, Some(15), Some(1_163_919))),
        ("4.6.5/tty", numbers(Some(15), None, Some(15), Some(1_163_919))),
        ("4.6.5/media-remove-permission-some", numbers(Some(15), Some(4), Some(11), Some(850_944))),
        ("4.6.5/media-remove-permission-all", numbers(Some(15), Some(15), Some(0), Some(0))),
        ("4.3.23/orphans-permission", numbers(Some(5), Some(2), Some(3), Some(60_006))),
        ("4.6.5/accounts-cull", numbers(Some(15), None, Some(0), None)),
        ("4.6.5/statuses-remove-ok", numbers(Some(135), None, Some(135), None)),
        ("4.6.5/cache-clear", numbers(None, None, None, None)),
    ] {
        assert_eq!(case(name).numbers, expected, "{name}");
    }
}

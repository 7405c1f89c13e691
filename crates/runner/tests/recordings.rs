//! The verdict on every recording of real tootctl: fine exactly when it was, and what it was wherever that can be told.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use jiff::Timestamp;
use mastmaint_runner::{
    exec::{Ended, Ending},
    output::Reader,
    protocol::Stream,
    redact::Redactor,
    verdict::{judge_program, judge_tootctl},
};
use mastmaint_words::{Numbers, Outcome, Verdict};
use std::{fs, path::Path};

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/recordings");

struct Case {
    name: String,
    args: Option<Vec<String>>,
    truth: String,
    told_by: String,
    ended: Ended,
}

/// A scalar of `case.yaml`: every value stands on the line of its key.
fn scalar(yaml: &str, key: &str) -> Option<String> {
    let line = yaml.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(": "))?;
    Some(line.trim_matches('"').to_owned()).filter(|v| v != "null")
}

fn load(folder: &Path) -> Case {
    let yaml = fs::read_to_string(folder.join("case.yaml")).unwrap();
    let redactor = Redactor::from_secrets([]);
    let mut reader = Reader::new(&redactor);
    for (stream, file) in [(Stream::Stdout, "stdout"), (Stream::Stderr, "stderr")] {
        let bytes = fs::read(folder.join(file)).unwrap();
        reader.feed(Timestamp::UNIX_EPOCH, stream, &bytes, &mut |_| ());
    }
    let (summary, _) = reader.finish(Timestamp::UNIX_EPOCH, &mut |_| ());
    let ending = match (scalar(&yaml, "exit"), scalar(&yaml, "signal")) {
        (Some(status), _) => Ending::Exited(status.parse().unwrap()),
        (None, Some(name)) => Ending::Signalled { name, by_oom_killer: false },
        (None, None) => panic!("{} has no end", folder.display()),
    };
    let command = scalar(&yaml, "command").unwrap();
    let (program, args) = command.split_once(' ').unwrap_or((&command, ""));
    Case {
        name: folder.strip_prefix(RECORDINGS).unwrap().display().to_string(),
        args: program.ends_with("tootctl").then(|| args.split_whitespace().map(str::to_owned).collect()),
        truth: scalar(&yaml, "truth").unwrap(),
        told_by: scalar(&yaml, "told_by").unwrap(),
        ended: Ended { ending, cut_short: None, summary, survivors_killed: 0, oom_kills: 0 },
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

fn judge(case: &Case) -> Verdict {
    match &case.args {
        Some(args) => judge_tootctl(args, &case.ended),
        None => judge_program(&case.ended),
    }
}

fn case(name: &str) -> Verdict {
    judge(&load(&Path::new(RECORDINGS).join(name)))
}

#[test]
fn every_recording_gets_the_outcome_that_was_true() {
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|c| c.told_by == "exit" || c.told_by == "output") {
        let verdict = judge(case);
        let expected: &[Outcome] = match case.truth.as_str() {
            "ok" => &[Outcome::Ok],
            "partial" => &[Outcome::Partial],
            // Only for tootctl is it known what an error line means.
            "failed" if case.args.is_none() => &[Outcome::Failed, Outcome::Partial],
            // Also "cancelled": the signals of those came from outside, not from a cancel.
            _ => &[Outcome::Failed],
        };
        if !expected.contains(&verdict.outcome) {
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
        ("4.6.5/search-deploy-no-elasticsearch", "network-unreachable", true),
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

//! Command lines as people write them, right and wrong.

use super::Call;
use crate::Series;
use proptest::prelude::*;

fn misuses(line: &str, version: Option<Series>) -> Vec<(usize, &'static str, bool)> {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let call = Call::read(&args, version);
    call.misuses().iter().map(|m| (m.word, m.wrong.code(), m.is_silent)).collect()
}

#[test]
fn what_is_right_passes() {
    for line in [
        "media remove",
        "media remove --days 7 --concurrency=5 -v",
        "media remove -d7 --dry_run",
        "media remove -d 0.5",
        "media remove -vc 5",
        "media remove --prune-profiles --include-follows",
        "media remove --prune-profiles --no-remove-headers --remove-headers=false",
        "media refresh --status 117663464965972117",
        "accounts cull",
        "accounts cull --dry_run -c5 a.example b.example",
        "accounts cull --no-dry-run --concurrency=5",
        "accounts cull -- --a-name",
        "accounts refresh --domain remote.example -vc 5",
        "accounts refresh --verbose bob@remote.example",
        "search deploy --only accounts statuses --no-import",
        "statuses remove --skip-status-remove --batch-size 10",
        "cache recount accounts",
        "feeds build",
        "ip_blocks add 10.0.0.0/8 --severity no_access --duration 60",
        "settings registrations open",
        "emoji import /tmp/x.tar.gz --category cats",
        "--version",
        "version",
    ] {
        assert_eq!(misuses(line, None), [], "{line}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (line, expected) in [
        ("", (0, "no-command", true)),
        ("media", (0, "no-command", true)),
        ("media --days 7", (0, "no-command", true)),
        ("media purge", (1, "unknown-command", false)),
        ("media help remove", (0, "only-help", true)),
        ("accounts cull --help", (2, "only-help", true)),
        ("media remove --day 7", (2, "unknown-option", false)),
        ("accounts cull --dryrun", (2, "unknown-option", true)),
        ("accounts cull -d", (2, "unknown-option", true)),
        ("accounts cull a.example —dry-run", (3, "dash", true)),
        ("media remove –days 7", (2, "dash", false)),
        ("media remove --days", (2, "no-number", false)),
        ("media remove --days seven", (2, "no-number", false)),
        ("media remove --days --dry-run", (2, "no-number", false)),
        ("media remove --days -7", (2, "number-too-small", true)),
        ("media remove --concurrency 0", (2, "number-too-small", false)),
        ("accounts refresh --domain", (2, "no-option-value", true)),
        ("media remove-orphans --prefix --dry-run", (2, "no-option-value", true)),
        ("media remove-orphans --prefix=", (2, "no-option-value", true)),
        ("media remove 7", (2, "extra-argument", false)),
        ("cache recount", (1, "missing-argument", false)),
        ("cache recount users", (2, "unknown-choice", false)),
        ("search deploy --only users", (2, "unknown-choice", false)),
        ("accounts approve", (1, "missing-argument", false)),
        ("accounts create bob", (2, "missing-option", false)),
        ("media remove --remove-headers --prune-profiles", (3, "excluding-options", false)),
        ("media remove --include-follows", (2, "lonely-option", false)),
    ] {
        let found = misuses(line, None);
        assert!(found.contains(&expected), "{line}: {found:?}");
    }
}

#[test]
fn the_nearest_option_is_named() {
    let text = |line: &str| {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Call::read(&args, None).misuses()[0].wrong.to_string()
    };
    for (line, end) in [
        ("accounts cull --dryrun", "did you mean --dry-run?"),
        ("accounts cull --concurency=5", "did you mean --concurrency?"),
        ("accounts cull --days 7", "it has --concurrency, --dry-run"),
        ("accounts refresh --al", "did you mean --all?"),
        ("domains purge x.example --dry--run", "did you mean --dry-run?"),
        ("email_domain_blocks remove --force", "it has no options"),
        ("media remvoe", "did you mean \"remove\"?"),
    ] {
        let text = text(line);
        assert!(text.ends_with(end), "{line}: {text}");
    }
}

#[test]
fn what_a_version_lacks_is_told_only_when_it_is_known() {
    let line = "media remove --keep-interacted --verbose";
    assert_eq!(misuses(line, None), []);
    assert_eq!(misuses(line, Some(Series::new(4, 6))), []);
    assert_eq!(misuses(line, Some(Series::new(5, 0))), []);
    assert_eq!(misuses(line, Some(Series::new(4, 3))), [(2, "not-in-this-version", false)]);
    assert_eq!(misuses(line, Some(Series::new(4, 2))).len(), 2);
    assert_eq!(misuses("feeds vacuum", Some(Series::new(4, 1))), [(0, "not-in-this-version", false)]);
}

proptest! {
    #[test]
    fn never_panics(words in proptest::collection::vec("(media|accounts|remove|cull|-|--|=|[a-z]|\\PC){0,4}", 0..6)) {
        let call = Call::read(&words, Some(Series::new(4, 3)));
        for misuse in call.misuses() {
            prop_assert!(misuse.word <= words.len());
            prop_assert!(!misuse.wrong.to_string().is_empty());
        }
    }
}

fn args(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn call(line: &str) -> Call {
    Call::read(&args(line), None)
}

#[test]
fn a_dry_run_is_only_there_where_tootctl_has_one() {
    let dry = |line: &str| Call::dry_run_of(&args(line)).map(|args| args.join(" "));
    assert_eq!(dry("media remove --days 7").as_deref(), Some("media remove --days 7 --dry-run"));
    assert_eq!(dry("accounts cull --dry_run").as_deref(), Some("accounts cull --dry_run"));
    assert_eq!(
        dry("accounts cull --dry-run false").as_deref(),
        Some("accounts cull --dry-run false --dry-run")
    );
    assert_eq!(dry("accounts cull -- a.example").as_deref(), Some("accounts cull --dry-run -- a.example"));
    assert_eq!(dry("statuses remove"), None);
    assert_eq!(dry("cache clear"), None);
    assert_eq!(dry("no such"), None);
}

#[test]
fn the_lines_that_are_expected_depend_on_the_options() {
    let count = |line: &str| call(line).expected().count();
    assert_eq!(count("statuses remove"), 3);
    assert_eq!(count("statuses remove --skip_status_remove --skip-media-remove"), 1);
    assert_eq!(count("statuses remove --skip-media-remove --no-skip-media-remove"), 3);
    let shape = |line: &str| call(line).expected().next().map(|s| s.shapes[0]);
    assert!(shape("media remove").is_some_and(|s| s.starts_with("Removed")));
    assert!(shape("media remove --prune-profiles").is_some_and(|s| s.starts_with("Visited")));
}

#[test]
fn what_must_not_be_scheduled_says_why() {
    for line in ["self-destruct", "emoji purge", "domains purge x.example", "accounts rotate --all"] {
        assert!(call(line).danger().is_some(), "{line}");
    }
    for line in ["emoji purge --remote-only", "media remove", "accounts prune"] {
        assert_eq!(call(line).danger(), None, "{line}");
    }
}

#[test]
fn too_few_days_are_told() {
    let days = |line: &str| call(line).too_few_days().map(|(least, given, _)| (least, given));
    assert_eq!(days("preview_cards remove --days 7"), Some((14, "7".to_owned())));
    assert_eq!(days("preview_cards remove"), None);
    assert_eq!(days("media remove --prune-profiles"), Some((30, "7".to_owned())));
    assert_eq!(days("media remove --days 7"), None);
}

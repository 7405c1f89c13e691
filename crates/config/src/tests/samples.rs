//! The sample is the documentation: it loads, its examples load, every key stands in it.

use super::loaded;
use crate::{SAMPLE, check, effective_yaml, is_unedited_sample, settings::Action, tree};
use std::collections::BTreeSet;

/// The sample with its examples switched on: a `#` that no single blank follows begins an example.
fn with_examples() -> String {
    let switch_on = |line: &str| {
        let body = line.trim_start();
        let indent = &line[..line.len() - body.len()];
        match body.strip_prefix('#') {
            Some(example)
                if example.starts_with("  ") && !example.trim_start().is_empty() && !indent.is_empty() =>
            {
                format!("{indent}{example}\n")
            }
            Some(example) if !example.is_empty() && !example.starts_with(' ') => {
                format!("{indent}{example}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    SAMPLE.lines().map(switch_on).collect()
}

#[test]
fn the_sample_does_what_it_says_it_does() {
    let sample = loaded(SAMPLE);
    assert!(sample.warnings.is_empty(), "{:?}", sample.warnings);
    let done: Vec<_> = sample.settings.jobs.values().map(|job| job.steps[0].action.title()).collect();
    assert_eq!(
        done,
        [
            "tootctl media remove --days 14",
            "tootctl media remove-orphans",
            "tootctl preview_cards remove --days 30"
        ]
    );
}

#[test]
fn its_examples_load_too() {
    let all = loaded(&with_examples());
    assert!(all.warnings.is_empty(), "{:?}", all.warnings);
    let jobs = &all.settings.jobs;
    assert_eq!(jobs.len(), 8);
    assert_eq!(jobs["clean-statuses"].timeout.to_string(), "12h");
    assert_eq!(
        jobs["clean-statuses"].steps[0].timeout.to_string(),
        "12h",
        "a step may take all of its job's time"
    );
    assert_eq!(jobs["post-mortem-as-it-was"].steps.len(), 6);
    assert!(matches!(jobs["restart-mastodon"].steps[2].action, Action::Run(_)));
}

#[test]
fn every_key_stands_in_it() {
    fn keys(node: &tree::Node, into: &mut BTreeSet<String>) {
        match &node.kind {
            tree::Kind::Seq(items) => items.iter().for_each(|item| keys(item, into)),
            tree::Kind::Map(pairs) => {
                for (key, value) in pairs {
                    if let tree::Kind::Text(key) = &key.kind {
                        into.insert(key.clone());
                    }
                    keys(value, into);
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    keys(&tree::parse(0, &with_examples()).unwrap().unwrap(), &mut found);
    let known = [
        check::SECTIONS,
        check::INSTANCE,
        check::DEFAULTS,
        check::LEDGER,
        check::RETRY,
        check::JOB,
        check::WINDOW,
        check::STEP,
    ];
    for key in known.concat() {
        assert!(found.contains(key), "{key} is not in the sample");
    }
}

#[test]
fn an_unedited_sample_is_known_as_such() {
    assert!(is_unedited_sample(SAMPLE));
    assert!(is_unedited_sample(&SAMPLE.replace('\n', "\r\n")));
    assert!(!is_unedited_sample(&SAMPLE.replace("--days 14", "--days 15")));
    let kept = SAMPLE.lines().filter(|line| !line.contains("SAMPLE AS SHIPPED"));
    let accepted = kept.collect::<Vec<_>>().join("\n");
    assert!(!is_unedited_sample(&accepted));
}

#[test]
fn the_effective_configuration_reads_back() {
    for text in [
        SAMPLE,
        &with_examples(),
        "jobs: {a: {steps: [{run: [/bin/echo, '', '# x', '*', '1', 'null']}]}}",
        // Found by fuzzing: what a runbook writes or takes from the defaults about its schedule was kept.
        "jobs: {a: {random_delay: 1m, window: {until: '02:30'}, catch_up: true, steps: [{run: /bin/true}]}}",
        "defaults: {random_delay: 1m}\njobs: {a: {steps: [{run: /bin/true}]}}",
    ] {
        let first = loaded(text);
        let second = loaded(&effective_yaml(&first.settings).unwrap());
        assert_eq!(first.settings, second.settings);
        assert_eq!(first.digest, second.digest);
    }
}

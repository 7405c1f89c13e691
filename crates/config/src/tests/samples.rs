//! The sample is the documentation: it loads, its examples load, every key stands in it.

use super::loaded;
use crate::{
    SAMPLE, check, effective_yaml, is_unedited_sample, probes::Question, sample_job, settings::Action, tree,
};
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
            "tootctl cache clear",
            "tootctl preview_cards remove --days 0",
            "tootctl media remove --days 14",
            "tootctl media remove-orphans",
            "tootctl preview_cards remove --days 30"
        ]
    );
    // Only the certificate waits for an address; three answers of no, the later two 15 s apart, take less than a minute.
    let probes = &sample.settings.probes;
    assert_eq!(probes.len(), Question::KINDS.len() - 1);
    let is_quick = |name: &str| probes[name].every.get().as_secs() + 2 * 15 < 60;
    assert!(
        ["web", "api", "assets", "units", "sidekiq", "streaming", "postgres", "redis"]
            .into_iter()
            .all(is_quick)
    );
}

#[test]
fn its_examples_load_too() {
    let all = loaded(&with_examples());
    // What shows how it should not be is warned of.
    let said: Vec<_> = all.warnings.iter().map(|w| (w.code(), w.path.as_str())).collect();
    assert_eq!(
        said,
        [
            ("few-days", "jobs.post-mortem-as-it-was.steps[2].tootctl"),
            ("few-days", "jobs.post-mortem-as-it-was.steps[3].tootctl")
        ]
    );
    assert_eq!(all.settings.backups.len(), 10);
    let kinds: Vec<_> = all.settings.probes.values().map(|probe| probe.question.kind()).collect();
    assert_eq!(kinds.len(), Question::KINDS.len(), "{kinds:?}");
    let jobs = &all.settings.jobs;
    assert_eq!(jobs.len(), 16);
    assert!(jobs["restore-files"].restores() && jobs["restore-all"].swap().is_some());
    assert_eq!(jobs["clean-statuses"].timeout.to_string(), "12h");
    assert_eq!(
        jobs["clean-statuses"].steps[0].timeout.to_string(),
        "12h",
        "a step may take all of its job's time"
    );
    assert_eq!(jobs["post-mortem-as-it-was"].steps.len(), 6);
    assert!(matches!(jobs["restart-mastodon"].steps[2].action, Action::Run(_)));
    let ways: Vec<_> = all.settings.notify.iter().map(|target| target.way.label()).collect();
    assert_eq!(ways, ["mail", "mail", "ntfy", "healthchecks"]);
}

/// Everything but what shows how it should not be: no start, however late, leads into the hours of Mastodon's own
/// vacuum, and the job that is active and rare is over before the nightly ones want its lock.
#[test]
fn it_keeps_away_from_mastodons_own_vacuum() {
    const HOUR: i64 = 3600;
    let all = loaded(&with_examples());
    let mut scheduled = 0;
    for (name, job) in &all.settings.jobs {
        let Some(schedule) = job.schedule.as_ref().filter(|_| name.as_str() != "post-mortem-as-it-was")
        else {
            continue;
        };
        scheduled += 1;
        let of_day = |time: jiff::civil::Time| i64::from(time.hour()) * HOUR + i64::from(time.minute()) * 60;
        let slot = schedule.next_after("2026-11-23T12:00:00Z".parse().unwrap()).unwrap();
        let zone = jiff::tz::TimeZone::get(schedule.timezone_name()).unwrap();
        let slot = of_day(slot.to_zoned(zone).time());
        let window = job.window.as_ref().unwrap_or_else(|| panic!("{name} may wait for its lock for ever"));
        let latest = slot + (of_day(window.until) - slot).rem_euclid(24 * HOUR);
        let grace = job.steps.iter().map(|step| step.grace.get().as_secs()).max().unwrap();
        let over = latest + i64::try_from(job.timeout.get().as_secs() + grace).unwrap();
        // The vacuum of that morning and of the next.
        for vacuum in [0, 24 * HOUR] {
            let (from, to) = (vacuum + 2 * HOUR + 45 * 60, vacuum + 6 * HOUR + 15 * 60);
            assert!(
                over <= from || slot >= to,
                "{name} may run from {slot} to {over}, the vacuum from {from}"
            );
        }
        if name.as_str() == "clean-orphans" {
            let usual = slot + i64::try_from(job.timeout.get().as_secs() + grace).unwrap();
            assert!(usual <= 24 * HOUR + HOUR / 2, "in the way of clean-media");
        }
    }
    assert_eq!(scheduled, 7);
}

#[test]
fn a_job_of_it_can_be_taken_out() {
    let media = sample_job("clean-media");
    assert!(media.starts_with("  # Remote media are copies"), "{media}");
    let alone = loaded(&format!("instance: {{}}\njobs:\n{media}"));
    let whole = loaded(SAMPLE);
    assert_eq!(alone.settings.jobs["clean-media"], whole.settings.jobs["clean-media"]);
    assert!(!media.contains("Default:"), "{media}");
    let statuses = sample_job("clean-statuses");
    assert!(
        statuses.contains("\n  #clean-statuses:\n") && statuses.contains("statuses remove"),
        "{statuses}"
    );
    assert_eq!(sample_job("no-such-job"), "");
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
        check::HOLD,
        check::LEDGER,
        check::RETRY,
        check::BACKUP,
        check::BUDGET,
        check::DRILL,
        check::JOB,
        check::WINDOW,
        check::STEP,
        check::RESTORE,
        check::RESTORE_DATABASE,
        check::TARGET,
        check::SMTP,
        check::PROVE,
        check::AGAIN,
        check::AT_MOST,
        check::REQUIRES,
        check::FREE,
        check::LOAD,
        check::PRESSURE,
        check::PROBE,
    ];
    // Whoever wants Redis empty writes so; it is named, and in no runbook.
    assert!(SAMPLE.contains("# - redis-flush: true"));
    for key in known.concat().into_iter().filter(|key| *key != "redis-flush") {
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
        "jobs: {a: {steps: [{run: /bin/true}]}}\nnotify: [{mail: root}, {on: summary, at: '23:59', mail: a@b}]",
    ] {
        let first = loaded(text);
        let second = loaded(&effective_yaml(&first.settings).unwrap());
        assert_eq!(first.settings, second.settings);
        assert_eq!(first.digest, second.digest);
    }
}

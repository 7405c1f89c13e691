//! Every kind of mistake with its full text. `mistakes.txt` holds the cases: a title, the file, what is said of it;
//! `UPDATE_MISTAKES=1 cargo test` writes what is said now, to be read in the diff.

use crate::{Rejection, load_str, load_texts};
use std::{collections::BTreeSet, fmt::Write as _};

const CASES: &str = include_str!("mistakes.txt");

fn render(yaml: &str) -> (String, Vec<&'static str>) {
    let parts: Vec<&str> = yaml.split("=== next file\n").collect();
    let names = ["m.yaml", "conf.d/a.yaml", "conf.d/b.yaml"];
    let texts: Vec<_> = names.into_iter().zip(parts).collect();
    let (mistakes, warnings) = match load_texts(&texts) {
        Ok(loaded) => (vec![], loaded.warnings),
        Err(Rejection { mistakes, warnings }) => (mistakes, warnings),
    };
    let mut out = String::new();
    for diagnostic in &mistakes {
        writeln!(out, "{} {diagnostic}", diagnostic.code()).unwrap();
    }
    for diagnostic in &warnings {
        writeln!(out, "warning {} {diagnostic}", diagnostic.code()).unwrap();
    }
    (out, mistakes.iter().chain(&warnings).map(crate::Diagnostic::code).collect())
}

#[test]
fn every_mistake_is_said_as_written_down() {
    let mut codes = BTreeSet::new();
    let mut now = String::new();
    for case in CASES.split("##### ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (yaml, _) = rest.split_once("=== says\n").unwrap();
        let (said, found) = render(yaml);
        assert!(!said.is_empty(), "nothing is said of {title:?}");
        codes.extend(found);
        write!(now, "##### {title}\n{yaml}=== says\n{said}").unwrap();
    }
    if std::env::var_os("UPDATE_MISTAKES").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/mistakes.txt"), &now).unwrap();
        return;
    }
    let difference = now.lines().zip(CASES.lines()).find(|(a, b)| a != b);
    assert_eq!(difference, None, "(now, written down)");
    assert_eq!(now, CASES);
    assert!(codes.len() >= 40, "only {} codes are covered: {codes:?}", codes.len());
}

#[test]
fn all_mistakes_come_in_one_go() {
    let text = "jobs:\n  a:\n    schedule: */5 * * * *\n    timeut: 2h\n    steps: []\n  b:\n    steps: 5\n";
    let codes: Vec<_> =
        load_str("m.yaml", text).unwrap_err().mistakes.iter().map(crate::Diagnostic::code).collect();
    assert_eq!(codes, ["alias", "unknown-key", "empty-steps", "wrong-type"]);
}

#[test]
fn no_mistake_repeats_what_nobody_reads() {
    let long = "é".repeat(30_000);
    for text in [
        format!("jobs: {{a: {{schedule: '{long}', steps: [{{run: /bin/true}}]}}}}"),
        format!("jobs: {{a: {{timeout: '1{long}', steps: [{{run: '{long}'}}]}}}}"),
        format!("instance: {{user: {long}, live: {long}, services: [{long}], url: {long}}}"),
        format!(
            "instance: {{}}\njobs: {{a: {{lock: '{long}', steps: [{{systemctl: stop {long}}}, {{systemctl: {long} a}}]}}}}"
        ),
        format!("'{long}': 1\njobs: {{'{long}': {{steps: 1}}}}"),
        format!(
            "jobs: {{a: {{retry: {{on: '{long}'}}, window: {{until: '{long}'}}, steps: [{{tootctl: '—{long}'}}]}}}}"
        ),
    ] {
        for diagnostic in load_str("m.yaml", &text).unwrap_err().mistakes {
            let said = diagnostic.to_string();
            assert!(said.chars().count() < 2000, "{} characters: {said:.100}", said.chars().count());
        }
    }
}

#[test]
fn jobs_and_steps_are_bounded() {
    let jobs = |count: usize| {
        let job = |n| format!("  j{n}: {{steps: [{{run: /bin/true}}]}}\n");
        format!("jobs:\n{}", (0..count).map(job).collect::<String>())
    };
    let steps = |count: usize| format!("jobs: {{a: {{steps: [{}]}}}}\n", "{run: /bin/true},".repeat(count));
    assert_eq!(load_str("m.yaml", &jobs(200)).unwrap().settings.jobs.len(), 200);
    assert_eq!(load_str("m.yaml", &steps(100)).unwrap().settings.jobs["a"].steps.len(), 100);
    for (text, said) in [
        (
            jobs(201),
            "m.yaml:1:1: jobs: 201 jobs are more than the 200 that are allowed; split or remove some",
        ),
        (
            steps(101),
            "m.yaml:1:19: jobs.a.steps: 101 steps are more than the 100 that are allowed; split or remove some",
        ),
    ] {
        let mistakes = load_str("m.yaml", &text).unwrap_err().mistakes;
        assert_eq!(mistakes.iter().map(crate::Diagnostic::headline).collect::<Vec<_>>(), [said]);
    }
}

#[test]
fn no_value_of_an_environment_is_shown() {
    for text in [
        "jobs: {a: {environment: {PASSWORD: 48151623, X: hunter2}, bad: 1, steps: [{run: /bin/true}]}}",
        "instance:\n  environment: {SECRET: hunter2, 1X: hunter2}\n",
        "instance:\n  environment: [hunter2, 48151623]\n",
        "instance:\n  environment:\n    SMTP_PASSWORD: @hunter2\n",
        "instance:\n  environment:\n    SMTP_PASSWORD: hunter2: x\n",
        "instance:\n  environment:\n    SMTP_PASSWORD: &hunter2 x\n",
        "jobs: {a: {environment: {A: @hunter2, 1X: &hunter2 *hunter2, C: !hunter2 d}, bad: 1, steps: []}}",
        "instance:\n  environment: {A: 'x\n   hunter2', hunter: 2, A: hunter2}\n",
        "notify: [{webhook: 'https://x@hunter2/'}, {webhok: 'https://hunter2/', on: [bad]}, {token: hunter2}]\n",
        "notify: [{healthchecks: hunter2}, {webhook: [hunter2], preset: bad}, hunter2, {mail: root, tokn: hunter2}]\n",
        "notify:\n  - webhook: https://x/?a=hunter2: x\n",
        "notify: hunter2\n",
    ] {
        let rejection = load_str("m.yaml", text).unwrap_err();
        assert!(!rejection.mistakes.is_empty());
        for diagnostic in rejection.mistakes {
            let said = diagnostic.to_string();
            assert!(!said.contains("hunter2") && !said.contains("48151623"), "{said}");
        }
    }
}

use super::*;
use mastmaint_ledger::StepEnd;
use mastmaint_words::{Grade, Reason, Room, Span, StepIndex, StepKey, Trigger, Verdict};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn around() -> Surroundings {
    Surroundings { site: "social.example".to_owned(), zone: TimeZone::UTC, now: at("2026-11-24T00:36:00Z") }
}

fn failed_run() -> RunWithSteps {
    let id: mastmaint_words::RunId = "20261124T003100Z-7k3f9q".parse().unwrap();
    let text = "PostgreSQL does not answer at /var/run/postgresql";
    let reason = Reason::unreachable("postgres-unreachable", text);
    let key = StepKey { run: id.clone(), step: StepIndex(0) };
    let (started, ended) = (at("2026-11-24T00:31:00Z"), at("2026-11-24T00:31:05Z"));
    let run = RunRecord {
        id,
        job: "clean-media".parse().unwrap(),
        trigger: Trigger::Schedule { slot: at("2026-11-24T00:30:00Z") },
        digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        dry_run: false,
        queued: started,
        started: Some(started),
        ended: Some(ended),
        outcome: Some(Outcome::Failed),
        grade: Some(Grade::Read),
        reason: Some(reason.clone()),
        cancel_asked: None,
        numbers: mastmaint_words::Numbers::default(),
    };
    let end = StepEnd {
        key: key.clone(),
        verdict: Verdict::because(Outcome::Failed, Grade::Read, reason),
        started,
        ended,
        took: Span::from_secs(5),
        exit: Some(1),
        signal: None,
        lines: 2,
        bytes: 20,
        omitted: 0,
        peak_rss: None,
        space: None,
    };
    let step = StepRecord {
        key,
        title: "tootctl media remove --days 14".to_owned(),
        room: Room::Tootctl,
        at: started,
        journaled: 0,
        output_kept: true,
        end: Some(end),
    };
    RunWithSteps { run, steps: vec![step] }
}

fn trouble(runs: u32) -> Trouble {
    Trouble {
        occasion: Occasion::Failed,
        code: "postgres-unreachable".to_owned(),
        since: at("2026-11-22T00:31:05Z"),
        runs,
        run: failed_run().run.id,
        findings: std::collections::BTreeSet::new(),
        told: None,
    }
}

fn of(say: &Say, output: Option<&str>) -> Notice {
    let known = Known { run: Some(failed_run()), output: output.map(str::to_owned) };
    compose(&around(), &"clean-media".parse().unwrap(), say, &known)
}

#[test]
fn the_subject_says_what_happened_and_the_text_what_to_do() {
    let notice = of(&Say::Trouble { trouble: trouble(3), again: false }, Some("one\n\ntwo\n"));
    assert_eq!(
        notice.subject,
        "[social.example] clean-media failed: PostgreSQL does not answer at /var/run/postgresql"
    );
    assert_eq!(
        notice.text,
        "clean-media failed.\n\
         PostgreSQL does not answer at /var/run/postgresql\n\
         \n\
         3 runs in a row did not end well, since Sun 22 Nov 00:31.\n\
         Run 20261124T003100Z-7k3f9q (schedule) began Tue 24 Nov 00:31 and took 5.0 s.\n\
         \n\
         Steps:\n  \
           1 tootctl media remove --days 14: failed (read): PostgreSQL does not answer at /var/run/postgresql\n\
         \n\
         The last lines of its output:\n  one\n  two\n\
         \n\
         To look closer:\n  mastmaintctl show 20261124T003100Z-7k3f9q --output\n\
         To be reminded no more of this:\n  mastmaintctl ack clean-media\n"
    );
    assert_eq!((notice.occasion, notice.code.as_deref()), (Occasion::Failed, Some("postgres-unreachable")));
}

#[test]
fn a_reminder_says_that_it_is_one() {
    let notice = of(&Say::Trouble { trouble: trouble(3), again: true }, None);
    assert!(notice.subject.contains("clean-media failed (still): PostgreSQL"), "{}", notice.subject);
}

#[test]
fn a_recovery_says_what_is_over() {
    let since = at("2026-11-22T00:31:05Z");
    let notice = of(&Say::Recovered { since, runs: 20, run: failed_run().run.id }, Some("no output here"));
    assert_eq!(notice.subject, "[social.example] clean-media is well again");
    assert!(notice.text.contains("20 runs since Sun 22 Nov 00:31 were not"), "{}", notice.text);
    assert!(!notice.text.contains("no output here"));
}

#[test]
fn overdue_says_for_when_nothing_began() {
    let late = Late { slot: at("2026-11-24T00:30:00Z"), told: None, begun: false };
    let known = Known::default();
    let say = Say::Overdue { late, again: false };
    let notice = compose(&around(), &"clean-media".parse().unwrap(), &say, &known);
    assert!(notice.subject.ends_with("clean-media is overdue: nothing has begun for Tue 24 Nov 00:30"));
}

#[test]
fn only_the_last_lines_are_told_and_nothing_that_a_terminal_obeys() {
    let wide = "x".repeat(1000);
    let lines: Vec<String> = (0..100).map(|n| format!("line {n} \u{1b}[31m{wide}")).collect();
    let output = lines.join("\n");
    let notice = of(&Say::Trouble { trouble: trouble(1), again: false }, Some(&output));
    assert!(!notice.text.contains("line 84 ") && notice.text.contains("line 85 "));
    assert!(!notice.text.contains('\u{1b}'));
    assert!(notice.text.contains("mastmaintctl show"), "the end is not cut off: {}", notice.text.len());
}

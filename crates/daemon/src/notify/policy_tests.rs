//! A made-up clock and made-up runs.

use super::policy::{Ack, Ended, JobState, Say};
use jiff::{SignedDuration, Timestamp};
use mastmaint_words::{Occasion, Outcome, backup::FindingId};
use std::collections::BTreeSet;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_764_000_000 + second).unwrap()
}

fn ended(second: i64, outcome: Outcome, code: &str) -> Ended {
    let run = format!("{}-{:06}", at(second).strftime("%Y%m%dT%H%M%SZ"), second % 1_000_000);
    Ended {
        run: run.parse().unwrap(),
        at: at(second),
        outcome,
        code: code.to_owned(),
        findings: BTreeSet::new(),
        known_by: None,
    }
}

/// What a listener of everything hears: each thing that is said counts as told.
struct Ear {
    job: JobState,
    heard: Vec<(i64, Occasion, bool)>,
}

impl Ear {
    fn new() -> Self {
        Self { job: JobState::default(), heard: Vec::new() }
    }

    fn hear(&mut self, second: i64, say: &Say) {
        self.job.told(say, at(second));
        let again = matches!(say, Say::Trouble { again: true, .. } | Say::Overdue { again: true, .. });
        self.heard.push((second, say.occasion(), again));
    }

    fn run(&mut self, second: i64, outcome: Outcome, code: &str) {
        if let Some(say) = self.job.ended(&ended(second, outcome, code)) {
            self.hear(second, &say);
        }
        self.look(second);
    }

    fn look(&mut self, second: i64) {
        for say in self.job.due(at(second)) {
            self.hear(second, &say);
        }
    }

    /// Looks every minute, as if somebody were awake all the time.
    fn wait(&mut self, from: i64, to: i64) {
        (from..=to).step_by(60).for_each(|second| self.look(second));
    }

    /// As after a restart: only what was written down is known.
    fn restart(&mut self) {
        let kept = serde_json::to_string(&self.job).unwrap();
        self.job = serde_json::from_str(&kept).unwrap();
    }
}

#[test]
fn a_streak_of_twenty_nights_is_one_message_its_reminders_and_one_recovery() {
    let mut ear = Ear::new();
    for night in 0..20 {
        ear.run(night * DAY, Outcome::Failed, "postgres-unreachable");
        if night == 10 {
            ear.restart();
        }
        ear.wait(night * DAY, (night + 1) * DAY - 60);
    }
    ear.run(20 * DAY, Outcome::Ok, "");
    ear.wait(20 * DAY, 40 * DAY);
    let (first, rest) = ear.heard.split_first().unwrap();
    assert_eq!(*first, (0, Occasion::Failed, false));
    let (last, reminders) = rest.split_last().unwrap();
    assert_eq!(*last, (20 * DAY, Occasion::Recovered, false));
    let daily: Vec<_> = (1..20).map(|night| (night * DAY, Occasion::Failed, true)).collect();
    assert_eq!(reminders, daily);
}

#[test]
fn twenty_failures_in_a_row_within_a_day_are_one_message() {
    let mut ear = Ear::new();
    for n in 0..20 {
        ear.run(n * 60, Outcome::Failed, "exit");
        ear.restart();
    }
    ear.run(1200, Outcome::Ok, "");
    assert_eq!(ear.heard, [(0, Occasion::Failed, false), (1200, Occasion::Recovered, false)]);
}

#[test]
fn partial_is_reminded_of_once_a_week() {
    let mut ear = Ear::new();
    ear.run(0, Outcome::Partial, "some-failed");
    ear.wait(0, 15 * DAY);
    let days: Vec<i64> = ear.heard.iter().map(|(second, ..)| second / DAY).collect();
    assert_eq!(days, [0, 7, 14]);
}

#[test]
fn another_reason_is_news_and_so_is_another_outcome() {
    let mut ear = Ear::new();
    ear.run(0, Outcome::Failed, "postgres-unreachable");
    ear.run(10, Outcome::Failed, "redis-unreachable");
    ear.run(20, Outcome::Partial, "redis-unreachable");
    ear.run(30, Outcome::TimedOut, "redis-unreachable");
    ear.run(40, Outcome::Interrupted, "redis-unreachable");
    let heard: Vec<_> = ear.heard.iter().map(|(second, occasion, _)| (*second, *occasion)).collect();
    assert_eq!(
        heard,
        [(0, Occasion::Failed), (10, Occasion::Failed), (20, Occasion::Partial), (30, Occasion::Failed)],
        "the last one is as the one before it"
    );
}

#[test]
fn what_is_neither_good_nor_bad_changes_nothing() {
    let mut ear = Ear::new();
    ear.run(0, Outcome::Failed, "exit");
    ear.run(10, Outcome::Cancelled, "cancelled");
    ear.run(20, Outcome::Skipped, "hold");
    ear.run(30, Outcome::Failed, "exit");
    assert_eq!(ear.heard.len(), 1);
    ear.run(40, Outcome::Skipped, "needs-approval");
    assert_eq!(ear.heard[1], (40, Occasion::NeedsApproval, false));
}

#[test]
fn who_says_that_they_know_is_not_reminded_until_it_changes() {
    let mut ear = Ear::new();
    assert!(!ear.job.acknowledge(Ack { until: None, uid: 0 }), "nothing is wrong yet");
    ear.run(0, Outcome::Failed, "exit");
    assert!(ear.job.acknowledge(Ack { until: None, uid: 0 }));
    ear.restart();
    ear.run(DAY, Outcome::Failed, "exit");
    ear.wait(DAY, 30 * DAY);
    assert_eq!(ear.heard.len(), 1);
    ear.run(30 * DAY, Outcome::Failed, "other");
    ear.wait(30 * DAY, 31 * DAY);
    let heard: Vec<_> = ear.heard[1..].iter().map(|(second, _, again)| (*second / DAY, *again)).collect();
    assert_eq!(heard, [(30, false), (31, true)]);
    ear.run(32 * DAY, Outcome::Ok, "");
    assert_eq!(ear.heard.last().unwrap().1, Occasion::Recovered);
}

#[test]
fn an_acknowledgement_with_a_date_ends_with_it() {
    let mut ear = Ear::new();
    ear.run(0, Outcome::Failed, "exit");
    ear.job.acknowledge(Ack { until: Some(at(3 * DAY)), uid: 0 });
    ear.wait(0, 4 * DAY + HOUR);
    let days: Vec<i64> = ear.heard.iter().map(|(second, ..)| second / DAY).collect();
    assert_eq!(days, [0, 3, 4]);
}

#[test]
fn what_nobody_listened_to_is_told_as_soon_as_somebody_does() {
    let mut job = JobState::default();
    assert!(job.ended(&ended(0, Outcome::Failed, "exit")).is_some());
    assert_eq!(job.next(|_| false), None, "nobody wants to hear it: nothing to wake for");
    assert!(job.next(|_| true).unwrap() <= at(0));
    assert!(matches!(job.due(at(5)).as_slice(), [Say::Trouble { again: false, .. }]));
    // And what nobody was told of needs no recovery.
    assert_eq!(job.ended(&ended(10, Outcome::Ok, "")), None);
}

#[test]
fn a_run_is_dealt_with_once_also_by_the_next_daemon() {
    let mut job = JobState::default();
    let run = ended(0, Outcome::Failed, "exit");
    let say = job.ended(&run).unwrap();
    job.told(&say, at(0));
    assert_eq!(job.remembered(&run), None);
    job.ended(&ended(10, Outcome::Skipped, "needs-approval"));
    assert_eq!(job.remembered(&run), None, "the next daemon hears of the last real run again");
    assert!(JobState::default().remembered(&run).is_some(), "the one before it died before it could tell");
}

#[test]
fn overdue_is_told_once_reminded_daily_and_ends_with_a_run_that_ends_well() {
    let mut ear = Ear::new();
    for second in (0..3 * DAY).step_by(600) {
        ear.job.is_late((second >= HOUR).then(|| at(0)));
        ear.look(second);
    }
    let heard: Vec<_> = ear.heard.iter().map(|(second, o, again)| (*second, *o, *again)).collect();
    let overdue = Occasion::Overdue;
    assert_eq!(heard, [(HOUR, overdue, false), (HOUR + DAY, overdue, true), (HOUR + 2 * DAY, overdue, true)]);
    ear.job.begun(at(3 * DAY));
    ear.job.is_late(None);
    ear.look(5 * DAY);
    assert_eq!(ear.heard.len(), 3, "it runs: nobody is reminded");
    ear.run(5 * DAY, Outcome::Ok, "");
    assert_eq!(ear.heard.last().unwrap().1, Occasion::Recovered);
}

#[test]
fn the_next_reminder_is_named_to_the_second() {
    let mut ear = Ear::new();
    ear.run(0, Outcome::Failed, "exit");
    assert_eq!(ear.job.next(|_| true), at(0).checked_add(SignedDuration::from_hours(24)).ok());
}

#[test]
fn another_finding_is_news_and_acknowledged_ones_are_not() {
    let night = |second, findings: &[u32], known_by| Ended {
        findings: findings.iter().copied().map(FindingId).collect(),
        known_by,
        ..ended(second, Outcome::Failed, "rot")
    };
    let mut job = JobState::default();
    assert!(job.ended(&night(0, &[1], None)).is_some());
    job.told(&job.due(at(0))[0].clone(), at(0));
    assert!(job.ended(&night(DAY, &[1], None)).is_none(), "the same as last night");
    assert!(job.ended(&night(2 * DAY, &[1, 2], None)).is_some(), "rot in another file");
    assert!(job.ended(&night(3 * DAY, &[1], None)).is_none(), "one of two is gone");
    // A person acknowledges what is left.
    assert_eq!(job.run_with_findings(), Some(&night(3 * DAY, &[], None).run));
    job.acknowledged(BTreeSet::new(), Some(0));
    assert_eq!(job.due(at(30 * DAY)), []);
    assert!(job.ended(&night(4 * DAY, &[], Some(0))).is_none());
    assert_eq!(job.due(at(30 * DAY)), []);
    assert!(job.ended(&night(5 * DAY, &[3], None)).is_some(), "nobody knows of this one");
    assert_eq!(job.due(at(30 * DAY)).len(), 1);
}

#[test]
fn what_everybody_knows_from_the_beginning_is_never_told() {
    let mut job = JobState::default();
    let known = Ended { known_by: Some(0), ..ended(0, Outcome::Partial, "shrunk") };
    assert_eq!(job.ended(&known), None);
    assert_eq!(job.due(at(30 * DAY)), []);
    assert_eq!(job.ended(&ended(DAY, Outcome::Ok, "")), None, "nor is its end");
}

#[test]
fn a_clock_that_was_ahead_for_a_moment_silences_nobody() {
    let mut ear = Ear::new();
    let ahead = 400 * DAY;
    ear.job.begun(at(ahead));
    ear.job.is_late(Some(at(ahead)));
    ear.run(ahead, Outcome::Failed, "exit");
    ear.restart();
    assert!(ear.job.cut(at(0)));
    assert!(!ear.job.cut(at(0)), "once is enough");
    assert_eq!(ear.job.attended, Some(at(0)));
    ear.heard.clear();
    ear.wait(0, 2 * DAY);
    let heard: Vec<_> = ear.heard.iter().map(|(second, occasion, _)| (*second, *occasion)).collect();
    assert_eq!(
        heard,
        [(DAY, Occasion::Failed), (2 * DAY, Occasion::Failed)],
        "and the slot has not come yet"
    );
}

#[test]
fn what_a_person_said_about_the_future_stays() {
    let mut ear = Ear::new();
    ear.run(0, Outcome::Failed, "exit");
    ear.job.acknowledge(Ack { until: Some(at(3 * DAY)), uid: 0 });
    assert!(!ear.job.cut(at(0)));
    ear.wait(0, 4 * DAY);
    assert_eq!(ear.heard.iter().map(|(second, ..)| second / DAY).collect::<Vec<_>>(), [0, 3, 4]);
}

//! What is due, said by hand for the cases that an admin would ask about.

use super::*;
use mastmaint_config::{calendar::Schedule, settings::Window};
use mastmaint_words::{JobName, Span};

struct Job {
    name: JobName,
    schedule: Schedule,
    random_delay: Span,
    window: Option<Window>,
    catch_up: bool,
    seed: Seed,
    mark: Mark,
}

impl Job {
    fn new(cron: &str, created: &str) -> Self {
        let schedule = Schedule::parse(cron, "UTC").unwrap();
        let mark = Mark::new(&schedule, at(created));
        let name = "clean-media".parse().unwrap();
        let seed = Seed::new(*b"machine");
        Self { name, schedule, random_delay: Span::default(), window: None, catch_up: true, seed, mark }
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            job: &self.name,
            schedule: &self.schedule,
            random_delay: self.random_delay,
            window: self.window,
            catch_up: self.catch_up,
            seed: &self.seed,
        }
    }

    /// Decides at `now` after a jump there, so that nothing is on time merely because the daemon was busy.
    fn at(&mut self, now: &str) -> Decision {
        self.awake(now, now)
    }

    fn awake(&mut self, since: &str, now: &str) -> Decision {
        let (decision, mark) =
            decide(&self.terms(), &self.mark, Moment { now: at(now), awake_since: at(since) });
        // What is kept is what a restart reads.
        self.mark = serde_json::from_str(&serde_json::to_string(&mark).unwrap()).unwrap();
        decision
    }
}

fn at(text: &str) -> Timestamp {
    format!("{text}Z").parse().unwrap()
}

fn window(from: Option<&str>, until: &str) -> Window {
    Window { from: from.map(|t| t.parse().unwrap()), until: until.parse().unwrap() }
}

fn scheduled(slot: &str, missed: u32) -> Decision {
    Decision::Start { trigger: Trigger::Schedule { slot: at(slot) }, missed, closes: None }
}

fn caught_up(slot: &str, missed: u32) -> Decision {
    Decision::Start { trigger: Trigger::CatchUp { slot: at(slot) }, missed, closes: None }
}

fn waits_for(slot: &str) -> Decision {
    Decision::Wait { next: Some(Due { slot: at(slot), at: at(slot), closes: None }) }
}

#[test]
fn a_new_job_owes_nothing_and_then_runs_each_slot_once() {
    let mut job = Job::new("30 0 * * *", "2026-11-23T12:00:00");
    assert_eq!(job.at("2026-11-23T12:00:00"), waits_for("2026-11-24T00:30:00"));
    assert_eq!(job.at("2026-11-24T00:29:59.9"), waits_for("2026-11-24T00:30:00"));
    assert_eq!(job.at("2026-11-24T00:30:00"), scheduled("2026-11-24T00:30:00", 0));
    assert_eq!(job.at("2026-11-24T00:30:00"), waits_for("2026-11-25T00:30:00"));
}

#[test]
fn late_is_on_time_up_to_a_minute_and_while_the_daemon_was_awake() {
    let mut job = Job::new("30 0 * * *", "2026-11-23T12:00:00");
    job.catch_up = false;
    assert_eq!(job.at("2026-11-24T00:31:00"), scheduled("2026-11-24T00:30:00", 0));
    assert!(matches!(
        job.at("2026-11-25T00:31:01"),
        Decision::Missed { slots: 1, why: WhyMissed::NoCatchUp, .. }
    ));
    assert_eq!(job.awake("2026-11-26T00:00:00", "2026-11-26T00:40:00"), scheduled("2026-11-26T00:30:00", 0));
}

#[test]
fn of_the_missed_slots_the_newest_is_caught_up() {
    let mut job = Job::new("30 0 * * *", "2026-11-23T12:00:00");
    assert_eq!(job.at("2026-11-26T09:00:00"), caught_up("2026-11-26T00:30:00", 2));
    assert_eq!(job.at("2026-11-26T09:00:00"), waits_for("2026-11-27T00:30:00"));
    // One that is on time covers the older ones.
    assert_eq!(job.at("2026-11-29T00:30:10"), scheduled("2026-11-29T00:30:00", 2));
    job.catch_up = false;
    let newest = at("2026-12-02T00:30:00");
    assert_eq!(
        job.at("2026-12-02T09:00:00"),
        Decision::Missed { slots: 3, newest, why: WhyMissed::NoCatchUp }
    );
}

#[test]
fn nothing_is_caught_up_after_its_window() {
    let mut job = Job::new("30 0 * * *", "2026-11-23T12:00:00");
    job.window = Some(window(None, "02:30"));
    let Decision::Start { trigger, missed: 0, closes } = job.at("2026-11-24T02:29:59") else { panic!() };
    assert_eq!(trigger, Trigger::CatchUp { slot: at("2026-11-24T00:30:00") });
    assert_eq!(closes, Some(at("2026-11-24T02:30:00")));
    let why = WhyMissed::WindowClosed { at: at("2026-11-25T02:30:00") };
    let newest = at("2026-11-25T00:30:00");
    assert_eq!(job.at("2026-11-25T02:30:00"), Decision::Missed { slots: 1, newest, why });
    assert!(why.to_string().contains("2026-11-25T02:30:00Z"));
}

#[test]
fn a_slot_that_is_barely_late_is_not_started_after_its_window_either() {
    let mut job = Job::new("30 0 * * *", "2026-11-23T12:00:00");
    job.window = Some(window(None, "00:30:30"));
    assert!(matches!(
        job.at("2026-11-24T00:30:40"),
        Decision::Missed { slots: 1, why: WhyMissed::WindowClosed { .. }, .. }
    ));
}

#[test]
fn a_window_may_end_on_the_next_day() {
    let mut job = Job::new("0 23 * * *", "2026-11-23T12:00:00");
    job.window = Some(window(None, "02:30"));
    assert!(matches!(
        job.at("2026-11-24T02:00:00"),
        Decision::Start { trigger: Trigger::CatchUp { .. }, .. }
    ));
    job.window = Some(window(Some("22:00"), "02:30"));
    assert!(matches!(
        job.at("2026-11-25T02:00:00"),
        Decision::Start { trigger: Trigger::CatchUp { .. }, .. }
    ));
    let (terms, slot) = (job.terms(), at("2026-11-24T23:00:00"));
    assert!(
        terms.may_start(slot, at("2026-11-25T02:29:59")) && !terms.may_start(slot, at("2026-11-25T02:30:00"))
    );
    assert!(!terms.may_start(slot, at("2026-11-24T22:59:59")), "never before its slot");
}

#[test]
fn a_slot_before_its_window_waits_for_it() {
    let mut job = Job::new("0 23 * * *", "2026-11-23T12:00:00");
    job.window = Some(window(Some("00:30"), "05:00"));
    let Decision::Wait { next: Some(due) } = job.at("2026-11-23T23:00:00") else { panic!() };
    assert_eq!(due.at, at("2026-11-24T00:30:00"));
    assert!(matches!(
        job.at("2026-11-24T00:30:00"),
        Decision::Start { trigger: Trigger::Schedule { .. }, .. }
    ));
}

#[test]
fn slots_that_a_window_closes_are_neither_run_nor_missed() {
    let mut job = Job::new("0 * * * *", "2026-11-23T12:00:00");
    job.window = Some(window(Some("00:30"), "02:30"));
    let mut started = Vec::new();
    let mut now = "2026-11-23T12:00:00".to_owned();
    while now.as_str() < "2026-11-25T00:00:00" {
        match job.at(&now) {
            Decision::Wait { next: Some(due) } => now = due.at.to_string().trim_end_matches('Z').to_owned(),
            Decision::Start { trigger: Trigger::Schedule { .. }, missed: 0, .. } => started.push(now.clone()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(started, ["2026-11-24T00:30:00", "2026-11-24T01:00:00", "2026-11-24T02:00:00"]);
}

#[test]
fn the_delay_is_drawn_once_for_a_slot() {
    let mut job = Job::new("30 0 * * *", "2026-11-23T12:00:00");
    job.random_delay = "10m".parse().unwrap();
    job.window = Some(window(None, "00:35"));
    let mut slot = at("2026-11-23T12:00:00");
    let mut delays = std::collections::BTreeSet::new();
    for _ in 0..500 {
        slot = job.schedule.next_after(slot).unwrap();
        let due = job.terms().due(slot).unwrap();
        assert_eq!(job.terms().due(slot), Some(due));
        delays.insert(due.at.duration_since(slot).as_secs());
    }
    assert!(delays.len() > 200 && delays.last() <= Some(&299), "spread, but inside the window: {delays:?}");
    // Another machine and another job draw others; this very number must never change.
    let due = job.terms().due(at("2026-11-24T00:30:00")).unwrap();
    assert_eq!(due.at, at("2026-11-24T00:32:43"));
    let other = Seed::new(*b"another");
    assert_ne!(Terms { seed: &other, ..job.terms() }.due(due.slot), Some(due));
    let sibling = "clean-cards".parse().unwrap();
    assert_ne!(Terms { job: &sibling, ..job.terms() }.due(due.slot), Some(due));
}

#[test]
fn the_delay_never_reaches_the_next_slot() {
    let mut job = Job::new("* * * * *", "2026-11-23T12:00:00");
    job.random_delay = "1h".parse().unwrap();
    let mut slot = at("2026-11-23T12:00:00");
    for _ in 0..500 {
        slot = job.schedule.next_after(slot).unwrap();
        assert!(job.terms().due(slot).unwrap().at < job.schedule.next_after(slot).unwrap());
    }
}

#[test]
fn a_changed_schedule_begins_anew() {
    let mut job = Job::new("30 0 * * *", "2026-11-20T12:00:00");
    job.schedule = Schedule::parse("0 3 * * *", "UTC").unwrap();
    assert_eq!(job.at("2026-11-23T12:00:00"), waits_for("2026-11-24T03:00:00"));
}

#[test]
fn a_small_step_back_runs_nothing_twice() {
    let mut job = Job::new("0 * * * *", "2026-11-23T11:30:00");
    assert_eq!(job.at("2026-11-23T12:00:00"), scheduled("2026-11-23T12:00:00", 0));
    assert_eq!(job.at("2026-11-23T11:59:00"), waits_for("2026-11-23T13:00:00"));
}

#[test]
fn a_large_step_back_silences_nothing() {
    let mut job = Job::new("0 * * * *", "2026-11-23T11:30:00");
    assert_eq!(job.at("2026-11-23T12:00:00"), scheduled("2026-11-23T12:00:00", 0));
    assert_eq!(job.at("2025-10-19T12:10:00"), waits_for("2025-10-19T13:00:00"));
    assert_eq!(job.at("2025-10-19T13:00:00"), scheduled("2025-10-19T13:00:00", 0));
}

#[test]
fn a_glitch_of_400_days_costs_one_catch_up() {
    let mut job = Job::new("30 0 * * *", "2026-11-23T12:00:00");
    assert_eq!(job.at("2027-12-28T12:00:00"), caught_up("2027-12-28T00:30:00", 399));
    assert_eq!(job.at("2027-12-28T12:00:05"), waits_for("2027-12-29T00:30:00"));
    assert_eq!(job.at("2026-11-23T12:00:10"), waits_for("2026-11-24T00:30:00"));
    assert_eq!(job.at("2026-11-24T00:30:00"), scheduled("2026-11-24T00:30:00", 0));
}

#[test]
fn a_clock_that_is_two_hours_ahead_at_boot_costs_no_run() {
    // The real-time clock keeps local time; NTP puts it right a minute after boot.
    let mut job = Job::new("30 2 * * *", "2026-11-23T12:00:00");
    job.catch_up = false;
    assert!(matches!(job.at("2026-11-24T03:00:00"), Decision::Missed { slots: 1, .. }));
    assert_eq!(job.at("2026-11-24T01:00:00"), waits_for("2026-11-24T02:30:00"));
    // With catch_up it ran already, and not again.
    let mut job = Job::new("30 2 * * *", "2026-11-23T12:00:00");
    assert_eq!(job.at("2026-11-24T03:00:00"), caught_up("2026-11-24T02:30:00", 0));
    assert_eq!(job.at("2026-11-24T01:00:00"), waits_for("2026-11-25T02:30:00"));
}

#[test]
fn four_hundred_days_of_minutes_are_not_counted_one_by_one() {
    let mut job = Job::new("* * * * *", "2026-11-23T12:00:00");
    let Decision::Start { trigger, missed, .. } = job.at("2027-12-28T12:03:30") else { panic!() };
    assert_eq!(trigger, Trigger::Schedule { slot: at("2027-12-28T12:03:00") });
    // Beyond that they are skipped, not counted one by one.
    assert!((MOST_COUNTED..2 * MOST_COUNTED).contains(&missed), "{missed}");
}

#[test]
fn what_answers_no_slot_keeps_to_the_window_of_its_day() {
    let mut job = Job::new("30 0 * * *", "2026-11-23T12:00:00");
    let open = |job: &Job, times: &[&str]| -> Vec<bool> {
        times.iter().map(|time| job.terms().is_open(at(&format!("2026-11-24T{time}:00")))).collect()
    };
    assert_eq!(open(&job, &["14:00"]), [true], "no window, no limit");
    let times = ["00:00", "00:29", "00:30", "01:59", "02:00", "14:00", "23:59"];
    job.window = Some(window(None, "02:00"));
    assert_eq!(open(&job, &times), [false, false, true, true, false, false, false]);
    job.window = Some(window(Some("00:15"), "02:00"));
    assert_eq!(open(&job, &times), [false, true, true, true, false, false, false]);
    job.window = Some(window(Some("22:00"), "02:00"));
    assert_eq!(open(&job, &times), [true, true, true, true, false, false, true]);
    let mut weekly = Job::new("30 0 * * 0", "2026-11-22T12:00:00");
    weekly.window = Some(window(None, "02:00"));
    assert_eq!(open(&weekly, &["01:00"]), [false], "no slot on that day");
    let mut evening = Job::new("0 23 * * *", "2026-11-22T12:00:00");
    evening.window = Some(window(None, "02:00"));
    assert_eq!(open(&evening, &times), [true, true, true, true, false, false, true]);
}

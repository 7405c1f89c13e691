//! Random walks of time over the policy: normal flow, sleeps, steps of the clock in both directions, both switches,
//! restarts that keep only the written mark, reloads. A ledger of its own checks what was started and counted.

use super::*;
use mastmaint_config::{calendar::Schedule, settings::Window};
use mastmaint_words::{JobName, Span};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A thing that happens to the host.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes and the daemon wakes at each instant that it was told to wait for.
    Flow { seconds: i64 },
    /// The host sleeps or is off, or the clock is stepped forwards.
    Leap { seconds: i64 },
    /// The clock is stepped backwards.
    Back { seconds: i64 },
    /// Only the written mark survives.
    Restart,
    /// The same configuration is read again; every job is asked.
    Reload,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let hour = 3600_i64;
    let event = prop_oneof![
        4 => (1..72 * hour).prop_map(|seconds| Event::Flow { seconds }),
        2 => (1..48 * hour).prop_map(|seconds| Event::Leap { seconds }),
        1 => (1..400 * 24 * hour).prop_map(|seconds| Event::Leap { seconds }),
        2 => (1..20 * hour).prop_map(|seconds| Event::Back { seconds }),
        1 => (1..400 * 24 * hour).prop_map(|seconds| Event::Back { seconds }),
        1 => Just(Event::Restart),
        1 => Just(Event::Reload),
    ];
    proptest::collection::vec(event, 1..22)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    OnTime,
    CaughtUp,
    Missed,
}

/// What became of each slot, as the rules of the design see it.
struct Host {
    name: JobName,
    schedule: Schedule,
    random_delay: Span,
    window: Option<Window>,
    catch_up: bool,
    seed: Seed,
    mark: String,
    created: Timestamp,
    /// Every slot up to here has a fate.
    decided: Timestamp,
    now: Timestamp,
    awake_since: Timestamp,
    fates: BTreeMap<Timestamp, Fate>,
    newest_on_time: Option<Timestamp>,
    starts: u32,
    next: Option<Timestamp>,
}

impl Host {
    /// The slots that want a fate: those that their window does not close.
    fn slots(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.schedule.next_after(from), |t| self.schedule.next_after(*t))
            .take_while(move |t| *t <= until)
            .filter(|slot| !self.is_closed(*slot))
    }

    /// Only where a window has a begin can a slot have to wait for it, and be closed if another one comes first.
    fn is_closed(&self, slot: Timestamp) -> bool {
        self.window.is_some_and(|window| window.from.is_some()) && self.terms().due(slot).is_none()
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

    /// Whether the wall clock stands inside the window, as an admin would read it off; near a switch of the zone one
    /// would have to say which reading is meant.
    fn may_run_by_the_clock(&self) -> bool {
        let Some(Window { from: Some(from), until }) = self.window else { return true };
        let zone = self.schedule.time_zone();
        let near = SignedDuration::from_hours(3);
        if zone.to_offset(self.now - near) != zone.to_offset(self.now + near) {
            return true;
        }
        let shown = zone.to_datetime(self.now).time();
        if from < until { from <= shown && shown < until } else { from <= shown || shown < until }
    }

    fn look(&mut self) {
        loop {
            let mark: Mark = serde_json::from_str(&self.mark).unwrap();
            let (decision, mark) =
                decide(&self.terms(), &mark, Moment { now: self.now, awake_since: self.awake_since });
            self.mark = serde_json::to_string(&mark).unwrap();
            match decision {
                Decision::Wait { next } => {
                    self.next = next.map(|due| due.at);
                    assert!(self.next.is_some_and(|next| next > self.now), "never silent");
                    return;
                }
                Decision::Start { trigger, missed, closes } => {
                    let slot = trigger.slot().unwrap();
                    assert!(slot <= self.now && closes.is_none_or(|closes| self.now < closes));
                    assert!(self.may_run_by_the_clock(), "{slot} at {}", self.now);
                    self.count_missed(slot, missed);
                    let fate = match trigger {
                        Trigger::CatchUp { .. } => Fate::CaughtUp,
                        _ => Fate::OnTime,
                    };
                    assert!(fate == Fate::OnTime || self.catch_up);
                    if fate == Fate::OnTime {
                        self.newest_on_time = Some(slot);
                    }
                    self.starts += 1;
                    assert_eq!(self.fates.insert(slot, fate), None, "started twice: {slot}");
                }
                Decision::Missed { slots, newest, .. } => {
                    let after = newest.checked_add(SignedDuration::from_secs(1)).unwrap();
                    self.count_missed(after, slots);
                }
            }
        }
    }

    /// `count` slots before `before` must be those without a fate.
    fn count_missed(&mut self, before: Timestamp, count: u32) {
        let open: Vec<_> =
            self.slots(self.decided, before).filter(|s| *s < before && !self.fates.contains_key(s)).collect();
        assert_eq!(open.len(), usize::try_from(count).unwrap(), "each missed slot is counted exactly once");
        self.fates.extend(open.into_iter().map(|slot| (slot, Fate::Missed)));
        self.decided = before - SignedDuration::from_secs(1);
    }

    fn jump(&mut self, to: Timestamp) {
        let back = to < self.now;
        self.now = to;
        self.awake_since = to;
        if back {
            // Slots ahead that were only counted are open again. Those that were started are not, unless the newest
            // of them lies more than a day ahead.
            let distrusted = self.newest_on_time.is_some_and(|slot| slot.duration_since(to) > mark::TRUSTED);
            let kept = |slot: &Timestamp, fate: &mut Fate| match fate {
                Fate::Missed => *slot <= to,
                Fate::OnTime => *slot <= to || !distrusted,
                Fate::CaughtUp => true,
            };
            // A job that goes on in the past begins there.
            self.created = self.created.min(to);
            self.decided = self.decided.min(to);
            self.fates.retain(kept);
            if distrusted {
                self.newest_on_time = Some(to);
            }
            // What lies between now and the newest start on time was decided and stays so.
            if let Some(floor) = self.newest_on_time.filter(|floor| *floor > to) {
                let silent: Vec<_> = self.slots(to, floor).filter(|s| !self.fates.contains_key(s)).collect();
                self.fates.extend(silent.into_iter().map(|slot| (slot, Fate::Missed)));
            }
        }
        self.look();
    }

    fn happens(&mut self, event: &Event) {
        let step = SignedDuration::from_secs;
        match event {
            Event::Flow { seconds } => {
                let end = self.now + step(*seconds);
                while let Some(next) = self.next.filter(|next| *next <= end) {
                    self.now = next;
                    let starts = self.starts;
                    self.look();
                    assert_eq!(self.starts, starts + 1, "each due slot starts one run");
                }
                self.now = end;
                self.look();
            }
            Event::Leap { seconds } => {
                let starts = self.starts;
                self.jump(self.now + step(*seconds));
                assert!(self.starts <= starts + 2, "at most one catch-up, and one that is on time");
            }
            Event::Back { seconds } => self.jump(self.now - step(*seconds)),
            Event::Restart => self.jump(self.now),
            Event::Reload => self.look(),
        }
    }
}

fn host(cron: &str, zone: &str, from: &str, delay: u64, window: Option<Window>, catch_up: bool) -> Host {
    let schedule = Schedule::parse(cron, zone).unwrap();
    let now: Timestamp = from.parse().unwrap();
    Host {
        name: "walk".parse().unwrap(),
        mark: serde_json::to_string(&Mark::new(&schedule, now)).unwrap(),
        schedule,
        random_delay: Span::from_secs(delay),
        window,
        catch_up,
        seed: Seed::new(*b"walk"),
        created: now,
        decided: now,
        now,
        awake_since: now,
        fates: BTreeMap::new(),
        newest_on_time: None,
        starts: 0,
        next: None,
    }
}

const CRONS: [&str; 6] =
    ["30 2 * * *", "15,45 2 * * *", "30 * * * *", "*/40 */3 * * *", "0 4 * * sun", "0 */6 1,15 * *"];
/// Days before switches in the zones that are walked through.
const BEGINS: [(&str, &str); 4] = [
    ("Europe/Paris", "2026-03-27T12:00:00Z"),
    ("Europe/Paris", "2026-10-23T12:00:00Z"),
    ("America/New_York", "2026-10-30T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-03T12:00:00Z"),
];

/// Windows with and without a begin, over midnight, and ones that no slot lies in.
fn windows() -> impl Strategy<Value = Window> {
    let time =
        || (0..24_i8, prop_oneof![Just(0_i8), Just(20)]).prop_map(|(h, m)| jiff::civil::time(h, m, 0, 0));
    (proptest::option::of(time()), time())
        .prop_filter("the config refuses an empty window", |(from, until)| *from != Some(*until))
        .prop_map(|(from, until)| Window { from, until })
}

/// A case walks through years: few by default, many with `cargo xtask test --long`, as many as `PROPTEST_CASES` says.
fn cases() -> ProptestConfig {
    let usual = if std::env::var_os("MASTMAINT_LONG_TESTS").is_some() { 1000 } else { 80 };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(usual)
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_slot_is_lost_or_doubled(
        cron in proptest::sample::select(&CRONS[..]), begin in proptest::sample::select(&BEGINS[..]),
        delay in prop_oneof![Just(0_u64), 1..3600_u64], window in proptest::option::of(windows()),
        catch_up: bool, events in events(),
    ) {
        let mut host = host(cron, begin.0, begin.1, delay, window, catch_up);
        host.look();
        for event in &events {
            host.happens(event);
        }
        // Every slot up to now has a fate, but for the newest one, which may still wait for its window to open and
        // for its random delay.
        let open: Vec<_> =
            host.slots(host.created, host.now).filter(|slot| !host.fates.contains_key(slot)).collect();
        let may_wait = delay > 0 || window.is_some_and(|window| window.from.is_some());
        prop_assert!(open.len() <= usize::from(may_wait), "lost: {open:?}");
    }

    #[test]
    fn without_jumps_exactly_the_slots_are_started(
        cron in proptest::sample::select(&CRONS[..]), begin in proptest::sample::select(&BEGINS[..]),
        stops in proptest::collection::vec(1..200_000_i64, 1..8),
    ) {
        let mut host = host(cron, begin.0, begin.1, 0, None, false);
        host.look();
        for seconds in stops {
            host.happens(&Event::Flow { seconds });
            host.happens(&Event::Restart);
            host.happens(&Event::Reload);
        }
        let started: BTreeSet<_> = host.fates.iter().filter(|(_, f)| **f == Fate::OnTime).map(|(s, _)| *s).collect();
        let all: BTreeSet<_> = host.slots(host.created, host.now).collect();
        prop_assert_eq!(started, all);
    }
}

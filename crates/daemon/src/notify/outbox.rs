//! Messages that wait for their target. Each target gets its messages in their order, one at a time; one that does not
//! take them is tried again after a pause that doubles, up to an hour, for three days. Pure: who sends is told what.

use crate::schedule::clock::Moment;
use jiff::{SignedDuration, Timestamp};
use mastmaint_runner::protocol::Notice;
use mastmaint_words::TargetKey;
use std::collections::{BTreeMap, VecDeque};

const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// After that a message is no news any more.
const KEEP: SignedDuration = SignedDuration::from_hours(3 * 24);
/// A ping says how things stand now.
const KEEP_PING: SignedDuration = SignedDuration::from_mins(10);
/// More than this are not kept.
const MOST: usize = 200;

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parcel {
    /// Its number.
    pub(super) id: u64,
    /// Its target.
    pub(super) target: TargetKey,
    /// When it was made.
    pub(super) made: Timestamp,
    /// The message.
    pub(super) notice: Notice,
    /// Whether it is in the ledger; pings are not.
    pub(super) kept: bool,
}

/// How a target is.
#[derive(Debug, Default)]
struct Target {
    busy: bool,
    /// Tries in a row that did not reach it.
    missed: u32,
    not_before: Option<Timestamp>,
    failing: Option<String>,
}

/// What changed about a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// It does not take messages any more.
    Failing,
    /// It takes them again.
    Again,
}

/// The messages that wait.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Parcel>,
    targets: BTreeMap<TargetKey, Target>,
    last_id: u64,
}

impl Outbox {
    /// One whose numbers follow on those of any before it.
    pub(super) fn numbered_from(now: Timestamp) -> Self {
        Self { last_id: u64::try_from(now.as_microsecond()).unwrap_or(0), ..Self::default() }
    }

    /// A number for a new message.
    pub(super) fn number(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Takes in a message; what has to go for it comes back.
    pub(super) fn put(&mut self, parcel: Parcel) -> Vec<Parcel> {
        self.last_id = self.last_id.max(parcel.id);
        if !parcel.kept {
            // A later ping about a job makes an earlier one wrong.
            let replaced = |old: &Parcel| {
                !old.kept && old.target == parcel.target && old.notice.job == parcel.notice.job
            };
            self.waiting.retain(|old| !replaced(old));
        }
        self.waiting.push_back(parcel);
        let surplus = self.waiting.len().saturating_sub(MOST);
        self.waiting.drain(..surplus).collect()
    }

    /// Takes out what is too old to be told. Only time counts in which the clock went evenly: one that is a year ahead for
    /// a moment has aged nothing.
    pub(super) fn expire(&mut self, Moment { now, awake_since }: Moment) -> Vec<Parcel> {
        self.take_out(|parcel| {
            let keep = if parcel.kept { KEEP } else { KEEP_PING };
            now.duration_since(parcel.made.max(awake_since)) > keep
        })
    }

    /// Takes out what is for targets that are no more.
    pub(super) fn without_target(&mut self, is_there: impl Fn(&TargetKey) -> bool) -> Vec<Parcel> {
        self.targets.retain(|target, _| is_there(target));
        self.take_out(|parcel| !is_there(&parcel.target))
    }

    fn take_out(&mut self, goes: impl Fn(&Parcel) -> bool) -> Vec<Parcel> {
        let (out, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(goes);
        self.waiting = waiting;
        Vec::from(out)
    }

    /// What lies ahead of now was written by a clock that was ahead; it lasts no longer than if it were written now.
    pub(super) fn cut(&mut self, now: Timestamp) {
        for parcel in &mut self.waiting {
            parcel.made = parcel.made.min(now);
        }
        let latest = now.saturating_add(LONGEST_PAUSE).unwrap_or(now);
        for target in self.targets.values_mut() {
            target.not_before = target.not_before.map(|at| at.min(latest));
        }
    }

    /// The next message that can be sent now; its target is busy until [`Outbox::sent`].
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Parcel> {
        let targets = &self.targets;
        let can = |parcel: &&Parcel| {
            targets.get(&parcel.target).is_none_or(|t| !t.busy && t.not_before.is_none_or(|at| at <= now))
        };
        let parcel = self.waiting.iter().find(can)?.clone();
        self.targets.entry(parcel.target.clone()).or_default().busy = true;
        Some(parcel)
    }

    /// What became of a message that was taken. It stays where it was not taken by its target.
    pub(super) fn sent(&mut self, parcel: &Parcel, error: Option<String>, now: Timestamp) -> Option<Change> {
        let target = self.targets.entry(parcel.target.clone()).or_default();
        target.busy = false;
        let was_failing = target.failing.is_some();
        match error {
            None => {
                *target = Target::default();
                self.waiting.retain(|waiting| waiting.id != parcel.id);
                was_failing.then_some(Change::Again)
            }
            Some(why) => {
                target.not_before = Some(now.saturating_add(pause(target.missed)).unwrap_or(now));
                target.missed = target.missed.saturating_add(1);
                target.failing = Some(why);
                (!was_failing).then_some(Change::Failing)
            }
        }
    }

    /// Every target is tried again at once: the configuration may have been mended.
    pub(super) fn try_again(&mut self) {
        for target in self.targets.values_mut() {
            target.not_before = None;
        }
    }

    /// When something can be sent that cannot be now.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let waits = |parcel: &Parcel| {
            let target = self.targets.get(&parcel.target).filter(|target| !target.busy)?;
            target.not_before
        };
        self.waiting.iter().filter_map(waits).min()
    }

    /// Why a target takes nothing, and how many messages wait for it.
    pub(super) fn of_target(&self, target: &TargetKey) -> (Option<String>, usize) {
        let failing = self.targets.get(target).and_then(|target| target.failing.clone());
        (failing, self.waiting.iter().filter(|parcel| parcel.target == *target).count())
    }

    /// The messages, for a ledger that begins anew.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Parcel> {
        self.waiting.iter()
    }
}

fn pause(missed: u32) -> SignedDuration {
    FIRST_PAUSE.checked_mul(2_i32.saturating_pow(missed)).map_or(LONGEST_PAUSE, |p| p.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::Occasion;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn parcel(id: u64, target: &str, kept: bool) -> Parcel {
        let target = target.parse().unwrap();
        let notice = Notice {
            occasion: Occasion::Failed,
            at: at(0),
            job: Some("a".parse().unwrap()),
            run: None,
            outcome: None,
            code: None,
            subject: String::new(),
            text: String::new(),
        };
        Parcel { id, target, made: at(0), notice, kept }
    }

    #[test]
    fn a_target_that_takes_nothing_holds_up_only_itself() {
        let mut outbox = Outbox::default();
        for (id, target) in [(1, "a"), (2, "a"), (3, "b")] {
            assert!(outbox.put(parcel(id, target, true)).is_empty());
        }
        let first = outbox.take(at(0)).unwrap();
        assert_eq!((first.id, outbox.take(at(0)).unwrap().id, outbox.take(at(0))), (1, 3, None));
        assert_eq!(outbox.sent(&first, Some("no".into()), at(0)), Some(Change::Failing));
        assert_eq!(outbox.take(at(9)), None, "the second waits behind the first");
        assert_eq!(outbox.next(), Some(at(10)));
        let again = outbox.take(at(10)).unwrap();
        assert_eq!(again.id, 1);
        assert_eq!(outbox.sent(&again, Some("no".into()), at(10)), None, "said once");
        assert_eq!(outbox.next(), Some(at(30)), "the pause doubles");
        let again = outbox.take(at(30)).unwrap();
        assert_eq!(outbox.sent(&again, None, at(30)), Some(Change::Again));
        assert_eq!(outbox.take(at(30)).unwrap().id, 2);
    }

    #[test]
    fn pauses_grow_to_an_hour_and_messages_are_given_up_after_three_days() {
        assert_eq!(pause(0), FIRST_PAUSE);
        assert_eq!(pause(31), LONGEST_PAUSE);
        let mut outbox = Outbox::default();
        outbox.put(parcel(1, "a", true));
        let evenly = |second| Moment { now: at(second), awake_since: at(0) };
        assert!(outbox.expire(evenly(3 * 86_400)).is_empty());
        assert_eq!(outbox.expire(evenly(3 * 86_400 + 1)).len(), 1);
    }

    #[test]
    fn a_message_goes_with_its_target() {
        let mut outbox = Outbox::default();
        outbox.put(parcel(1, "a", true));
        outbox.put(parcel(2, "b", true));
        let sent = outbox.take(at(0)).unwrap();
        outbox.sent(&sent, Some("no".into()), at(0));
        assert_eq!(outbox.of_target(&sent.target), (Some("no".into()), 1));
        let gone = outbox.without_target(|target| target.as_str() == "b");
        assert_eq!(gone.iter().map(|parcel| parcel.id).collect::<Vec<_>>(), [1]);
        assert_eq!(outbox.of_target(&sent.target), (None, 0), "who comes back is a new one");
        assert_eq!(outbox.take(at(0)).unwrap().id, 2);
    }

    #[test]
    fn a_clock_that_was_ahead_for_a_moment_throws_nothing_away_and_delays_nothing() {
        const YEAR: i64 = 366 * 86_400;
        let mut outbox = Outbox::default();
        outbox.put(parcel(1, "a", true));
        outbox.put(parcel(2, "b", false));
        assert!(outbox.expire(Moment { now: at(YEAR), awake_since: at(YEAR) }).is_empty());
        let sent = outbox.take(at(YEAR)).unwrap();
        outbox.sent(&sent, Some("no".into()), at(YEAR));
        outbox.put(Parcel { made: at(YEAR), ..parcel(3, "c", true) });
        outbox.cut(at(60));
        assert!(outbox.next().unwrap() <= at(60) + LONGEST_PAUSE);
        let later = Moment { now: at(4 * 86_400), awake_since: at(60) };
        assert_eq!(outbox.expire(later).len(), 3, "what was made then is not kept for a year");
    }

    #[test]
    fn a_ping_replaces_the_one_before_it_and_too_many_cost_the_oldest() {
        let mut outbox = Outbox::default();
        outbox.put(parcel(1, "a", false));
        outbox.put(parcel(2, "a", false));
        assert_eq!(outbox.waiting().map(|p| p.id).collect::<Vec<_>>(), [2]);
        for id in 3..=201 {
            assert!(outbox.put(parcel(id, "b", true)).is_empty());
        }
        assert_eq!(outbox.put(parcel(202, "b", true))[0].id, 2);
    }
}

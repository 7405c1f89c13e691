//! What is due: pure decisions over a schedule, the mark of what was decided before, and a given now.
//!
//! * A *slot* is an instant of the schedule; it is *due* a little later, by its random delay (`slot.rs`).
//! * Each slot is decided once: started, caught up, or counted as missed. The [`Mark`] remembers it; whoever starts
//!   a run writes the new mark durably first, in one step with the run.
//! * A slot found within [`LATE`] of its due instant, or since which the daemon was awake, is on time. Of older ones
//!   only the newest is caught up, if the job wants that and its window is open; a slot that is on time covers all
//!   older ones.

mod mark;
mod slot;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walks;

pub use mark::Mark;
pub use slot::{Due, Seed, Terms};

use super::clock::Moment;
use jiff::{SignedDuration, Timestamp};
use mastmaint_words::Trigger;
use std::fmt;

/// A slot found this late is still on time.
pub const LATE: SignedDuration = SignedDuration::from_secs(60);
/// Missed slots are counted up to about this many; a year of minutes need not be exact.
const MOST_COUNTED: u32 = 10_000;

/// What to do about a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing until then; `None` if the schedule has no more slots.
    Wait {
        /// The next due slot.
        next: Option<Due>,
    },
    /// Start a run, then ask again.
    Start {
        /// `Schedule` or `CatchUp`, with the slot.
        trigger: Trigger,
        /// So many older slots were missed and are covered by this run.
        missed: u32,
        /// The run must have begun before this instant, if the job has a window.
        closes: Option<Timestamp>,
    },
    /// Slots were missed and are not run; say so, then ask again.
    Missed {
        /// How many.
        slots: u32,
        /// The newest of them.
        newest: Timestamp,
        /// Why it is not caught up.
        why: WhyMissed,
    },
}

/// Why a missed slot is not caught up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyMissed {
    /// The job has no `catch_up: true`.
    NoCatchUp,
    /// Its window closed before the daemon was there.
    WindowClosed {
        /// When.
        at: Timestamp,
    },
}

impl WhyMissed {
    /// Stable code, for machines.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoCatchUp => "no-catch-up",
            Self::WindowClosed { .. } => "window-closed",
        }
    }
}

impl fmt::Display for WhyMissed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCatchUp => f.write_str("the job has no catch_up: true"),
            Self::WindowClosed { at } => write!(f, "its window closed at {at}"),
        }
    }
}

/// Decides one thing about a job. The caller acts on it, keeps the returned mark and asks again until it is told to
/// wait.
pub fn decide(terms: &Terms<'_>, mark: &Mark, moment: Moment) -> (Decision, Mark) {
    let now = moment.now;
    let mark = mark.seen_at(terms.schedule, now);
    let mut missed: Option<(u32, Due)> = None;
    let mut from = mark.handled();
    let mut skipped_ahead = false;
    let mut pending = None;
    while let Some(due) = terms.due_after(from, &mark) {
        if due.at > now {
            pending = Some(due);
            break;
        }
        let count = missed.map_or(0, |(count, _)| count);
        if is_on_time(due, moment) {
            let trigger = Trigger::Schedule { slot: due.slot };
            let decision = Decision::Start { trigger, missed: count, closes: due.closes };
            return (decision, mark.started_on_time(due.slot));
        }
        missed = Some((count.saturating_add(1), due));
        from = due.slot;
        if count >= MOST_COUNTED && !skipped_ahead {
            from = shortly_before(terms, from, now);
            skipped_ahead = true;
        }
    }
    let Some((slots, newest)) = missed else { return (Decision::Wait { next: pending }, mark) };
    let why = match newest.closes {
        _ if !terms.catch_up => WhyMissed::NoCatchUp,
        Some(at) if at <= now => WhyMissed::WindowClosed { at },
        _ => {
            let trigger = Trigger::CatchUp { slot: newest.slot };
            let decision = Decision::Start { trigger, missed: slots - 1, closes: newest.closes };
            return (decision, mark.caught_up(newest.slot));
        }
    };
    (Decision::Missed { slots, newest: newest.slot, why }, mark.missed(newest.slot))
}

fn is_on_time(due: Due, moment: Moment) -> bool {
    let seen = moment.now.duration_since(due.at) <= LATE || due.at >= moment.awake_since;
    seen && due.closes.is_none_or(|closes| moment.now < closes)
}

/// An instant from which few slots remain up to now, but at least one if there is one after `from`.
fn shortly_before(terms: &Terms<'_>, from: Timestamp, now: Timestamp) -> Timestamp {
    for hours in [1, 24, 24 * 32, 24 * 366] {
        let Ok(earlier) = now.checked_sub(SignedDuration::from_hours(hours)) else { break };
        if earlier <= from {
            break;
        }
        if terms.schedule.next_after(earlier).is_some_and(|slot| slot <= now) {
            return earlier;
        }
    }
    from
}

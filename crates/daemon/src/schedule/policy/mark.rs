//! What was decided so far about a job's slots: the one thing about its schedule that must survive a restart.
//!
//! When the clock is found to have gone back, slots lie ahead that were decided before. Those that were started stay
//! decided; those that were only counted as missed are open again, for their time is still to come. If the newest
//! start on time lies more than a day ahead, the clock was wrong for long, and waiting for it to get there again
//! would silence the job: it goes on from now. So a slot is run twice only after the clock went back by more than a day.

use jiff::{SignedDuration, Timestamp};
use mastmaint_config::calendar::Schedule;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A start that lies at most this far ahead of now is believed.
pub(super) const TRUSTED: SignedDuration = SignedDuration::from_hours(24);
/// Catch-ups that are remembered, the newest slots; there is at most one for each jump of the clock.
const MOST_CATCH_UPS: usize = 24;

/// Every slot up to `handled` is decided. Keep it as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The schedule that it belongs to; a changed one begins anew.
    schedule: String,
    /// Every slot up to here is decided.
    handled: Timestamp,
    /// No slot up to here is started on time again: the newest one that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_time: Option<Timestamp>,
    /// The slots that were caught up lately; ahead of now after a glitch of the clock.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    caught_up: BTreeSet<Timestamp>,
}

impl Mark {
    /// The mark of a job that is new: nothing in the past is due.
    pub fn new(schedule: &Schedule, now: Timestamp) -> Self {
        Self { schedule: schedule.to_string(), handled: now, on_time: None, caught_up: BTreeSet::new() }
    }

    /// Every slot up to here is decided.
    pub const fn handled(&self) -> Timestamp {
        self.handled
    }

    /// Whether a slot was caught up before its time, by a clock that was ahead.
    pub(super) fn was_caught_up(&self, slot: Timestamp) -> bool {
        self.caught_up.contains(&slot)
    }

    /// The mark as it counts for a schedule at a now, which may lie before it.
    pub(super) fn seen_at(&self, schedule: &Schedule, now: Timestamp) -> Self {
        if self.schedule != schedule.to_string() {
            return Self::new(schedule, now);
        }
        if self.handled <= now {
            return self.clone();
        }
        // Up to now everything had its turn before, so a second, small step back starts none of it again.
        let on_time = self.on_time.map(|slot| if slot.duration_since(now) <= TRUSTED { slot } else { now });
        let handled = on_time.map_or(now, |slot| slot.max(now));
        Self { handled, on_time, ..self.clone() }
    }

    pub(super) fn started_on_time(self, slot: Timestamp) -> Self {
        Self { handled: slot, on_time: Some(slot), ..self }
    }

    pub(super) fn caught_up(mut self, slot: Timestamp) -> Self {
        self.caught_up.insert(slot);
        while self.caught_up.len() > MOST_CATCH_UPS {
            self.caught_up.pop_first();
        }
        Self { handled: slot, ..self }
    }

    pub(super) fn missed(self, newest: Timestamp) -> Self {
        Self { handled: newest, ..self }
    }
}

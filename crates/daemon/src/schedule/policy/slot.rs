//! From a slot to the instant at which it is due: its random delay and its window.
//!
//! The delay of a slot is drawn from (machine, job, slot), in whole seconds, so that neither a reload nor a restart
//! draws again. It never reaches the next slot nor the end of the window, so slots come due in their order and no
//! slot delays itself out of its window. A slot before a window's `from` waits for it; if another slot comes first,
//! it is closed: schedule and window together say that it does not run, and it is not counted as missed.

use super::Mark;
use jiff::{SignedDuration, Timestamp, ToSpan as _, civil};
use mastmaint_config::{
    calendar::Schedule,
    settings::{Job, Window},
};
use mastmaint_words::{JobName, Span};

/// No window without `from` is open for longer: on the day on which the clocks go back.
const LONGEST_DAY: SignedDuration = SignedDuration::from_hours(26);

/// What makes delays differ between machines: the bytes of `/etc/machine-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed(Vec<u8>);

impl Seed {
    /// A seed of any bytes that stay the same on this machine.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// A number for a slot of a job. FNV-1a and a finish of its own: it must never change with a compiler or a crate.
    fn draw(&self, job: &JobName, slot: Timestamp) -> u64 {
        let slot = slot.as_second().to_be_bytes();
        let parts = [self.0.as_slice(), &[0], job.as_str().as_bytes(), &[0], &slot];
        let mut hash = parts.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    }
}

/// The terms on which a job runs.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The job.
    pub job: &'a JobName,
    /// Its slots.
    pub schedule: &'a Schedule,
    /// The longest delay of a slot.
    pub random_delay: Span,
    /// When it may start.
    pub window: Option<Window>,
    /// Whether one missed slot is run later.
    pub catch_up: bool,
    /// The machine.
    pub seed: &'a Seed,
}

/// A slot and when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The instant of the schedule.
    pub slot: Timestamp,
    /// The instant at which the job starts: the random delay included.
    pub at: Timestamp,
    /// From this instant on it may no longer start.
    pub closes: Option<Timestamp>,
}

impl<'a> Terms<'a> {
    /// The terms of a job; `None` for a runbook.
    pub fn of(name: &'a JobName, job: &'a Job, seed: &'a Seed) -> Option<Self> {
        let schedule = job.schedule.as_ref()?;
        let (random_delay, window, catch_up) = (job.random_delay, job.window, job.catch_up);
        Some(Self { job: name, schedule, random_delay, window, catch_up, seed })
    }

    /// When a slot is due; `None` if it is closed.
    pub fn due(&self, slot: Timestamp) -> Option<Due> {
        let next = self.schedule.next_after(slot);
        let (opens, closes) = self.opening(slot);
        if next.is_some_and(|next| opens >= next) {
            return None;
        }
        let end = [next, closes].into_iter().flatten().min();
        let longest = i64::try_from(self.random_delay.get().as_secs()).unwrap_or(i64::MAX);
        let longest = end.map_or(longest, |end| longest.min(end.as_second() - opens.as_second() - 1));
        let delay = match u64::try_from(longest) {
            Ok(longest @ 1..) => self.seed.draw(self.job, slot) % (longest + 1),
            _ => 0,
        };
        let at = opens.checked_add(SignedDuration::from_secs(i64::try_from(delay).unwrap_or(0))).ok()?;
        Some(Due { slot, at, closes })
    }

    /// The first slot after an instant that is neither closed nor run already.
    pub(super) fn due_after(&self, mut from: Timestamp, mark: &Mark) -> Option<Due> {
        loop {
            from = self.schedule.next_after(from)?;
            if let Some(due) = self.due(from).filter(|_| !mark.was_caught_up(from)) {
                return Some(due);
            }
        }
    }

    /// Whether a run that answers a slot may start (again) at an instant: for retries and runs that waited.
    pub fn may_start(&self, slot: Timestamp, at: Timestamp) -> bool {
        let (opens, closes) = self.opening(slot);
        opens <= at && closes.is_none_or(|closes| at < closes)
    }

    /// Whether the window is open at an instant, for a run that answers no slot: from `from` to `until` of that day, or
    /// from the last slot on where there is no `from`.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let Some(window) = self.window else { return true };
        if window.from.is_some() {
            // As if a slot were there; one that waits for the window to open does not open it.
            return self.may_start(at, at);
        }
        let Ok(mut from) = at.checked_sub(LONGEST_DAY) else { return false };
        let mut newest = None;
        while let Some(slot) = self.schedule.next_after(from).filter(|slot| *slot <= at) {
            newest = Some(slot);
            from = slot;
        }
        newest.is_some_and(|slot| self.may_start(slot, at))
    }

    /// From when on a run that answers a slot may no longer start, if its job has a window.
    pub fn closes(&self, slot: Timestamp) -> Option<Timestamp> {
        self.opening(slot).1
    }

    /// The stretch of the window that a slot lies in or waits for.
    fn opening(&self, slot: Timestamp) -> (Timestamp, Option<Timestamp>) {
        let Some(window) = self.window else { return (slot, None) };
        let day = self.schedule.time_zone().to_datetime(slot).date();
        let stretch = (-1..=3).filter_map(|n: i32| day.checked_add(n.days()).ok()).find_map(|day| {
            let opens = match window.from {
                Some(from) => self.instant(day, from)?,
                None => slot,
            };
            let wraps = window.from.is_some_and(|from| window.until <= from);
            let last_day = if wraps { day.tomorrow().ok()? } else { day };
            let closes = self.instant(last_day, window.until)?;
            (closes > slot && closes > opens).then_some((opens.max(slot), closes))
        });
        stretch.map_or((slot, None), |(opens, closes)| (opens, Some(closes)))
    }

    /// An instant of the wall clock; in a gap the one that is later by the gap, in a repeated hour the first.
    fn instant(&self, day: civil::Date, time: civil::Time) -> Option<Timestamp> {
        self.schedule.time_zone().to_timestamp(day.to_datetime(time)).ok()
    }
}

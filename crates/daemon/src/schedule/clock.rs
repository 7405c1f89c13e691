//! What time it is, and since when the daemon has been awake to see it pass. A jump of the clock, a suspended host
//! and a start of the daemon all begin a new stretch of being awake.

use jiff::{SignedDuration, Timestamp};
use std::time::Instant;

/// Wall clock and monotonic clock may differ by this much between two looks without a jump: they are not read in the
/// same instant, and there are leap seconds. (NTP slews both alike.)
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// A now, and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub now: Timestamp,
    /// From then to now the daemon ran and the wall clock went evenly: whatever came due since then and was not
    /// seen yet was not missed, the daemon was merely busy.
    pub awake_since: Timestamp,
}

/// Compares the wall clock with the monotonic one, which stands still while the host sleeps.
#[derive(Debug)]
pub struct Awake {
    since: Timestamp,
    last: (Timestamp, Instant),
}

impl Awake {
    /// Awake from now on.
    pub const fn new(now: Timestamp, monotonic: Instant) -> Self {
        Self { since: now, last: (now, monotonic) }
    }

    /// The moment, from both clocks read now.
    pub fn look(&mut self, now: Timestamp, monotonic: Instant) -> Moment {
        let wall = now.duration_since(self.last.0);
        let passed = monotonic.saturating_duration_since(self.last.1);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let jumped = wall.checked_sub(passed).is_none_or(|difference| difference.abs() > TOLERANCE);
        if jumped {
            self.since = now;
        }
        self.last = (now, monotonic);
        Moment { now, awake_since: self.since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_jump_or_a_sleep_begins_a_new_stretch() {
        let (wall, mono): (Timestamp, _) = ("2026-11-23T00:00:00Z".parse().unwrap(), Instant::now());
        let after = |wall_s: i64, mono_s: u64| {
            (wall + SignedDuration::from_secs(wall_s), mono + Duration::from_secs(mono_s))
        };
        let mut awake = Awake::new(wall, mono);
        let mut look = |wall_s, mono_s| {
            let (now, monotonic) = after(wall_s, mono_s);
            awake.look(now, monotonic).awake_since.duration_since(wall).as_secs()
        };
        assert_eq!(look(500, 500), 0);
        assert_eq!(look(1001, 1000), 0, "a leap second");
        assert_eq!(look(5000, 1100), 5000, "suspended, or stepped forwards");
        assert_eq!(look(5100, 1200), 5000);
        assert_eq!(look(4000, 1210), 4000, "stepped backwards");
    }
}

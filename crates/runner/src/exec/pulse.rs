//! Signs of life. Pure: instants and figures in, what follows from them out.
//!
//! A sign is a byte of output, be it one more column of a progress bar, or processor time that the tree uses: at least
//! a hundredth of a processor since the last look. A step that waits (for a lock, a long statement of the database, a
//! server) shows none; one that turns in circles shows signs, and its timeout has to end it.

use std::time::{Duration, Instant};

/// Between two looks at the processor time; the shorter ones for short limits.
const LOOK: Duration = Duration::from_mins(1);
const LEAST_LOOK: Duration = Duration::from_millis(50);
/// Looks within a limit: a sign is missed by no more than an eighth of it.
const LOOKS: u32 = 8;
/// This share of a processor is a sign: timers of an idle program use far less.
const BUSY: u32 = 100;

/// The pulse of a step.
#[derive(Debug)]
pub(super) struct Pulse {
    limit: Option<Duration>,
    /// The newest sign.
    last: Instant,
    looked: Instant,
    /// Processor time at that look.
    used: Duration,
    is_warned: bool,
}

/// What a look at the tree tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Felt {
    /// It has worked since the last look.
    Work,
    /// Nothing new.
    Nothing,
    /// No sign for half of its limit; said once per silence.
    Quiet(Duration),
    /// No sign for as long as its limit allows.
    TooQuiet,
}

impl Pulse {
    pub(super) const fn new(limit: Option<Duration>, now: Instant) -> Self {
        Self { limit, last: now, looked: now, used: Duration::ZERO, is_warned: false }
    }

    /// There was output.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.last = now;
        self.is_warned = false;
    }

    /// When to look at the tree next.
    pub(super) fn look_at(&self) -> Instant {
        let every = self.limit.map_or(LOOK, |limit| (limit / LOOKS).clamp(LEAST_LOOK, LOOK));
        let half = self.limit.filter(|_| !self.is_warned).map(|limit| self.last + limit / 2);
        let whole = self.limit.map(|limit| self.last + limit);
        let due = half.into_iter().chain(whole).filter(|at| *at > self.looked).min();
        due.map_or(self.looked + every, |due| due.min(self.looked + every))
    }

    /// Takes the processor time that the tree has used so far.
    pub(super) fn look(&mut self, now: Instant, used: Duration) -> Felt {
        let work = used.saturating_sub(self.used);
        let since = now.saturating_duration_since(self.looked);
        (self.looked, self.used) = (now, used);
        if work > Duration::ZERO && work >= since / BUSY {
            self.heard(now);
            return Felt::Work;
        }
        let silence = now.saturating_duration_since(self.last);
        match self.limit {
            Some(limit) if silence >= limit => Felt::TooQuiet,
            Some(limit) if silence >= limit / 2 && !self.is_warned => {
                self.is_warned = true;
                Felt::Quiet(silence)
            }
            _ => Felt::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: Duration = Duration::from_mins(8);

    fn mins(minutes: u64) -> Duration {
        Duration::from_mins(minutes)
    }

    #[test]
    fn silence_is_said_at_half_and_ends_at_the_limit() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Some(LIMIT), start);
        let idle = Duration::from_millis(30);
        assert_eq!(pulse.look(start + mins(3), idle), Felt::Nothing);
        assert_eq!(pulse.look(start + mins(4), idle), Felt::Quiet(mins(4)));
        assert_eq!(pulse.look(start + mins(7), idle), Felt::Nothing, "said once");
        assert_eq!(pulse.look(start + mins(8), idle), Felt::TooQuiet);
    }

    #[test]
    fn output_and_work_are_signs_and_an_idle_timer_is_none() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Some(LIMIT), start);
        pulse.heard(start + mins(5));
        assert_eq!(pulse.look(start + mins(8), Duration::from_millis(10)), Felt::Nothing);
        assert_eq!(pulse.look(start + mins(12), Duration::from_secs(10)), Felt::Work);
        assert_eq!(pulse.look(start + mins(16), Duration::from_secs(10)), Felt::Quiet(mins(4)));
        assert_eq!(pulse.look(start + mins(17), Duration::from_millis(10_100)), Felt::Nothing);
        // A tree that lost a process that nobody waited for has used less than before: that is no sign.
        assert_eq!(pulse.look(start + mins(20), Duration::ZERO), Felt::TooQuiet);
    }

    #[test]
    fn without_a_limit_nothing_is_ended() {
        let start = Instant::now();
        let mut pulse = Pulse::new(None, start);
        assert_eq!(pulse.look(start + Duration::from_hours(100), Duration::ZERO), Felt::Nothing);
        assert_eq!(pulse.look_at(), start + Duration::from_hours(100) + LOOK);
    }

    proptest! {
        /// Whoever looks when told to ends a step between its limit and a little after, never before.
        #[test]
        fn it_ends_at_its_limit(limit_ms in 1_000_u64..10_000_000, heard_ms in 0_u64..500_000) {
            let limit = Duration::from_millis(limit_ms);
            let start = Instant::now();
            let mut pulse = Pulse::new(Some(limit), start);
            let heard = start + Duration::from_millis(heard_ms.min(limit_ms - 1));
            let mut is_heard = false;
            let mut warnings = 0;
            for _ in 0..10_000_000_u64 {
                let now = pulse.look_at();
                if now > heard && !is_heard {
                    pulse.heard(heard);
                    is_heard = true;
                    continue;
                }
                match pulse.look(now, Duration::ZERO) {
                    Felt::TooQuiet => {
                        prop_assert_eq!(now, heard + limit);
                        prop_assert!((1..=2).contains(&warnings));
                        return Ok(());
                    }
                    Felt::Quiet(_) => warnings += 1,
                    _ => {}
                }
            }
            prop_assert!(false, "never ended");
        }
    }
}

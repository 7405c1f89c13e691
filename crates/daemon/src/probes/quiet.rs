//! When nothing is asked: while services are stopped on purpose, a moment longer, and in the first minutes of a host,
//! whose services start one after the other.

use std::{
    fs,
    time::{Duration, Instant},
};

/// A host that was started is given this long.
const AFTER_BOOT: Duration = Duration::from_mins(3);
/// A service that was started again answers after some seconds.
const AFTER_STOP: Duration = Duration::from_secs(30);

/// Until when nothing is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quiet {
    stopped: bool,
    until: Option<Instant>,
}

impl Quiet {
    /// That of a host which has been up for so long.
    pub(super) fn of(up: Option<Duration>, now: Instant) -> Self {
        let left = up.and_then(|up| AFTER_BOOT.checked_sub(up));
        Self { stopped: false, until: left.map(|left| now + left) }
    }

    /// Services are stopped on purpose, or are not any more.
    pub(super) fn stopped(&mut self, stopped: bool, now: Instant) {
        if self.stopped && !stopped {
            self.until = self.until.max(Some(now + AFTER_STOP));
        }
        self.stopped = stopped;
    }

    /// Whether it is on.
    pub(super) fn is_on(self, now: Instant) -> bool {
        self.stopped || self.until.is_some_and(|until| now < until)
    }
}

/// For how long this host has been up.
pub(super) fn uptime() -> Option<Duration> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_minutes_after_a_start_and_while_services_are_stopped() {
        let now = Instant::now();
        let minutes = |minutes| now + Duration::from_mins(minutes);
        let fresh = Quiet::of(Some(Duration::from_mins(1)), now);
        assert!(fresh.is_on(minutes(1)) && !fresh.is_on(minutes(2)));
        let mut quiet = Quiet::of(Some(Duration::from_hours(1)), now);
        assert!(!quiet.is_on(now) && !Quiet::of(None, now).is_on(now));
        quiet.stopped(true, now);
        assert!(quiet.is_on(minutes(600)));
        quiet.stopped(false, minutes(600));
        assert!(quiet.is_on(minutes(600)) && !quiet.is_on(minutes(601)));
    }
}

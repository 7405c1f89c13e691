//! When nothing is asked: while services are stopped on purpose, a moment longer, and in the first minutes of a host,
//! whose services start one after the other.

use nix::time::{ClockId, clock_gettime};
use std::{
    fs,
    time::{Duration, Instant, SystemTime},
};

/// The socket that systemd makes when it begins, and keeps when it is reloaded or executed anew.
const OF_BOOT: &str = "/run/systemd/notify";

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

/// For how long this host has been up. The daemon sees no `/proc/uptime` (`ProcSubset=pid`), and in a container the kernel
/// has been up for longer than its systemd, so the shorter one counts.
pub(super) fn uptime() -> Option<Duration> {
    let kernel = clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Duration::from);
    let made = fs::metadata(OF_BOOT).and_then(|about| about.modified()).ok();
    // Made in the future: the clock has been set back since.
    let systemd = made.and_then(|at| SystemTime::now().duration_since(at).ok());
    kernel.into_iter().chain(systemd).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_for_how_long_the_host_has_been_up() {
        assert!(uptime().is_some_and(|up| up > Duration::ZERO), "{:?}", uptime());
    }

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

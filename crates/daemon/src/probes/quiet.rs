//! When nothing is asked: while services are stopped on purpose, a moment longer, and in the first minutes of a host,
//! whose services start one after the other. The assets alone are not asked for while a guarded change builds them.

use mastmaint_config::probes::Question;
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
    building: bool,
    until: Option<Instant>,
}

impl Quiet {
    /// That of a host which has been up for so long.
    pub(super) fn of(up: Option<Duration>, now: Instant) -> Self {
        let left = up.and_then(|up| AFTER_BOOT.checked_sub(up));
        Self { stopped: false, building: false, until: left.map(|left| now + left) }
    }

    /// Services are stopped on purpose, or are not any more.
    pub(super) fn stopped(&mut self, stopped: bool, now: Instant) {
        if self.stopped && !stopped {
            self.until = self.until.max(Some(now + AFTER_STOP));
        }
        self.stopped = stopped;
    }

    /// A guarded change has begun, or has ended. Its theme is listed long before it is built.
    pub(super) fn building(&mut self, building: bool) {
        self.building = building;
    }

    /// Whether this is not asked.
    pub(super) fn is_on(self, question: &Question, now: Instant) -> bool {
        let is_half = self.building && matches!(question, Question::Assets);
        self.stopped || is_half || self.until.is_some_and(|until| now < until)
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
        let is_on = |quiet: Quiet, at| quiet.is_on(&Question::Units, at);
        assert!(is_on(fresh, minutes(1)) && !is_on(fresh, minutes(2)));
        let mut quiet = Quiet::of(Some(Duration::from_hours(1)), now);
        assert!(!is_on(quiet, now) && !is_on(Quiet::of(None, now), now));
        quiet.stopped(true, now);
        assert!(is_on(quiet, minutes(600)));
        quiet.stopped(false, minutes(600));
        assert!(is_on(quiet, minutes(600)) && !is_on(quiet, minutes(601)));
    }

    #[test]
    fn while_a_guarded_change_builds_only_the_assets_are_not_asked_for() {
        let now = Instant::now();
        let mut quiet = Quiet::of(None, now);
        quiet.building(true);
        assert!(quiet.is_on(&Question::Assets, now) && !quiet.is_on(&Question::Units, now));
        quiet.building(false);
        assert!(
            !quiet.is_on(&Question::Assets, now),
            "at once: what stays is whole, and so is what was put back"
        );
    }
}

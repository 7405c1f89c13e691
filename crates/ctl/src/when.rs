//! Instants and durations for people: absolute times in the host's zone with relative ones beside them.

use jiff::{Timestamp, tz::TimeZone};
use mastmaint_words::human;
use std::time::Duration;

/// Now, and the zone in which people here read the clock.
#[derive(Debug, Clone)]
pub struct When {
    /// Now.
    pub now: Timestamp,
    /// Where.
    pub zone: TimeZone,
}

impl When {
    /// The clock and zone of this host.
    pub fn of_this_host() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::system() }
    }

    /// `Tue 2026-11-24 00:30:00 CET`.
    pub fn at(&self, instant: Timestamp) -> String {
        instant.to_zoned(self.zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// `11-24 00:30`, for a narrow terminal.
    pub fn brief(&self, instant: Timestamp) -> String {
        instant.to_zoned(self.zone.clone()).strftime("%m-%d %H:%M").to_string()
    }

    /// `00:30:00`, for what happened a moment ago.
    pub fn clock(&self, instant: Timestamp) -> String {
        instant.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// How long until then: `3 h 12 min`; `due` once it has come.
    pub fn left(&self, instant: Timestamp) -> String {
        human::between(self.now, instant).map_or_else(|| "due".to_owned(), human::span)
    }

    /// How long ago: `3 h 12 min ago`.
    pub fn passed(&self, instant: Timestamp) -> String {
        human::ago(self.now, instant)
    }

    /// Both: `Tue 2026-11-24 00:30:00 CET (in 3 h 12 min)`.
    pub fn both(&self, instant: Timestamp) -> String {
        let beside = if instant > self.now { human::until(self.now, instant) } else { self.passed(instant) };
        format!("{} ({beside})", self.at(instant))
    }
}

/// How long something took, in the seconds of the protocol: `400 ms`, `4 min 51 s`.
pub fn took(seconds: f64) -> String {
    human::took(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_noon() -> When {
        When { now: "2026-11-23T12:00:00Z".parse().unwrap(), zone: TimeZone::fixed(jiff::tz::offset(1)) }
    }

    #[test]
    fn absolute_and_relative_times_say_the_same() {
        let when = at_noon();
        let next = "2026-11-23T15:12:00Z".parse().unwrap();
        assert_eq!(when.both(next), "Mon 2026-11-23 16:12:00 +01 (in 3 h 12 min)");
        assert_eq!(when.left(next), "3 h 12 min");
        let last = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(when.both(last), "Sat 2026-11-21 09:00:00 +01 (2 d 4 h ago)");
        assert_eq!(when.left(last), "due");
        assert_eq!(when.passed(when.now), "just now");
    }

    #[test]
    fn what_no_clock_says_is_no_time() {
        assert_eq!(took(0.44), "440 ms");
        assert_eq!(took(291.2), "4 min 51 s");
        for odd in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(took(odd), "0 ms");
        }
    }
}

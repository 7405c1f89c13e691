//! Instants and durations for people: absolute times in the host's zone with relative ones beside them.

use jiff::{Timestamp, tz::TimeZone};

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

    /// How long until then: `3h 12m`; `due` once it has come.
    pub fn left(&self, instant: Timestamp) -> String {
        let seconds = instant.as_second() - self.now.as_second();
        if seconds <= 0 { "due".to_owned() } else { rough(seconds.unsigned_abs()) }
    }

    /// How long ago: `3h 12m ago`.
    pub fn passed(&self, instant: Timestamp) -> String {
        let seconds = self.now.as_second() - instant.as_second();
        if seconds <= 0 { "just now".to_owned() } else { format!("{} ago", rough(seconds.unsigned_abs())) }
    }

    /// Both: `Tue 2026-11-24 00:30:00 CET (in 3h 12m)`.
    pub fn both(&self, instant: Timestamp) -> String {
        let beside = if instant > self.now {
            format!("in {}", rough((instant.as_second() - self.now.as_second()).unsigned_abs()))
        } else {
            self.passed(instant)
        };
        format!("{} ({beside})", self.at(instant))
    }
}

/// Seconds as their two largest units: `3h 12m`, `2d 4h`, `45s`.
pub fn rough(seconds: u64) -> String {
    const UNITS: [(&str, u64); 5] = [("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let Some(first) = UNITS.iter().position(|(_, size)| seconds >= *size) else {
        return "0s".to_owned();
    };
    let (name, size) = UNITS[first];
    let head = format!("{}{name}", seconds / size);
    match UNITS.get(first + 1) {
        Some((name, smaller)) if seconds % size >= *smaller => {
            format!("{head} {}{name}", seconds % size / smaller)
        }
        _ => head,
    }
}

/// How long something took: `0.4s`, `4m 51s`.
pub fn took(seconds: f64) -> String {
    if seconds.is_finite() && seconds >= 10.0 {
        rough(std::time::Duration::try_from_secs_f64(seconds).map_or(u64::MAX, |d| d.as_secs()))
    } else {
        format!("{:.1}s", if seconds.is_finite() { seconds.max(0.0) } else { 0.0 })
    }
}

/// Bytes with three digits, base 1024, as tootctl prints them: `22.0 GB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["bytes", "KB", "MB", "GB", "TB", "PB"];
    let mut unit: u128 = 1;
    let mut name = UNITS[0];
    for next in &UNITS[1..] {
        if u128::from(bytes) < unit * 1024 {
            break;
        }
        (unit, name) = (unit * 1024, next);
    }
    // In hundredths, tenths or ones of the unit, rounded.
    let parts = |of: u128| (u128::from(bytes) * of + unit / 2) / unit;
    match (parts(100), parts(10)) {
        _ if unit == 1 => format!("{bytes} {name}"),
        (hundredths @ 0..1000, _) => format!("{}.{:02} {name}", hundredths / 100, hundredths % 100),
        (_, tenths @ 0..1000) => format!("{}.{} {name}", tenths / 10, tenths % 10),
        _ => format!("{} {name}", parts(1)),
    }
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
        assert_eq!(when.both(next), "Mon 2026-11-23 16:12:00 +01 (in 3h 12m)");
        assert_eq!(when.left(next), "3h 12m");
        let last = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(when.both(last), "Sat 2026-11-21 09:00:00 +01 (2d 4h ago)");
        assert_eq!(when.left(last), "due");
        assert_eq!(when.passed(when.now), "just now");
    }

    #[test]
    fn durations_keep_their_two_largest_units() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3_601, "1h"), (100_000, "1d 3h"), (63_200_000, "2y")]
        {
            assert_eq!(rough(seconds), text, "{seconds}");
        }
        assert_eq!(took(0.44), "0.4s");
        assert_eq!(took(291.2), "4m 51s");
        assert_eq!(took(f64::NAN), "0.0s");
    }

    #[test]
    fn sizes_read_like_tootctl() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1_163_919, "1.11 MB"),
            (23_622_320_128, "22.0 GB"),
            (512_753_664, "489 MB"),
            (u64::MAX, "16384 PB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}

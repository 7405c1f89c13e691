//! Sizes and times in the words of people: two units at most, nothing that pretends to be exact. The journal, the
//! sentence of systemd and mastmaintctl all speak through this.

use jiff::Timestamp;
use std::time::Duration;

/// `22 GB`, `7.49 MB`, `0 bytes`: base 1024 and three digits, as tootctl counts.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1024 {
        return if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") };
    }
    // Hundredths of the unit, rounded, so that 1023.99 KB becomes 1 MB and not 1024 KB.
    let mut unit = 0;
    let mut hundredths = (u128::from(count) * 100 + 512) / 1024;
    while hundredths >= 102_350 && unit + 1 < UNITS.len() {
        unit += 1;
        let size = 1024_u128.pow(u32::try_from(unit).unwrap_or(0) + 1);
        hundredths = (u128::from(count) * 100 + size / 2) / size;
    }
    let text = if hundredths >= 10_000 {
        format!("{}", (hundredths + 50) / 100)
    } else if hundredths >= 1_000 {
        let tenths = (hundredths + 5) / 10;
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {}", UNITS[unit])
}

/// `3 h 12 min`, `12 min`, `45 s`, `2 d 3 h`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (large, large_unit, small, small_unit) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3_600 => return format!("{} min", seconds / 60),
        3_600..86_400 => (seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => (seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    };
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// How long something took: `8 ms`, `5.9 s`, `1 min 53 s`, `3 h 12 min`.
pub fn took(took: Duration) -> String {
    match took.as_millis() {
        ms @ 0..1_000 => format!("{ms} ms"),
        ms @ 1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        ms @ 60_000..3_600_000 if ms % 60_000 >= 1_000 => {
            format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000)
        }
        _ => span(took),
    }
}

/// `in 3 h 12 min`, or `now` for what is due.
pub fn until(now: Timestamp, at: Timestamp) -> String {
    between(now, at).map_or_else(|| "now".to_owned(), |left| format!("in {}", span(left)))
}

/// `3 h 12 min ago`, or `just now`.
pub fn ago(now: Timestamp, at: Timestamp) -> String {
    between(at, now).map_or_else(|| "just now".to_owned(), |past| format!("{} ago", span(past)))
}

/// Time from one instant to a later one; nothing if that is less than a second.
pub fn between(from: Timestamp, to: Timestamp) -> Option<Duration> {
    Duration::try_from(to.duration_since(from)).ok().filter(|d| *d >= Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_have_three_digits() {
        for (count, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KB"),
            (1536, "1.5 KB"),
            (7_853_834, "7.49 MB"),
            (1024 * 1024 - 1, "1 MB"),
            (12_900_000, "12.3 MB"),
            (512_753_664, "489 MB"),
            (22 * 1024 * 1024 * 1024, "22 GB"),
            (100 * 1024, "100 KB"),
            (u64::MAX, "16 EB"),
        ] {
            assert_eq!(bytes(count), text, "{count}");
        }
    }

    #[test]
    fn times_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (11_520, "3 h 12 min"),
            (86_400, "1 d"),
            (97_200, "1 d 3 h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        let noon: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let three: Timestamp = "2026-11-23T15:12:00Z".parse().unwrap();
        assert_eq!(until(noon, three), "in 3 h 12 min");
        assert_eq!(until(three, noon), "now");
        assert_eq!(ago(three, noon), "3 h 12 min ago");
        assert_eq!(ago(noon, noon), "just now");
    }

    proptest! {
        #[test]
        fn sizes_are_short_and_near(count in 1024_u64..) {
            let text = bytes(count);
            let (number, unit) = text.split_once(' ').unwrap();
            let power = ["KB", "MB", "GB", "TB", "PB", "EB"].iter().position(|u| *u == unit).unwrap() + 1;
            #[expect(clippy::cast_precision_loss, reason = "compared to a per cent")]
            let ratio = number.parse::<f64>().unwrap() * 1024_f64.powi(power.try_into().unwrap()) / count as f64;
            prop_assert!((0.99..1.01).contains(&ratio), "{count} became {text}");
            prop_assert!(number.bytes().filter(u8::is_ascii_digit).count() <= 4);
        }
    }
}

//! Instants as people write them: a date, a date with a time of day, or RFC 3339 with its offset.

use jiff::{Timestamp, civil, tz::TimeZone};

/// Which end of a period a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Where it begins: a date alone means the first instant of that day.
    Begin,
    /// Where it ends: a date alone means the last day, whole.
    End,
}

/// A text that is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is no date and no time; write a date like 2026-12-31, a time like \"2026-12-31 18:00\", or RFC 3339 like 2026-12-31T18:00:00Z"
)]
pub struct BadInstant {
    given: String,
}

/// The instant that a text means in a time zone. A time of day that the clocks skip is taken as the one after the gap.
///
/// # Errors
/// If it is none of the three forms, or a day that no calendar has.
pub fn instant(text: &str, zone: &TimeZone, edge: Edge) -> Result<Timestamp, BadInstant> {
    let bad = || BadInstant { given: text.chars().take(64).collect() };
    let text = text.trim();
    let is_date = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if is_date {
        let day: civil::Date = text.parse().map_err(|_| bad())?;
        let day = match edge {
            Edge::Begin => day,
            Edge::End => day.tomorrow().map_err(|_| bad())?,
        };
        return day.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|_| bad());
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    // jiff reads a date where a time is asked for and an offset is no part of a time of day: neither is meant here.
    let has_time = text.contains(':') && !text.contains(['+', 'Z', 'z', '[']);
    let local = text.parse::<civil::DateTime>().ok().filter(|_| has_time).ok_or_else(bad)?;
    zone.to_timestamp(local).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, edge: Edge) -> Option<String> {
        let paris = TimeZone::get("Europe/Paris").unwrap();
        instant(text, &paris, edge).ok().map(|instant| instant.to_string())
    }

    #[test]
    fn a_date_is_a_whole_day() {
        assert_eq!(read("2026-12-01", Edge::Begin).unwrap(), "2026-11-30T23:00:00Z");
        assert_eq!(read("2026-12-31", Edge::End).unwrap(), "2026-12-31T23:00:00Z");
        // The day on which the clocks go back has 25 hours.
        assert_eq!(read("2026-10-25", Edge::Begin).unwrap(), "2026-10-24T22:00:00Z");
        assert_eq!(read("2026-10-25", Edge::End).unwrap(), "2026-10-25T23:00:00Z");
    }

    #[test]
    fn a_time_is_what_it_says_at_both_ends() {
        for edge in [Edge::Begin, Edge::End] {
            assert_eq!(read("2026-12-31T18:00:00Z", edge).unwrap(), "2026-12-31T18:00:00Z");
            assert_eq!(read("2026-12-31T18:00:00+01:00", edge).unwrap(), "2026-12-31T17:00:00Z");
            assert_eq!(read("2026-12-31 18:00", edge).unwrap(), "2026-12-31T17:00:00Z");
            assert_eq!(read("2026-03-29 02:30", edge).unwrap(), "2026-03-29T01:30:00Z");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "tomorrow", "2026-02-30", "2026-13-01", "2026-12", "18:00", "2026-12-31T18", "20261231"]
        {
            assert_eq!(read(text, Edge::Begin), None, "{text}");
        }
    }
}

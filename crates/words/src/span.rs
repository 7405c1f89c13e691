//! Durations as people write them: `90s`, `2h 30m`, `1d 12h`. A bare number is refused: it hides its unit.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// A duration that is written and read with units. Resolution: one millisecond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseSpanError {
    /// Nothing there.
    #[error("a duration is missing; write it like \"90s\", \"10m\" or \"2h 30m\"")]
    Empty,
    /// A number without a unit.
    #[error("{0:?} has no unit; write it like \"90s\", \"10m\" or \"2h 30m\"")]
    NoUnit(String),
    /// A unit nobody knows.
    #[error("{0:?} is not a unit of time; there are ms, s, m, h, d, w")]
    UnknownUnit(String),
    /// Anything else that is no number.
    #[error("{0:?} is not a duration; write it like \"90s\", \"10m\" or \"2h 30m\"")]
    NotADuration(String),
    /// More than a hundred years.
    #[error("{0:?} is longer than a hundred years")]
    TooLong(String),
}

/// Milliseconds in each unit, largest first.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const LONGEST_MS: u64 = 100 * 366 * 86_400_000;

impl Span {
    /// The span of a `Duration`, cut to milliseconds.
    pub fn new(duration: Duration) -> Self {
        Self(Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(LONGEST_MS)))
    }

    /// A span of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As the standard library knows it.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(ParseSpanError::Empty);
        }
        let whole = || text.trim().to_owned();
        let mut total_ms: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return Err(ParseSpanError::NotADuration(whole()));
            }
            let number: u64 = rest[..digits].parse().map_err(|_| ParseSpanError::TooLong(whole()))?;
            rest = rest[digits..].trim_start();
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit = &rest[..letters];
            if unit.is_empty() {
                return Err(if rest.is_empty() {
                    ParseSpanError::NoUnit(whole())
                } else {
                    ParseSpanError::NotADuration(whole())
                });
            }
            let short = match unit {
                "sec" | "secs" | "second" | "seconds" => "s",
                "min" | "mins" | "minute" | "minutes" => "m",
                "hr" | "hour" | "hours" => "h",
                "day" | "days" => "d",
                "week" | "weeks" => "w",
                other => other,
            };
            let (_, size_ms) = UNITS
                .iter()
                .find(|(name, _)| *name == short)
                .ok_or_else(|| ParseSpanError::UnknownUnit(unit.to_owned()))?;
            total_ms = number
                .checked_mul(*size_ms)
                .and_then(|ms| total_ms.checked_add(ms))
                .filter(|ms| *ms <= LONGEST_MS)
                .ok_or_else(|| ParseSpanError::TooLong(whole()))?;
            rest = rest[letters..].trim_start();
        }
        Ok(Self(Duration::from_millis(total_ms)))
    }
}

impl fmt::Display for Span {
    /// `2h 30m`: the largest units first, nothing that is zero, `0s` for none. Reads back to the same span.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest_ms = u64::try_from(self.0.as_millis()).unwrap_or(LONGEST_MS);
        if rest_ms == 0 {
            return f.pad("0s");
        }
        let mut words = Vec::new();
        for (name, size_ms) in UNITS {
            // Weeks are read, never written: "14d" is what people say of a retention.
            if name == "w" {
                continue;
            }
            let count = rest_ms / size_ms;
            if count > 0 {
                words.push(format!("{count}{name}"));
                rest_ms %= size_ms;
            }
        }
        f.pad(&words.join(" "))
    }
}

impl TryFrom<String> for Span {
    type Error = ParseSpanError;

    fn try_from(text: String) -> Result<Self, ParseSpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in
            [("90s", 90), ("2h 30m", 9000), ("2h30m", 9000), ("1d", 86_400), ("10 min", 600), ("0s", 0)]
        {
            assert_eq!(text.parse::<Span>().unwrap(), Span::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn refuses_what_hides_its_unit() {
        assert_eq!("30".parse::<Span>(), Err(ParseSpanError::NoUnit("30".into())));
        assert_eq!("".parse::<Span>(), Err(ParseSpanError::Empty));
        assert_eq!("2 fortnights".parse::<Span>(), Err(ParseSpanError::UnknownUnit("fortnights".into())));
        assert!(matches!("-5m".parse::<Span>(), Err(ParseSpanError::NotADuration(_))));
        assert!(matches!("1.5h".parse::<Span>(), Err(ParseSpanError::NotADuration(_))));
        assert!(matches!("99999999999999999999h".parse::<Span>(), Err(ParseSpanError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 0..LONGEST_MS) {
            let span = Span::new(Duration::from_millis(ms));
            prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = text.parse::<Span>();
        }
    }
}

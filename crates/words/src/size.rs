//! Sizes and shares as people write them: `5 GB`, `500MB`. A bare number is refused: it hides its unit.

use crate::human;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A size that is written and read with units, base 1024 as tootctl counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(u64);

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a size; write it like \"500 MB\" or \"5 GB\"")]
pub struct ParseBytesError(String);

const UNITS: [(&str, u64); 5] =
    [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];

impl Bytes {
    /// So many bytes.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// How many bytes they are.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Bytes {
    type Err = ParseBytesError;

    fn from_str(text: &str) -> Result<Self, ParseBytesError> {
        let wrong = || ParseBytesError(text.chars().take(64).collect());
        let trimmed = text.trim();
        let digits = trimmed.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let unit = trimmed[digits..].trim().to_ascii_uppercase().replace("IB", "B");
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let (whole, part) = trimmed[..digits].split_once('.').unwrap_or((&trimmed[..digits], "0"));
        if part.len() > 3 {
            return Err(wrong());
        }
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        let thousandths: u64 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
        let part = u128::from(*size) * u128::from(thousandths) / 1000;
        let bytes = u128::from(whole) * u128::from(*size) + part;
        u64::try_from(bytes).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for Bytes {
    /// The largest unit in which it is a whole number, so that it reads back to the same size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) =
            UNITS.iter().find(|(_, size)| self.0.is_multiple_of(*size) && self.0 > 0).unwrap_or(&UNITS[4]);
        f.pad(&format!("{} {unit}", self.0 / size))
    }
}

impl Bytes {
    /// For people: `22 GB`.
    pub fn human(self) -> String {
        human::bytes(self.0)
    }
}

impl TryFrom<String> for Bytes {
    type Error = ParseBytesError;

    fn try_from(text: String) -> Result<Self, ParseBytesError> {
        text.parse()
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        bytes.to_string()
    }
}

/// A share of a whole, from 1 to 100 per cent, as people write it: `10%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(u8);

/// Why a text is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a share; write it from \"1%\" to \"100%\"")]
pub struct ParsePercentError(String);

impl Percent {
    /// Ten of a hundred.
    pub const TEN: Self = Self(10);

    /// How many of a hundred.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether `part` is more than this share of `whole`.
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100 > u128::from(whole) * u128::from(self.0)
    }
}

impl FromStr for Percent {
    type Err = ParsePercentError;

    fn from_str(text: &str) -> Result<Self, ParsePercentError> {
        let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        number
            .filter(|percent| (1..=100_u8).contains(percent))
            .map(Self)
            .ok_or_else(|| ParsePercentError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", self.0))
    }
}

impl TryFrom<String> for Percent {
    type Error = ParsePercentError;

    fn try_from(text: String) -> Result<Self, ParsePercentError> {
        text.parse()
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in
            [("5 GB", 5 << 30), ("500MB", 500 << 20), ("1.5 GiB", 3 << 29), ("0 B", 0), ("10 kb", 10 << 10)]
        {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["5", "GB", "", "5 PB", "-1 GB", "1.2345 GB", "99999999999999999999 GB", "1.x GB"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_of_a_hundred() {
        let ten: Percent = "10%".parse().unwrap();
        assert!(ten == Percent::TEN && ten.to_string() == "10%");
        assert!(!ten.is_exceeded_by(10, 100) && ten.is_exceeded_by(11, 100) && ten.is_exceeded_by(1, 0));
        for text in ["10", "0%", "101%", "%", "-1%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(count in any::<u64>()) {
            prop_assert_eq!(Bytes(count).to_string().parse(), Ok(Bytes(count)));
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = text.parse::<Bytes>();
        }
    }
}

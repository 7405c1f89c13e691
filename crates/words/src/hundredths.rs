//! Small numbers with two decimals, as the kernel tells loads and pressures and as people write bounds for them: `4`,
//! `0.75`. Exact, so that what is written reads back.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A number from 0 to some ten millions, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hundredths(u32);

/// Why a text is no such number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a number with at most two decimals; write it like 4 or 0.75")]
pub struct ParseHundredthsError(String);

impl Hundredths {
    /// So many hundredths.
    pub const fn new(hundredths: u32) -> Self {
        Self(hundredths)
    }

    /// How many hundredths.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for Hundredths {
    type Err = ParseHundredthsError;

    fn from_str(text: &str) -> Result<Self, ParseHundredthsError> {
        let wrong = || ParseHundredthsError(text.chars().take(64).collect());
        let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 2 {
            return Err(wrong());
        }
        let hundredths: u32 = format!("{part:0<2}").parse().map_err(|_| wrong())?;
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        whole.checked_mul(100).and_then(|whole| whole.checked_add(hundredths)).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Hundredths {
    /// Without zeros that say nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.0 / 100, self.0 % 100) {
            (whole, 0) => format!("{whole}"),
            (whole, part) if part % 10 == 0 => format!("{whole}.{}", part / 10),
            (whole, part) => format!("{whole}.{part:02}"),
        };
        f.pad(&text)
    }
}

impl TryFrom<String> for Hundredths {
    type Error = ParseHundredthsError;

    fn try_from(text: String) -> Result<Self, ParseHundredthsError> {
        text.parse()
    }
}

impl From<Hundredths> for String {
    fn from(number: Hundredths) -> Self {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_and_the_kernel_write() {
        for (text, hundredths) in [("4", 400), ("0.75", 75), ("1.5", 150), (" 12.07 ", 1207), ("0", 0)] {
            assert_eq!(text.parse(), Ok(Hundredths(hundredths)), "{text}");
        }
        for text in ["", ".", "4.", ".5", "-1", "1e3", "0.755", "4,5", "99999999999"] {
            assert!(text.parse::<Hundredths>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(hundredths in any::<u32>()) {
            prop_assert_eq!(Hundredths(hundredths).to_string().parse(), Ok(Hundredths(hundredths)));
        }
    }
}

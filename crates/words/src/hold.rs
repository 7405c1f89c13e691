//! Holds: periods in which jobs do not run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, num::ParseIntError, str::FromStr};

/// A period in which jobs do not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// From here on.
    pub from: Timestamp,
    /// Not from here on any more.
    pub until: Timestamp,
    /// Which jobs.
    #[serde(default)]
    pub scope: HoldScope,
    /// Why, in the admin's words.
    pub reason: String,
}

/// Which jobs a hold is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldScope {
    /// Those marked `change: true`.
    #[default]
    Change,
    /// Every job.
    All,
}

impl Hold {
    /// Whether it is on at an instant.
    pub fn is_on(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

impl HoldScope {
    /// Every scope.
    pub const ALL: [Self; 2] = [Self::Change, Self::All];

    /// The word in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::All => "all",
        }
    }
}

impl fmt::Display for HoldScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no scope of a hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scope of a hold; there are change and all")]
pub struct UnknownScope(String);

impl FromStr for HoldScope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| UnknownScope(text.chars().take(64).collect()))
    }
}

/// By which a hold that was set by hand is called: 1, 2, 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HoldId(pub u32);

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for HoldId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_before_its_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let hold =
            Hold { from: at(10), until: at(20), scope: HoldScope::Change, reason: "freeze".to_owned() };
        let on: Vec<_> = [9, 10, 19, 20].into_iter().map(|second| hold.is_on(at(second))).collect();
        assert_eq!(on, [false, true, true, false]);
    }

    #[test]
    fn scopes_read_back() {
        for scope in HoldScope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::to_string(&scope).unwrap(), format!("\"{scope}\""));
        }
        assert!("some".parse::<HoldScope>().is_err());
    }
}

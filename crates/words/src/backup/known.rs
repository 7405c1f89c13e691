//! Findings as the ledger knows them: each with a short id by which people acknowledge it.

use super::Finding;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// By which a finding is called: `F12`. No job has such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FindingId(pub u32);

/// A text that is no id of a finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no finding; they are called like F12")]
pub struct UnknownFinding(String);

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("F{}", self.0))
    }
}

impl FromStr for FindingId {
    type Err = UnknownFinding;

    fn from_str(text: &str) -> Result<Self, UnknownFinding> {
        let digits = text.strip_prefix('F').filter(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or_else(|| UnknownFinding(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for FindingId {
    type Error = UnknownFinding;

    fn try_from(text: String) -> Result<Self, UnknownFinding> {
        text.parse()
    }
}

impl From<FindingId> for String {
    fn from(id: FindingId) -> Self {
        id.to_string()
    }
}

/// A finding that was there in the newest verification of its backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFinding {
    /// By which it is called.
    pub id: FindingId,
    /// When it was found first.
    pub since: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub finding: Finding,
    /// A person knows of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack: Option<FindingAck>,
}

/// A person knows of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingAck {
    /// Since when.
    pub at: Timestamp,
    /// Until then; for as long as it is there where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who.
    pub uid: u32,
}

impl KnownFinding {
    /// Whether somebody knows of it at an instant.
    pub fn is_acknowledged(&self, at: Timestamp) -> bool {
        self.ack.is_some_and(|ack| ack.until.is_none_or(|until| at < until))
    }
}

impl Finding {
    /// What tells it from the others of its backup, and stays the same from night to night: numbers count files, or
    /// name a generation that rotates.
    pub fn mark(&self) -> String {
        let mut mark = format!("{} ", self.code);
        let mut in_number = false;
        for c in self.what.chars() {
            if !c.is_ascii_digit() {
                mark.push(c);
            } else if !in_number {
                mark.push('#');
            }
            in_number = c.is_ascii_digit();
        }
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Code;

    #[test]
    fn a_finding_keeps_its_mark_while_only_its_numbers_change() {
        let of = |what: &str| Finding::warn(Code::Rot, what, "").mark();
        assert_eq!(of("3 files in daily.1"), of("12 files in daily.2"));
        assert_ne!(of("rot in a/b"), of("rot in a/c"));
        assert_ne!(of("x"), Finding::warn(Code::Missing, "x", "").mark());
    }

    #[test]
    fn ids_read_back_and_are_no_job() {
        assert_eq!("F12".parse(), Ok(FindingId(12)));
        assert_eq!(FindingId(12).to_string(), "F12");
        for bad in ["f12", "12", "F", "F1x", "F+1", "F99999999999"] {
            assert!(bad.parse::<FindingId>().is_err(), "{bad}");
        }
        assert!("F12".parse::<crate::JobName>().is_err());
    }
}

//! What became of a step or a run, and how sure we are of it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Outcome of a step; of a run it is the worst of its steps.
///
/// The variants stand in the order of the design, so `max` of two outcomes is the worse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything that was asked for was done.
    Ok,
    /// Nothing was done, on purpose.
    Skipped,
    /// Some of the work was done, some was not.
    Partial,
    /// Somebody asked for it to end.
    Cancelled,
    /// The room knows nothing of the step or died with it.
    Interrupted,
    /// A time limit ended it.
    TimedOut,
    /// None of it was done, or not what was asked.
    Failed,
}

impl Outcome {
    /// All outcomes, best first.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Skipped,
        Self::Partial,
        Self::Cancelled,
        Self::Interrupted,
        Self::TimedOut,
        Self::Failed,
    ];

    /// The word as people, the journal and the ledger see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Partial => "partial",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::TimedOut => "timed-out",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing is wrong: `ok` and `skipped`, exit status 0 of `mastmaintctl run --follow`.
    pub const fn is_fine(self) -> bool {
        matches!(self, Self::Ok | Self::Skipped)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Outcome {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|o| o.as_str() == word).ok_or_else(|| format!("unknown outcome {word:?}"))
    }
}

/// How an outcome was reached, least certain first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Only the exit status is known.
    Exit,
    /// The output was understood.
    Read,
    /// The effect was looked at.
    Proved,
}

impl Grade {
    /// The word as people, the journal and the ledger see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Read => "read",
            Self::Proved => "proved",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Grade {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Exit, Self::Read, Self::Proved]
            .into_iter()
            .find(|g| g.as_str() == word)
            .ok_or_else(|| format!("unknown grade {word:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_as_bad_as_its_worst_step() {
        assert_eq!([Outcome::Ok, Outcome::Failed, Outcome::Partial].into_iter().max(), Some(Outcome::Failed));
        assert!(Outcome::ALL.is_sorted());
    }

    #[test]
    fn words_read_back() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
            assert_eq!(serde_json_like(outcome), outcome.as_str());
        }
    }

    fn serde_json_like(outcome: Outcome) -> String {
        // The serde name and `as_str` must never drift apart.
        serde_json::to_string(&outcome).unwrap().trim_matches('"').to_owned()
    }
}

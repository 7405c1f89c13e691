//! What people are told of.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a message is about. The first seven can be asked for with `on:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// A job did not do its work: `failed`, `timed-out`, `interrupted`.
    Failed,
    /// A job did a part of its work.
    Partial,
    /// A job that was told of is well again.
    Recovered,
    /// A job would do more than it may without a person's word.
    NeedsApproval,
    /// A job should have begun and did not.
    Overdue,
    /// A probe says no, or says yes again.
    Incident,
    /// What the night brought.
    Summary,
    /// A run began: for those who watch from outside.
    Started,
    /// A run ended well: for those who watch from outside.
    Ok,
    /// Somebody wants to know whether messages arrive.
    Test,
}

impl Occasion {
    /// What `on:` knows.
    pub const TO_CHOOSE: [Self; 7] = [
        Self::Failed,
        Self::Partial,
        Self::Recovered,
        Self::NeedsApproval,
        Self::Overdue,
        Self::Incident,
        Self::Summary,
    ];
    /// What is told where nothing is chosen.
    pub const USUAL: [Self; 6] =
        [Self::Failed, Self::Partial, Self::Recovered, Self::NeedsApproval, Self::Overdue, Self::Incident];

    /// The word in the config and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Recovered => "recovered",
            Self::NeedsApproval => "needs-approval",
            Self::Overdue => "overdue",
            Self::Incident => "incident",
            Self::Summary => "summary",
            Self::Started => "started",
            Self::Ok => "ok",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_config_are_those_of_the_code() {
        for occasion in Occasion::TO_CHOOSE {
            let word = serde_json::to_string(&occasion).unwrap();
            assert_eq!(word.trim_matches('"'), occasion.as_str());
        }
        assert!(Occasion::USUAL.iter().all(|usual| Occasion::TO_CHOOSE.contains(usual)));
    }
}

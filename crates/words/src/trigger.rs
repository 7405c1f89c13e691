//! Why a run exists.

use crate::RunId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What started a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Trigger {
    /// Its slot came.
    Schedule {
        /// The instant of the schedule, without the random delay.
        slot: Timestamp,
    },
    /// Its slot passed while the host was down or asleep.
    CatchUp {
        /// The instant that was missed.
        slot: Timestamp,
    },
    /// A person asked.
    Manual {
        /// Who, by `SO_PEERCRED`.
        uid: u32,
        /// Whether they want it in spite of a hold.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        despite_hold: bool,
    },
    /// An earlier run found something that did not answer.
    Retry {
        /// The first run of the chain.
        of: RunId,
        /// 1 for the first retry.
        attempt: u32,
        /// The slot that the first run answered, if it had one: the window is counted from it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<Timestamp>,
    },
}

impl Trigger {
    /// The word in the journal and in `history`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Schedule { .. } => "schedule",
            Self::CatchUp { .. } => "catch-up",
            Self::Manual { .. } => "manual",
            Self::Retry { .. } => "retry",
        }
    }

    /// The slot of the schedule that this run answers, if any.
    pub const fn slot(&self) -> Option<Timestamp> {
        match self {
            Self::Schedule { slot } | Self::CatchUp { slot } => Some(*slot),
            Self::Retry { slot, .. } => *slot,
            Self::Manual { .. } => None,
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

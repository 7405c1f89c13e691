//! Whole seconds: when something was proved or finished.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds since 1970, until 2106: when something was proved or finished. Zero is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(pub u32);

impl Stamp {
    /// Never.
    pub const NEVER: Self = Self(0);

    /// The second in which an instant lies.
    pub fn of(at: Timestamp) -> Self {
        Self(u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX))
    }

    /// As other crates know it.
    pub fn at(self) -> Timestamp {
        Timestamp::from_second(i64::from(self.0)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// This much before.
    pub fn before(self, span: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(u32::try_from(span.as_secs()).unwrap_or(u32::MAX)))
    }
}

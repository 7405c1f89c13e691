//! Instants: whole seconds for what we did, nanoseconds for what file systems say.

pub use mastmaint_words::Stamp;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970 as a file system keeps them; zero where it keeps none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// From what `statx` says.
    pub const fn new(seconds: i64, nanos: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos as i64))
    }

    /// As other crates know it.
    pub fn at(self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

//! The room on the file system of the media, around a step.

use serde::{Deserialize, Serialize};

/// What the file system of the media had free before a step and after it. Information: others write there too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Its size.
    pub total_bytes: u64,
    /// Free before the step.
    pub free_before_bytes: u64,
    /// Free after it.
    pub free_after_bytes: u64,
}

//! What a night of proving came to.

use crate::{finding::Finding, stamp::Stamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The numbers of a night.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Names of files, links and the like in all generations.
    pub paths: u64,
    /// Directories in all generations.
    pub directories: u64,
    /// Different files: each inode once.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose content is proved.
    pub proved: u64,
    /// The oldest of these proofs.
    pub oldest: Stamp,
    /// Files read tonight.
    pub read: u64,
    /// Bytes read tonight.
    pub read_bytes: u64,
    /// Files that are rotten, missing or cannot be read.
    pub bad: u64,
    /// Files that were new tonight.
    pub new: u64,
    /// Files that were written to since their last proof.
    pub changed: u64,
    /// Files whose inode number belonged to another one before.
    pub replaced: u64,
    /// The youngest change of a file, in nanoseconds since 1970.
    pub youngest: i64,
    /// Files that moved under our hands and are judged in the next night.
    pub unsettled: u64,
}

/// The numbers and what there is to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The numbers.
    pub summary: Summary,
    /// What there is to say.
    pub findings: Vec<Finding>,
    /// Trees that are not whole.
    pub bad_roots: BTreeSet<String>,
    /// Names in the newest tree.
    pub newest_paths: u64,
    /// Files of the newest tree that have one name only.
    pub newest_singles: u64,
}

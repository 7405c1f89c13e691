//! What a night of proving came to.

use crate::finding::Finding;
pub use mastmaint_words::backup::Summary;
use std::collections::BTreeSet;

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

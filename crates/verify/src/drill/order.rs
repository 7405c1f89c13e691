//! What a drill is told, and what comes of it.

use super::{Files, Shape};
use crate::finding::Finding;
use mastmaint_words::{backup::Drill, stage::Stage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a drill is told of the dump and of what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The dump's name, for people.
    pub dump: String,
    /// How it is read.
    pub shape: Shape,
    /// Its bytes on disk.
    pub size: u64,
    /// The domain in the addresses of this instance's posts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Migrations of the code in the file backup.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub code: BTreeSet<u64>,
    /// The last drill that was good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Drill>,
    /// Questions of the admin; each must be answered with true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<String>,
    /// Bytes of the disk that are never touched.
    #[serde(default)]
    pub reserve: u64,
    /// Mastodon shall be started on it, from these files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Files>,
    /// Mastodon shall stay up for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
}

/// What a drill came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// What is kept of it.
    pub drill: Drill,
    /// What there is to say, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

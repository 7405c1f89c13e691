//! What a drill is told, and what is kept of it.

use crate::finding::Finding;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

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
}

/// How a dump is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// An archive of `pg_dump -Fc`, with the version of its format.
    Archive(u8, u8),
    /// Text of `pg_dump`, packed or not; also what `pg_restore` makes of a directory.
    Text,
    /// Text of `pg_dumpall`, packed or not.
    Cluster,
}

/// A drill as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// When it began.
    pub at: Timestamp,
    /// The dump that was brought to life.
    pub dump: String,
    /// Whether nothing was wrong with it.
    pub is_good: bool,
    /// The major version of PostgreSQL that it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<u32>,
    /// Bytes that it took on the disk while it was alive.
    #[serde(default)]
    pub bytes: u64,
    /// How long it took.
    #[serde(default)]
    pub times: Times,
    /// What was in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Complaints that are known to be harmless, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub harmless: Vec<String>,
}

/// How long the parts of a drill took. Restoring is what a recovery waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Making and starting the scratch PostgreSQL.
    pub prepare: Duration,
    /// Restoring the dump: the measured recovery time of the database.
    pub restore: Duration,
    /// Asking.
    pub ask: Duration,
    /// Everything, taking it down included.
    pub total: Duration,
}

/// What was in a restored database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tables.
    pub tables: u64,
    /// Views.
    pub views: u64,
    /// Materialized views.
    pub materialized: u64,
    /// Accounts, remote ones among them.
    pub accounts: u64,
    /// Accounts of this instance, that of the instance itself among them.
    pub local_accounts: u64,
    /// People who can log in.
    pub users: u64,
    /// Posts, remote ones among them.
    pub statuses: u64,
    /// Posts of this instance.
    pub local_statuses: u64,
    /// Media attachments, remote ones among them.
    pub media: u64,
    /// Rows of `schema_migrations`.
    pub migrations: u64,
    /// The newest of them.
    pub newest_migration: u64,
    /// When the youngest post was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_status: Option<Timestamp>,
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

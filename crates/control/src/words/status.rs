//! One page about everything: the reply to `status`.

use super::RunLine;
use jiff::Timestamp;
use mastmaint_words::{Digest, JobName};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One page about everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the daemon.
    pub daemon: String,
    /// Its process id.
    pub pid: u32,
    /// Since when it runs.
    pub since: Timestamp,
    /// The sentence of systemd's `STATUS=`.
    pub sentence: String,
    /// The configuration in force.
    pub config: ConfigStatus,
    /// What runs now.
    pub running: Vec<RunLine>,
    /// What waits for a lock.
    pub queued: Vec<RunLine>,
    /// The job that is due next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextLine>,
    /// Whether runs are being recorded; else why not.
    pub ledger: LedgerStatus,
    /// The room on the file system of the media, if a step on local storage has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceLine>,
    /// Log entries that the journal could not take.
    pub journal_lost: u64,
}

/// The configuration in force and what became of the newest try to replace it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// Its digest.
    pub digest: Digest,
    /// Where it was read.
    pub path: PathBuf,
    /// When it came into force.
    pub since: Timestamp,
    /// What is odd but not wrong.
    pub warnings: Vec<String>,
    /// Mistakes of a newer version that was refused; empty if none was.
    pub refused: Vec<String>,
}

/// The job that is due next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextLine {
    /// Which.
    pub job: JobName,
    /// When.
    pub at: Timestamp,
}

/// How the room on the file system of the media has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceLine {
    /// Its size.
    pub total_bytes: u64,
    /// Free after the newest step that looked.
    pub free_bytes: u64,
    /// When that was.
    pub at: Timestamp,
    /// Free about a week before that, or as long before as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_free_bytes: Option<u64>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_at: Option<Timestamp>,
}

/// Whether runs are being recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum LedgerStatus {
    /// They are.
    Recording,
    /// They are not.
    NotRecording {
        /// Why and what to do.
        why: String,
    },
}

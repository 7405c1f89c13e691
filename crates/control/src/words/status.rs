//! One page about everything: the reply to `status`.

use super::{HoldLine, OverdueBackup, ProbeLine, RunLine};
use jiff::Timestamp;
use mastmaint_words::{Digest, JobName, RunId, UnitName};
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
    /// Services that runs have stopped and that are owed a start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brackets: Vec<BracketLine>,
    /// The job that is due next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextLine>,
    /// The holds that are on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldLine>,
    /// Whether runs are being recorded; else why not.
    pub ledger: LedgerStatus,
    /// Runs that wait for a person's approval, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalLine>,
    /// The room on the file system of the media, if a step on local storage has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceLine>,
    /// Log entries that the journal could not take.
    pub journal_lost: u64,
    /// Jobs that should have begun and did not.
    #[serde(default)]
    pub overdue: Vec<OverdueLine>,
    /// Backups that are not known to be fresh.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overdue_backups: Vec<OverdueBackup>,
    /// Who is told what.
    #[serde(default)]
    pub notify: Vec<TargetLine>,
    /// Where each probe stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeLine>,
}

/// A job that should have begun and did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverdueLine {
    /// Which.
    pub job: JobName,
    /// The slot that nothing was begun for.
    pub slot: Timestamp,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetLine {
    /// Its position in the configuration, from 1.
    pub target: u16,
    /// Its kind: `mail`, `webhook`, `ntfy`, `gotify`, `healthchecks`.
    pub kind: String,
    /// Why it takes no messages at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
    /// Messages that wait for it.
    pub waiting: usize,
}

/// What somebody answered to a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestAnswer {
    /// Its position in the configuration, from 1.
    pub target: u16,
    /// Its kind.
    pub kind: String,
    /// Whether it took the message.
    pub told: bool,
    /// What it said, or why it could not be told.
    pub said: String,
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

/// Services that a run has stopped and that are owed a start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BracketLine {
    /// The run.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// Since when.
    pub since: Timestamp,
    /// What is owed a start.
    pub units: Vec<UnitName>,
    /// Why they do not count as started, if that was tried in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_confirmed: Option<String>,
}

/// The job that is due next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextLine {
    /// Which.
    pub job: JobName,
    /// When.
    pub at: Timestamp,
}

/// A run that was skipped because it would remove too much, and that can be started by an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalLine {
    /// The run.
    pub run: RunId,
    /// Its job.
    pub job: JobName,
    /// When it was skipped.
    pub at: Timestamp,
    /// Until when it can be approved.
    pub until: Timestamp,
    /// What was too much.
    pub why: String,
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

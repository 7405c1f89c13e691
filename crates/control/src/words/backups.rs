//! Backups as listings show them.

use super::RunLine;
use jiff::Timestamp;
use mastmaint_words::{
    BackupName, RunId,
    backup::{Drill, KnownFinding, Newest},
};
use serde::{Deserialize, Serialize};

/// A backup in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupLine {
    /// Its name.
    pub backup: BackupName,
    /// `rsnapshot`, `postgres`.
    pub kind: String,
    /// When it was verified last; nothing below is known if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// The run that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The newest complete one. What came after it would be lost now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// It is not known to be fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overdue: Option<OverdueBackup>,
    /// What would come back and how we know, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// Different files in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Those of them whose content is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved: Option<u64>,
    /// The oldest of these proofs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_proof: Option<Timestamp>,
    /// Bytes of these files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The last time that it was brought to life; its restore is the measured time of a recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
    /// Bytes that the proofs take.
    #[serde(default)]
    pub store_bytes: u64,
    /// Findings by severity.
    #[serde(default)]
    pub findings: Severities,
    /// The run that verifies it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<RunLine>,
}

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Severities {
    /// It would not come back, or not all of it.
    pub fail: usize,
    /// Something is not as it should be.
    pub warn: usize,
    /// Good to know.
    pub info: usize,
    /// Those among the first two that a person has acknowledged.
    pub acknowledged: usize,
}

/// A backup that is not known to be fresh: its newest is older than `max_age`, and nobody has seen a newer one though
/// there was time to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverdueBackup {
    /// Which.
    pub backup: BackupName,
    /// Since when.
    pub since: Timestamp,
    /// When it was verified last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// When the newest that was seen then was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
}

/// A backup with its findings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackupDetail {
    /// What the listing says of it.
    #[serde(flatten)]
    pub line: BackupLine,
    /// What its newest verification found, the worst first.
    pub known: Vec<KnownFinding>,
}

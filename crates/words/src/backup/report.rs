//! What a verification came to, as it is kept and told.

use super::{Drill, Finding, Severity};
use crate::{BackupName, Stamp};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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

/// The newest complete one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// `daily.0`, a file's name.
    pub name: String,
    /// When it was made.
    pub at: Timestamp,
    /// The youngest thing in it that people made, where it can be told: of a dump its newest post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub youngest: Option<Timestamp>,
}

/// What a verification came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which backup.
    pub backup: String,
    /// `rsnapshot`, `postgres`.
    pub kind: String,
    /// When it was verified; absent from versions that did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// The newest complete one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Newest>,
    /// What would come back and how we know, for people.
    pub sentence: String,
    /// The numbers of the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The last time that it was brought to life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
    /// What there is to say, the worst first.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Bytes that the proofs take on disk.
    #[serde(default)]
    pub store_bytes: u64,
}

impl Report {
    /// Exit status of `mastmaint-verify` after warnings.
    pub const PARTIAL: u8 = 10;
    /// Exit status of `mastmaint-verify` after failures.
    pub const FAILED: u8 = 11;

    /// Where the last report of a backup is kept, below the state directory of who verifies.
    pub fn path(state: &Path, backup: &BackupName) -> PathBuf {
        state.join("reports").join(format!("{backup}.json"))
    }

    /// The same, so short that it fits a message between programs: lines of evidence go first, then the least findings.
    /// The whole of it is in [`Report::path`].
    #[must_use]
    pub fn fitting(mut self, fits: impl Fn(&Self) -> bool) -> Self {
        let all: Vec<usize> = self.findings.iter().map(|finding| finding.evidence.len()).collect();
        for lines in [200, 50, 10, 3, 0] {
            if fits(&self) {
                return self;
            }
            for (finding, all) in self.findings.iter_mut().zip(&all).filter(|(_, all)| **all > lines) {
                finding.evidence.truncate(lines);
                finding.evidence.push(format!("and {} more", all - lines));
            }
        }
        while !fits(&self) && self.findings.pop().is_some() {}
        self
    }

    /// The worst of its findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::Code;

    #[test]
    fn a_report_fits_and_keeps_the_worst() {
        let evidence =
            |lines| (0..lines).map(|n| format!("daily.0/a/rather/long/path/to/the/file/number/{n}"));
        let finding = |n: u32, lines: u32| {
            Finding::fail(Code::Rot, format!("rot {n}"), "x".repeat(50)).with(evidence(lines))
        };
        let report = Report {
            backup: "files".to_owned(),
            kind: "tree".to_owned(),
            verified: None,
            newest: None,
            sentence: String::new(),
            summary: None,
            drill: None,
            findings: (0..600).map(|n| finding(n, 4)).collect(),
            store_bytes: 0,
        };
        let fits = |report: &Report| serde_json::to_string(report).unwrap().len() <= 16_000;
        let short = report.clone().fitting(fits);
        assert!(fits(&short));
        assert!(short.findings.len() > 20, "{}", short.findings.len());
        assert_eq!(short.findings[0].what, "rot 0");
        let few = Report { findings: vec![finding(0, 5000)], ..report };
        let short = few.clone().fitting(fits);
        assert_eq!(short.findings[0].evidence.last().unwrap(), "and 4800 more");
        assert_eq!(few.clone().fitting(|_| true), few);
    }
}

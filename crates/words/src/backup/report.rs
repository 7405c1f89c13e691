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

    /// So much of it as goes over a wire and into the ledger: the worst findings, with the beginning of their evidence.
    pub fn in_short(mut self) -> Self {
        const FINDINGS: usize = 20;
        /// As many lines for each finding as all of them leave room for, but some at least.
        const EVIDENCE: [usize; 4] = [200, 50, 10, 3];
        /// What cannot be cut any more is twice as long at most, written as JSON.
        const MOST: usize = 24 * 1024;
        const TEXT: usize = 500;
        let cut = |text: &mut String| {
            if text.len() > TEXT {
                let end = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.truncate(end);
                text.push('…');
            }
        };
        cut(&mut self.sentence);
        self.findings.truncate(FINDINGS);
        let all: Vec<usize> = self.findings.iter().map(|finding| finding.evidence.len()).collect();
        for finding in &mut self.findings {
            let left_out = finding.evidence.len().saturating_sub(EVIDENCE[0]);
            finding.evidence.truncate(EVIDENCE[0]);
            if left_out > 0 {
                finding.evidence.push(format!("and {left_out} more"));
            }
            let texts = [&mut finding.what, &mut finding.advice].into_iter().chain(&mut finding.evidence);
            texts.for_each(cut);
        }
        let size = |finding: &Finding| {
            let texts = [&finding.what, &finding.advice].into_iter().chain(&finding.evidence);
            texts.map(String::len).sum::<usize>()
        };
        for lines in EVIDENCE {
            let fits = self.findings.iter().map(size).sum::<usize>() <= MOST;
            for (finding, all) in self.findings.iter_mut().zip(&all).filter(|(_, all)| !fits && **all > lines)
            {
                finding.evidence.truncate(lines);
                finding.evidence.push(format!("and {} more", all - lines));
            }
        }
        if let Some(drill) = &mut self.drill {
            drill.harmless.truncate(EVIDENCE[3]);
            drill.harmless.iter_mut().for_each(cut);
        }
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
    fn in_short_it_fits_a_frame() {
        let finding = Finding::fail(Code::Rot, "é".repeat(5000), "x".repeat(5000));
        let finding = finding.with((0..100).map(|_| "y".repeat(5000)));
        let report = Report {
            backup: "files".to_owned(),
            kind: "tree".to_owned(),
            newest: None,
            sentence: "z".repeat(5000),
            summary: None,
            drill: None,
            findings: vec![finding; 100],
            store_bytes: 0,
        };
        let short = report.in_short();
        assert_eq!(short.findings.len(), 20);
        let bytes = serde_json::to_vec(&short).unwrap().len();
        assert!(bytes < 56 * 1024, "{bytes}");
    }
}

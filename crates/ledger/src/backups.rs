//! What the last verification of each backup came to.

use crate::{Ledger, LedgerError, findings::put_findings, rows, rows::micros};
use jiff::Timestamp;
use mastmaint_words::{RunId, backup::Report};
use rusqlite::params;

/// A backup as it was seen last.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// When the verification was over.
    pub at: Timestamp,
    /// The run that made it.
    pub run: RunId,
    /// What it came to.
    pub report: Report,
}

impl Ledger {
    /// Records a verification; an older one of the same backup changes nothing.
    pub fn put_verified(&mut self, verified: &Verified) -> Result<(), LedgerError> {
        let Verified { at, run, report } = verified;
        // A report is made of texts, numbers and times: it is always JSON.
        let text = serde_json::to_string(report).unwrap_or_default();
        self.change(|tx| {
            let changed = tx.prepare_cached(
                "INSERT INTO backups (backup, verified, run, report) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (backup) DO UPDATE SET verified = ?2, run = ?3, report = ?4 WHERE verified <= ?2",
            )?
            .execute(params![report.backup, micros(*at), run.as_str(), text])?;
            if changed > 0 { put_findings(tx, report, *at) } else { Ok(()) }
        })
    }

    /// Every backup that was ever verified.
    pub fn verified(&self) -> Result<Vec<Verified>, LedgerError> {
        let sql = "SELECT verified, run, report FROM backups ORDER BY backup";
        self.list("backup", sql, [], |row| {
            Ok(Verified { at: rows::time(row, 0)?, run: rows::word(row, 1)?, report: rows::json(row, 2)? })
        })
    }
}

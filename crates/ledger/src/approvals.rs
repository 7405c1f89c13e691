//! Runs that wait for a person's approval, and what was usual before them.

use crate::{Approval, Ledger, LedgerError, rows, write::json};
use mastmaint_words::{JobName, RunId};
use rusqlite::{Transaction, params};

/// Of so many former runs the middle one is what is usual.
const FORMER: u32 = 15;
/// Fewer say nothing about what is usual.
const LEAST: usize = 3;

/// Writes an approval; what is newer replaces what is older.
pub(crate) fn put_approval(tx: &Transaction<'_>, approval: &Approval) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO approvals (run, job, at, found, titles, why, used_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        approval.run.as_str(),
        approval.job.as_str(),
        rows::micros(approval.at),
        json(&approval.found)?,
        json(&approval.titles)?,
        approval.why,
        approval.used_by.as_ref().map(RunId::as_str),
    ])
    .map(drop)
}

impl Ledger {
    /// Records that a run waits for approval, or that it has got one; drops what the job waited for before: a newer look
    /// says more than an older one.
    pub fn put_approval(&mut self, approval: &Approval) -> Result<(), LedgerError> {
        self.change(|tx| {
            if approval.used_by.is_none() {
                tx.prepare_cached("DELETE FROM approvals WHERE job = ?1 AND used_by IS NULL")?
                    .execute([approval.job.as_str()])?;
            }
            put_approval(tx, approval)
        })
    }

    /// Every approval that is asked for or was given in the last days.
    pub fn approvals(&self) -> Result<Vec<Approval>, LedgerError> {
        let sql = "SELECT run, job, at, found, titles, why, used_by FROM approvals ORDER BY at";
        self.list("approval", sql, [], |row| {
            Ok(Approval {
                run: rows::word(row, 0)?,
                job: rows::word(row, 1)?,
                at: rows::time(row, 2)?,
                found: rows::json(row, 3)?,
                titles: rows::json(row, 4)?,
                why: row.get(5)?,
                used_by: rows::optional(row, 6, rows::word)?,
            })
        })
    }

    /// What a step of a job usually removes: the middle of its last runs, if there were enough of them.
    pub fn usual(&self, job: &JobName, title: &str) -> Result<Option<u64>, LedgerError> {
        let sql = "SELECT steps.removed FROM steps JOIN runs ON runs.seq = steps.run
                   WHERE runs.job = ?1 AND steps.title = ?2 AND runs.dry_run = 0
                     AND steps.outcome IN ('ok', 'partial') AND steps.removed IS NOT NULL
                   ORDER BY steps.run DESC LIMIT ?3";
        let mut removed: Vec<u64> =
            self.list("step", sql, params![job.as_str(), title, FORMER], |row| rows::unsigned(row, 0))?;
        removed.sort_unstable();
        Ok((removed.len() >= LEAST).then(|| removed[removed.len() / 2]))
    }
}

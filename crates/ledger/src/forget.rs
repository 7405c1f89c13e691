//! Retention: old runs and outputs go, what a person or the scheduler still needs stays.

use crate::{Forgotten, Ledger, LedgerError, rows::micros};
use jiff::{SignedDuration, Timestamp};
use mastmaint_words::Span;
use rusqlite::params;

/// Pages given back to the file system in one go; the rest waits for the next time.
const VACUUM_PAGES: u32 = 4096;
/// Nobody asks for an approval that is older.
const KEEP_APPROVALS: Span = Span::from_secs(7 * 24 * 3600);

impl Ledger {
    /// Forgets runs that ended longer ago than `keep`, and kept outputs of steps that ended longer ago than
    /// `keep_output`, holds that were over longer ago than `keep`, and approvals that are long over. The newest run of
    /// each job that is over stays, and so does every open one.
    pub fn forget_old(
        &mut self,
        now: Timestamp,
        keep: Span,
        keep_output: Span,
    ) -> Result<Forgotten, LedgerError> {
        let forgotten = self.change(|tx| {
            let runs = tx
                .prepare_cached(
                    "DELETE FROM runs WHERE ended < ?1 AND (dry_run = 1 OR outcome = 'skipped' OR EXISTS (
                         SELECT 1 FROM runs newer
                         WHERE newer.job = runs.job AND newer.ended IS NOT NULL AND newer.seq > runs.seq
                             AND newer.dry_run = 0 AND newer.outcome <> 'skipped'))",
                )?
                .execute(params![before(now, keep)])?;
            tx.prepare_cached("DELETE FROM holds WHERE ends < ?1")?.execute(params![before(now, keep)])?;
            tx.prepare_cached("DELETE FROM approvals WHERE at < ?1")?
                .execute(params![before(now, KEEP_APPROVALS)])?;
            tx.prepare_cached("DELETE FROM incidents WHERE closed < ?1")?
                .execute(params![before(now, keep)])?;
            let outputs = tx
                .prepare_cached("DELETE FROM outputs WHERE ended < ?1")?
                .execute(params![before(now, keep_output)])?;
            Ok(Forgotten { runs, outputs })
        })?;
        if forgotten != Forgotten::default() {
            self.give_back().map_err(|e| LedgerError::from_sqlite(&self.path, &e))?;
        }
        Ok(forgotten)
    }

    fn give_back(&self) -> rusqlite::Result<()> {
        // Each row of this pragma frees one page: it has to be stepped through.
        let mut statement = self.conn.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
        let mut pages = statement.query([])?;
        while pages.next()?.is_some() {}
        Ok(())
    }
}

fn before(now: Timestamp, keep: Span) -> i64 {
    let keep = SignedDuration::try_from(keep.get()).unwrap_or(SignedDuration::MAX);
    now.checked_sub(keep).map_or(i64::MIN, micros)
}

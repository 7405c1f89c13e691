//! What is recorded. Each call is one transaction: it is on disk when the call returns, or nothing changed.

use crate::{
    Ledger, LedgerError, Mark, NewRun, PlannedRetry, StepEnd, StepStart,
    rows::{count, micros, millis},
};
use jiff::Timestamp;
use mastmaint_words::{Grade, JobName, Outcome, Reason, RunId, StepKey, Trigger};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;

/// By then the write-ahead log has about half the size at which SQLite writes it back in the middle of whatever commit
/// it is: that would be the start of a run as often as its end.
const WRITE_BACK_AFTER: u32 = 100;

impl Ledger {
    /// Records a run before it is admitted, and with it up to where its job's slots are dealt with: after a crash
    /// between the two the slot would be lost or run twice. A slot that has its run already is refused, and then the
    /// mark stays as it was too. A retry that becomes a run is no longer planned.
    pub fn queue_run(&mut self, run: &NewRun, mark: Option<(&JobName, &Mark)>) -> Result<(), LedgerError> {
        self.queue(run, mark, None)
    }

    /// The same for a run that starts at once, together with the start of its first step ([`Ledger::start_step`]): one
    /// wait for the disk instead of two before the step is sent to its room.
    pub fn queue_and_start(
        &mut self,
        run: &NewRun,
        mark: Option<(&JobName, &Mark)>,
        first: &StepStart,
    ) -> Result<(), LedgerError> {
        self.queue(run, mark, Some(first))
    }

    fn queue(
        &mut self,
        run: &NewRun,
        mark: Option<(&JobName, &Mark)>,
        first: Option<&StepStart>,
    ) -> Result<(), LedgerError> {
        let slot = match &run.trigger {
            Trigger::Schedule { slot } | Trigger::CatchUp { slot } => Some(*slot),
            Trigger::Manual { .. } | Trigger::Retry { .. } => None,
        };
        let taken = self.change(|tx| {
            if let Some(slot) = slot {
                let taken = tx
                    .prepare_cached("SELECT 1 FROM runs WHERE job = ?1 AND slot = ?2")?
                    .exists(params![run.job.as_str(), micros(slot)])?;
                if taken {
                    return Ok(true);
                }
            }
            let seq = put_run(tx, run, slot)?;
            // A retry that has become a run is no longer owed.
            if matches!(run.trigger, Trigger::Retry { .. }) {
                delete_retry(tx, &run.job)?;
            }
            if let Some((job, mark)) = mark {
                put_mark(tx, job, mark)?;
            }
            if let Some(first) = first {
                put_start(tx, seq, first)?;
            }
            Ok(false)
        })?;
        match slot {
            Some(slot) if taken => Err(LedgerError::DuplicateSlot { job: run.job.clone(), slot }),
            _ => Ok(()),
        }
    }

    /// Records what became of a run. The first end wins.
    pub fn end_run(
        &mut self,
        run: &RunId,
        at: Timestamp,
        outcome: Outcome,
        grade: Option<Grade>,
        reason: Option<&Reason>,
    ) -> Result<(), LedgerError> {
        self.end_run_and_retry(run, at, outcome, grade, reason, None)
    }

    /// Records what became of a run together with the retry that it makes necessary. Of a run that was never recorded
    /// neither is: [`Ledger::plan_retry`] still can be.
    pub fn end_run_and_retry(
        &mut self,
        run: &RunId,
        at: Timestamp,
        outcome: Outcome,
        grade: Option<Grade>,
        reason: Option<&Reason>,
        retry: Option<&PlannedRetry>,
    ) -> Result<(), LedgerError> {
        let known = self.change(|tx| {
            let Some((seq, open)) = find_run(tx, run)? else { return Ok(false) };
            if open {
                tx.prepare_cached(
                    "UPDATE runs SET ended = ?2, outcome = ?3, grade = ?4, reason = ?5 WHERE seq = ?1",
                )?
                .execute(params![
                    seq,
                    micros(at),
                    outcome.as_str(),
                    grade.map(Grade::as_str),
                    reason.map(json).transpose()?,
                ])?;
                if let Some(retry) = retry {
                    put_retry(tx, retry)?;
                }
            }
            Ok(true)
        })?;
        self.write_back();
        if known { Ok(()) } else { Err(LedgerError::UnknownRun { run: run.clone() }) }
    }

    /// Records that somebody cancelled a run, so that it goes no further under the next daemon either. The first time
    /// stays; of a run that is over nothing is.
    pub fn ask_cancel(&mut self, run: &RunId, at: Timestamp) -> Result<(), LedgerError> {
        let known = self.change(|tx| {
            let Some((seq, _)) = find_run(tx, run)? else { return Ok(false) };
            tx.prepare_cached(
                "UPDATE runs SET cancel_asked = coalesce(cancel_asked, ?2) WHERE seq = ?1 AND ended IS NULL",
            )?
            .execute(params![seq, micros(at)])?;
            Ok(true)
        })?;
        if known { Ok(()) } else { Err(LedgerError::UnknownRun { run: run.clone() }) }
    }

    /// Writes the log back after a while, now that nobody waits for the ledger.
    fn write_back(&mut self) {
        if self.changes >= WRITE_BACK_AFTER {
            self.changes = 0;
            // What cannot be written back now is still in the log, and SQLite comes to it by itself.
            let _ = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    }

    /// Records that a step is about to be sent to its room, and with the first one that the run was admitted: one wait
    /// for the disk instead of two. Repeated, it changes nothing.
    pub fn start_step(&mut self, step: &StepStart) -> Result<(), LedgerError> {
        let known = self.change(|tx| {
            let Some((seq, _)) = find_run(tx, &step.key.run)? else { return Ok(false) };
            put_start(tx, seq, step)?;
            Ok(true)
        })?;
        if known { Ok(()) } else { Err(LedgerError::UnknownRun { run: step.key.run.clone() }) }
    }

    /// Notes that the journal has a step's events up to `seq`. Survives a crash of the daemon, not a power cut: it
    /// is called for every few lines of output and must not wait for the disk.
    pub fn journaled(&mut self, key: &StepKey, seq: u64) -> Result<(), LedgerError> {
        let path = &self.path;
        let of = |e: rusqlite::Error| LedgerError::from_sqlite(path, &e);
        self.conn.pragma_update(None, "synchronous", "NORMAL").map_err(of)?;
        let noted = self
            .conn
            .prepare_cached(
                "UPDATE steps SET journaled = max(journaled, ?3)
                 WHERE run = (SELECT seq FROM runs WHERE id = ?1) AND step = ?2",
            )
            .and_then(|mut s| s.execute(params![key.run.as_str(), key.step.0, count(seq)]));
        self.conn.pragma_update(None, "synchronous", "FULL").map_err(of)?;
        if noted.map_err(of)? == 0 { Err(LedgerError::UnknownStep { key: key.clone() }) } else { Ok(()) }
    }

    /// Records what became of a step, with the gzip copy of its output. The first end wins.
    pub fn end_step(&mut self, end: &StepEnd, copy: Option<&[u8]>) -> Result<(), LedgerError> {
        let known = self.change(|tx| {
            let Some((run, _)) = find_run(tx, &end.key.run)? else { return Ok(false) };
            let step = end.key.step.0;
            let open: Option<bool> = tx
                .prepare_cached("SELECT ended IS NULL FROM steps WHERE run = ?1 AND step = ?2")?
                .query_row(params![run, step], |row| row.get(0))
                .optional()?;
            if open == Some(true) {
                put_end(tx, run, end)?;
                if let Some(copy) = copy {
                    tx.prepare_cached(
                        "INSERT INTO outputs (run, step, ended, copy) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![run, step, micros(end.ended), copy])?;
                }
            }
            Ok(open.is_some())
        })?;
        if known { Ok(()) } else { Err(LedgerError::UnknownStep { key: end.key.clone() }) }
    }

    /// Records up to where a job's slots are dealt with.
    pub fn set_mark(&mut self, job: &JobName, mark: &Mark) -> Result<(), LedgerError> {
        self.change(|tx| put_mark(tx, job, mark))
    }

    /// Records that a person does not want a job to be started by schedule. The first pause stays.
    pub fn pause(&mut self, job: &JobName, at: Timestamp, uid: u32) -> Result<(), LedgerError> {
        self.change(|tx| {
            tx.prepare_cached("INSERT INTO pauses (job, at, uid) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
                .execute(params![job.as_str(), micros(at), uid])
        })
        .map(drop)
    }

    /// Takes a pause back; says whether there was one.
    pub fn resume(&mut self, job: &JobName) -> Result<bool, LedgerError> {
        self.change(|tx| tx.prepare_cached("DELETE FROM pauses WHERE job = ?1")?.execute([job.as_str()]))
            .map(|count| count > 0)
    }

    /// Records a retry that is owed; a job has at most one, the newest.
    pub fn plan_retry(&mut self, retry: &PlannedRetry) -> Result<(), LedgerError> {
        self.change(|tx| put_retry(tx, retry))
    }

    /// Gives up the retry that a job is owed; says whether there was one.
    pub fn drop_retry(&mut self, job: &JobName) -> Result<bool, LedgerError> {
        self.change(|tx| delete_retry(tx, job)).map(|count| count > 0)
    }

    pub(crate) fn change<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let path = &self.path;
        let of = |e: rusqlite::Error| LedgerError::from_sqlite(path, &e);
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(of)?;
        let done = change(&tx).map_err(of)?;
        tx.commit().map_err(of)?;
        self.changes += 1;
        Ok(done)
    }
}

/// Number of a run and whether it is open.
pub(crate) fn find_run(tx: &Transaction<'_>, run: &RunId) -> rusqlite::Result<Option<(i64, bool)>> {
    tx.prepare_cached("SELECT seq, ended IS NULL FROM runs WHERE id = ?1")?
        .query_row([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// The number of the run.
fn put_run(tx: &Transaction<'_>, run: &NewRun, slot: Option<Timestamp>) -> rusqlite::Result<i64> {
    tx.prepare_cached(
        "INSERT INTO runs (id, job, trigger, slot, digest, dry_run, queued) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        run.id.as_str(),
        run.job.as_str(),
        json(&run.trigger)?,
        slot.map(micros),
        run.digest.as_str(),
        run.dry_run,
        micros(run.queued_at),
    ])?;
    Ok(tx.last_insert_rowid())
}

fn put_start(tx: &Transaction<'_>, run: i64, step: &StepStart) -> rusqlite::Result<usize> {
    tx.prepare_cached("UPDATE runs SET started = ?2 WHERE seq = ?1 AND started IS NULL")?
        .execute(params![run, micros(step.at)])?;
    tx.prepare_cached(
        "INSERT INTO steps (run, step, title, room, at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )?
    .execute(params![run, step.key.step.0, step.title, step.room.as_str(), micros(step.at)])
}

pub(crate) fn put_end(tx: &Transaction<'_>, run: i64, end: &StepEnd) -> rusqlite::Result<usize> {
    let numbers = end.verdict.numbers;
    tx.prepare_cached(
        "UPDATE steps SET started = ?3, ended = ?4, took = ?5, outcome = ?6, grade = ?7, reasons = ?8,
             visited = ?9, failed = ?10, removed = ?11, freed = ?12, exit = ?13, signal = ?14,
             lines = ?15, bytes = ?16, omitted = ?17, peak_rss = ?18, disk = ?19, free_before = ?20, free_after = ?21
         WHERE run = ?1 AND step = ?2",
    )?
    .execute(params![
        run,
        end.key.step.0,
        micros(end.started),
        micros(end.ended),
        millis(end.took),
        end.verdict.outcome.as_str(),
        end.verdict.grade.as_str(),
        json(&end.verdict.reasons)?,
        numbers.visited.map(count),
        numbers.failed.map(count),
        numbers.removed.map(count),
        numbers.bytes.map(count),
        end.exit,
        end.signal,
        count(end.lines),
        count(end.bytes),
        count(end.omitted),
        end.peak_rss.map(count),
        end.space.map(|space| count(space.total_bytes)),
        end.space.map(|space| count(space.free_before_bytes)),
        end.space.map(|space| count(space.free_after_bytes)),
    ])
}

pub(crate) fn put_mark(tx: &Transaction<'_>, job: &JobName, mark: &Mark) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO marks (job, handled, state) VALUES (?1, ?2, ?3)")?
        .execute(params![job.as_str(), micros(mark.handled), mark.state])
        .map(drop)
}

pub(crate) fn put_retry(tx: &Transaction<'_>, retry: &PlannedRetry) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO retries (job, of_run, attempt, slot, not_before, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        retry.job.as_str(),
        retry.of.as_str(),
        retry.attempt,
        retry.slot.map(micros),
        micros(retry.not_before),
        retry.digest.as_str(),
    ])
    .map(drop)
}

fn delete_retry(tx: &Transaction<'_>, job: &JobName) -> rusqlite::Result<usize> {
    tx.prepare_cached("DELETE FROM retries WHERE job = ?1")?.execute([job.as_str()])
}

pub(crate) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

//! What a living daemon knows, written into a ledger that had to begin anew. Kept outputs are not among it.

use crate::{
    Ledger, LedgerError, Restore, RunRecord, StepRecord,
    approvals::put_approval,
    holds::put_hold,
    rows::{count, micros},
    write::{find_run, json, put_end, put_mark, put_retry},
};
use mastmaint_words::{Grade, Outcome, Trigger};
use rusqlite::{Transaction, params};

impl Ledger {
    /// Records all of it or nothing. What is in the ledger already stays as it is, except that marks, retries and
    /// approvals are replaced, and that a run or step that is open in the ledger gets its start and end from here: repeated, it
    /// changes nothing. A run whose slot another run has is left out.
    pub fn restore(&mut self, known: &Restore) -> Result<(), LedgerError> {
        self.change(|tx| {
            for (job, mark) in &known.marks {
                put_mark(tx, job, mark)?;
            }
            for pause in &known.paused {
                tx.prepare_cached(
                    "INSERT INTO pauses (job, at, uid) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![pause.job.as_str(), micros(pause.at), pause.uid])?;
            }
            for retry in &known.retries {
                put_retry(tx, retry)?;
            }
            for hold in &known.holds {
                put_hold(tx, hold)?;
            }
            for approval in &known.approvals {
                put_approval(tx, approval)?;
            }
            for whole in &known.runs {
                let Some(seq) = put_run(tx, &whole.run)? else { continue };
                for step in &whole.steps {
                    put_step(tx, seq, step)?;
                }
            }
            Ok(())
        })
    }
}

/// The number of the run, if it could get one.
fn put_run(tx: &Transaction<'_>, run: &RunRecord) -> rusqlite::Result<Option<i64>> {
    let slot = match &run.trigger {
        Trigger::Schedule { slot } | Trigger::CatchUp { slot } => Some(micros(*slot)),
        Trigger::Manual { .. } | Trigger::Retry { .. } => None,
    };
    tx.prepare_cached(
        "INSERT INTO runs (id, job, trigger, slot, digest, dry_run, queued) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        run.id.as_str(),
        run.job.as_str(),
        json(&run.trigger)?,
        slot,
        run.digest.as_str(),
        run.dry_run,
        micros(run.queued),
    ])?;
    let Some((seq, open)) = find_run(tx, &run.id)? else { return Ok(None) };
    if open {
        // A run that is over has an outcome: what does not is open.
        let ended = run.ended.filter(|_| run.outcome.is_some());
        tx.prepare_cached(
            "UPDATE runs SET started = coalesce(started, ?2), ended = ?3, outcome = ?4, grade = ?5, reason = ?6,
                 cancel_asked = coalesce(cancel_asked, ?7)
             WHERE seq = ?1",
        )?
        .execute(params![
            seq,
            run.started.map(micros),
            ended.map(micros),
            ended.and(run.outcome).map(Outcome::as_str),
            ended.and(run.grade).map(Grade::as_str),
            run.reason.as_ref().filter(|_| ended.is_some()).map(json).transpose()?,
            run.cancel_asked.map(micros),
        ])?;
    }
    Ok(Some(seq))
}

fn put_step(tx: &Transaction<'_>, run: i64, step: &StepRecord) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO steps (run, step, title, room, at, journaled) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET journaled = max(journaled, excluded.journaled)",
    )?
    .execute(params![
        run,
        step.key.step.0,
        step.title,
        step.room.as_str(),
        micros(step.at),
        count(step.journaled),
    ])?;
    let Some(end) = &step.end else { return Ok(()) };
    let open = tx
        .prepare_cached("SELECT 1 FROM steps WHERE run = ?1 AND step = ?2 AND ended IS NULL")?
        .exists(params![run, step.key.step.0])?;
    if open {
        put_end(tx, run, end)?;
    }
    Ok(())
}

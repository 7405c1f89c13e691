//! The end of a run: recorded together with the next try that it makes necessary, told, its locks given back; and what
//! is forgotten when enough has ended.

use super::{Active, Dispatcher, asks, follow, listing};
use crate::{notify::Fact, recorder::Owed, run::policy, tell::Told};
use jiff::{SignedDuration, Timestamp};
use mastmaint_control::words::FollowEvent;
use mastmaint_ledger::{PlannedRetry, RunRecord};
use mastmaint_words::{Outcome, RunId, Trigger, Verdict};
use std::time::{Duration, Instant};

/// The clock is believed when it has gone evenly for this long.
const SETTLED: SignedDuration = SignedDuration::from_mins(10);
const FORGET_EVERY: Duration = Duration::from_hours(24);

impl Dispatcher {
    /// Ends a run: recorded together with its next try, told, its locks given back.
    pub(super) async fn end(&mut self, id: &RunId, verdict: Verdict) {
        let Some(active) = self.runs.remove(id) else { return };
        let ended = Timestamp::now();
        self.keep_need(&active, ended).await;
        self.give_approval_back(id, &verdict).await;
        let retry = self.next_try(&active, &verdict, ended);
        if active.spec.recorded {
            let end = Owed::EndRun {
                run: id.clone(),
                at: ended,
                outcome: verdict.outcome,
                grade: Some(verdict.grade),
                reason: verdict.reasons.first().cloned(),
                retry: retry.clone().map(Box::new),
            };
            let recorded = self.outside.recorder.owe(end).await;
            if let Err(error) = recorded {
                self.outside.teller.of_run(
                    &active.spec,
                    Told::NotRecorded { what: "the end of the run", why: error.message },
                );
            }
        } else if let Some(retry) = retry.clone().map(Box::new) {
            // Nothing is made up of the run, but that it is tried again the next daemon must know.
            let _ = self.outside.recorder.owe(Owed::PlanRetry { retry }).await;
        }
        let record = RunRecord {
            id: id.clone(),
            job: active.spec.job_name.clone(),
            trigger: active.spec.trigger.clone(),
            digest: active.spec.digest.clone(),
            dry_run: active.spec.dry_run,
            queued: active.spec.queued,
            started: active.started,
            ended: Some(ended),
            outcome: Some(verdict.outcome),
            grade: Some(verdict.grade),
            reason: verdict.reasons.first().cloned(),
            numbers: verdict.numbers,
            cancel_asked: active.cancel_asked,
        };
        self.outside.teller.of_run(
            &active.spec,
            Told::RunEnded { verdict: verdict.clone(), started: active.started, ended },
        );
        if let Some(retry) = retry {
            self.outside.teller.of_run(
                &active.spec,
                Told::RetryPlanned {
                    at: retry.not_before,
                    attempt: retry.attempt,
                    of: active.spec.job.retry.times,
                },
            );
            self.retries.insert(active.spec.job_name.clone(), retry);
        }
        let line = Box::new(listing::ended_line(&record));
        if let Some(asker) = active.asker {
            // It may have had enough of waiting.
            let _ = asker.send(asks::over(id.clone(), line.clone(), !active.spec.recorded));
        }
        follow(&active.handle, FollowEvent::RunEnded { run: line });
        if !record.dry_run {
            self.notify(Fact::Ended(Box::new(record.clone())));
        }
        // A dry run or a slot that was skipped must not hide how the last real run ended.
        let says_little = record.dry_run || verdict.outcome == Outcome::Skipped;
        if !says_little || !self.last.contains_key(&record.job) {
            self.last.insert(record.job.clone(), record);
        }
        self.admission.release(id);
        if let Some(once) = active.once {
            let _ = once.send(verdict);
        }
        self.plan().await;
    }

    /// Forgets old runs, at most once a day, when something has run anyway: no wake-up of its own for it. Not soon
    /// after a jump of the clock: one that is a year ahead would forget everything.
    pub(super) fn forget_old(&mut self) {
        let moment = self.awake.look(Timestamp::now(), Instant::now());
        let settled = moment.now.duration_since(moment.awake_since) >= SETTLED;
        if !settled || self.forgot.is_some_and(|at| at.elapsed() < FORGET_EVERY) {
            return;
        }
        self.forgot = Some(Instant::now());
        let (recorder, keep) = (self.outside.recorder.clone(), self.config.view.ledger);
        tokio::spawn(async move {
            // What is not forgotten today is tomorrow; the ledger's own news says if it cannot be written.
            let _ =
                recorder.with(move |ledger| ledger.forget_old(moment.now, keep.keep, keep.keep_output)).await;
        });
    }

    /// Whether and when the run is tried again. Not after a dry run, nor for `--run`, whose daemon is gone by then; and
    /// not where a person cancelled it, whatever became of it then.
    fn next_try(&self, active: &Active, verdict: &Verdict, ended: Timestamp) -> Option<PlannedRetry> {
        let spec = &active.spec;
        if spec.dry_run || !self.scheduling || active.cancel_asked.is_some() {
            return None;
        }
        let (of, attempt) = match &spec.trigger {
            Trigger::Retry { of, attempt, .. } => (of.clone(), *attempt),
            Trigger::Manual { .. } | Trigger::Schedule { .. } | Trigger::CatchUp { .. } => {
                (spec.id.clone(), 0)
            }
        };
        // A removed or paused job is not tried again.
        if !self.config.view.jobs.contains_key(&spec.job_name) || self.paused.contains_key(&spec.job_name) {
            return None;
        }
        let wait = policy::retry_after(spec.job.retry, attempt, verdict)?;
        let not_before = whole_second_after(ended.checked_add(wait).ok()?);
        let retry = Trigger::Retry { of: of.clone(), attempt: attempt + 1, slot: spec.trigger.slot() };
        if !self.window_is_open(&spec.job_name, &spec.job, &retry, not_before) {
            self.outside.teller.of_run(spec, Told::RetryOutsideWindow);
            return None;
        }
        Some(PlannedRetry {
            job: spec.job_name.clone(),
            of,
            attempt: attempt + 1,
            slot: spec.trigger.slot(),
            not_before,
            digest: spec.digest.clone(),
        })
    }
}

/// The next whole second, which the clock can ring at.
pub(super) fn whole_second_after(at: Timestamp) -> Timestamp {
    let second = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    Timestamp::from_second(second).unwrap_or(at)
}

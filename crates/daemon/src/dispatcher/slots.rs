//! From the clock to the queue: asks the policy about every job, acts on what it decides, and plans the next instant
//! to wake at. Every wake-up asks about every job, so that a lost or doubled trigger of the scheduler does no harm.

use super::{Dispatcher, marks, runs::Queued};
use crate::{
    recorder::Owed,
    schedule::policy::{Decision, Mark, Terms, decide},
    tell::Told,
};
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::settings::Job;
use mastmaint_ledger::PlannedRetry;
use mastmaint_words::{Grade, JobName, Outcome, Reason, Trigger, Verdict};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// How long before a slot its room is opened: longer than a loaded host takes to start a unit.
const AHEAD: SignedDuration = SignedDuration::from_secs(2);

impl Dispatcher {
    /// The schedule stands from here on; the sentence to tell systemd with it.
    pub async fn begin(&mut self) -> String {
        let view = Arc::clone(&self.config.view);
        self.outside.teller.of_daemon(Told::Ready {
            jobs: view.jobs.len(),
            adopted: self.runs.len(),
            warnings: self.config.warnings.clone(),
        });
        self.look_at_slots().await;
        self.sentence = self.sentence_now(Timestamp::now());
        self.sentence.clone()
    }

    /// Starts what is due and plans the rest.
    pub(super) async fn look_at_slots(&mut self) {
        self.look_at_holds(Timestamp::now());
        if self.scheduling {
            let view = Arc::clone(&self.config.view);
            for (name, job) in &view.jobs {
                if !self.paused.contains_key(name) {
                    self.look_at_job(name, job).await;
                }
            }
            self.look_at_retries().await;
        }
        self.end_long_waits().await;
        self.admit().await;
        self.plan().await;
    }

    async fn look_at_job(&mut self, name: &JobName, job: &Job) {
        let Some(schedule) = &job.schedule else {
            self.next.remove(name);
            return;
        };
        let seed = self.seed.clone();
        let Some(terms) = Terms::of(name, job, &seed) else { return };
        loop {
            let moment = self.awake.look(Timestamp::now(), Instant::now());
            let known = self.marks.get(name).cloned();
            let mark = known.clone().unwrap_or_else(|| Mark::new(schedule, moment.now));
            let (decision, after) = decide(&terms, &mark, moment);
            match decision {
                Decision::Wait { next } => {
                    if known.as_ref() != Some(&after) {
                        self.keep_mark(name, after).await;
                    }
                    match next {
                        Some(due) => self.next.insert(name.clone(), due.at),
                        None => self.next.remove(name),
                    };
                    return;
                }
                Decision::Start { trigger, missed, .. } => {
                    if missed > 0 {
                        self.outside.teller.of_daemon(Told::SlotsCovered { job: name.clone(), missed });
                    }
                    self.start_slot(name, job, trigger, after).await;
                }
                Decision::Missed { slots, newest, why } => {
                    self.outside.teller.of_daemon(Told::SlotsMissed {
                        job: name.clone(),
                        slots,
                        newest,
                        why: why.to_string(),
                    });
                    self.keep_mark(name, after).await;
                }
            }
        }
    }

    /// Makes the run of a slot. A job that still runs does not run twice at once: its slot is recorded as skipped.
    async fn start_slot(&mut self, name: &JobName, job: &Job, trigger: Trigger, mark: Mark) {
        self.drop_retry(name).await;
        let earlier = self.admission.of_job(name).cloned();
        let queued = self.queue(name, &Arc::new(job.clone()), trigger, false, Some(mark)).await;
        match (queued, earlier) {
            // Behind a dry run the real one waits.
            (Ok(Queued::Run(id)), Some(earlier))
                if !self.runs.get(&earlier).is_some_and(|run| run.spec.dry_run) =>
            {
                let reason = Reason::new("still-running", format!("its run {earlier} is not over yet"));
                self.end(&id, Verdict::because(Outcome::Skipped, Grade::Exit, reason)).await;
            }
            (Ok(_), _) => {}
            (Err(error), _) => self.outside.teller.of_daemon(Told::NothingKnown { why: error.to_string() }),
        }
    }

    async fn look_at_retries(&mut self) {
        let now = Timestamp::now();
        let due: Vec<PlannedRetry> = self
            .retries
            .values()
            .filter(|retry| retry.not_before <= now && self.admission.of_job(&retry.job).is_none())
            .cloned()
            .collect();
        for retry in due {
            let Some(job) = self.config.view.jobs.get(&retry.job).cloned().map(Arc::new) else {
                self.drop_retry(&retry.job).await;
                continue;
            };
            let trigger = Trigger::Retry { of: retry.of, attempt: retry.attempt, slot: retry.slot };
            if !self.window_is_open(&retry.job, &job, &trigger, now) {
                self.outside.teller.of_daemon(Told::RetryDropped { job: retry.job.clone() });
                self.drop_retry(&retry.job).await;
                continue;
            }
            // The ledger forgets the plan in one step with the making of the run.
            self.retries.remove(&retry.job);
            if let Err(error) = self.queue(&retry.job, &job, trigger, false, None).await {
                self.outside.teller.of_daemon(Told::NothingKnown { why: error.to_string() });
            }
        }
    }

    /// Whether a run may start at an instant: a person may always, a schedule only while its window is open. The retry of
    /// what a person began is the daemon's own doing and keeps to the window of that day.
    pub(super) fn window_is_open(&self, name: &JobName, job: &Job, trigger: &Trigger, at: Timestamp) -> bool {
        let Some(terms) = Terms::of(name, job, &self.seed) else { return true };
        match trigger.slot() {
            Some(slot) => terms.may_start(slot, at),
            None => !matches!(trigger, Trigger::Retry { .. }) || terms.is_open(at),
        }
    }

    /// Forgets what came due before now: the job begins as a new one would.
    pub(super) async fn begin_schedule_afresh(&mut self, name: &JobName) {
        if let Some(schedule) = self.config.view.jobs.get(name).and_then(|job| job.schedule.clone()) {
            self.keep_mark(name, Mark::new(&schedule, Timestamp::now())).await;
        }
    }

    pub(super) async fn keep_mark(&mut self, name: &JobName, mark: Mark) {
        let owed = Owed::Mark { job: name.clone(), mark: marks::to_ledger(&mark) };
        self.marks.insert(name.clone(), mark);
        // What cannot be written now is written when it can; the ledger's own news says that it cannot.
        let _ = self.outside.recorder.owe(owed).await;
    }

    /// When to wake for something that is due: a little earlier first, to open the room of its first step.
    fn wake_for(&mut self, due: Timestamp, name: &JobName, job: &Job, now: Timestamp) -> Timestamp {
        if let Ok(earlier) = due.checked_sub(AHEAD)
            && earlier > now
        {
            return earlier;
        }
        let first = job.steps.first().filter(|_| due > now && self.warmed.get(name) != Some(&due));
        if let Some(step) = first {
            self.warmed.insert(name.clone(), due);
            self.outside.rooms.warm(step.action.room());
        }
        due
    }

    /// The next slot of a job that is not paused, random delay included.
    pub(super) fn next_slot(&self, name: &JobName) -> Option<Timestamp> {
        self.next.get(name).copied().filter(|_| !self.paused.contains_key(name))
    }

    /// The next try of a job that is not paused.
    pub(super) fn next_retry(&self, name: &JobName) -> Option<&PlannedRetry> {
        self.retries.get(name).filter(|_| !self.paused.contains_key(name))
    }

    /// Tells the scheduler when to wake us.
    pub(super) async fn plan(&mut self) {
        let Some(ticker) = self.ticker.clone() else { return };
        let view = Arc::clone(&self.config.view);
        let now = Timestamp::now();
        let mut instants: BTreeMap<JobName, Option<Timestamp>> = BTreeMap::new();
        for (name, job) in &view.jobs {
            let slot = self.next_slot(name);
            // A retry that waits for a run of its job is looked at when that ends.
            let retry = self.next_retry(name).filter(|_| self.admission.of_job(name).is_none());
            // A runbook has no slots, but it may have to be tried again.
            if job.schedule.is_some() || retry.is_some() {
                let at = [slot, retry.map(|retry| retry.not_before)].into_iter().flatten().min();
                instants.insert(name.clone(), at.map(|at| self.wake_for(at, name, job, now)));
            }
        }
        let others = [self.next_edge(now), self.next_wait_end(now), self.next_look_again()];
        ticker.also_wake(others.into_iter().flatten().min());
        if let Err(error) = ticker.set_plan(&instants).await {
            self.outside.teller.of_daemon(Told::SchedulerBroken { why: error.to_string() });
        }
    }
}

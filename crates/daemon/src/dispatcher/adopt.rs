//! Taking over what an earlier daemon left: marks, pauses, planned retries, and every run that is not over. A run
//! goes on under the configuration that it was begun with; its locks are taken again before anything else may start.

use super::Dispatcher;
use crate::{
    accept,
    notify::Fact,
    recorder::{NotRecorded, Recorder},
    run::{RunSpec, policy},
    tell::Told,
};
use jiff::Timestamp;
use mastmaint_ledger::{Approval, HandHold, Mark, Pause, PlannedRetry, Restore, RunRecord, RunWithSteps};
use mastmaint_words::{Grade, JobName, Numbers, Outcome, Reason, Verdict};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the ledger knows at a start.
#[derive(Debug)]
pub struct Known {
    marks: BTreeMap<JobName, Mark>,
    approvals: Vec<Approval>,
    paused: BTreeSet<JobName>,
    retries: Vec<PlannedRetry>,
    holds: Vec<HandHold>,
    last: BTreeMap<JobName, RunRecord>,
    open: Vec<RunWithSteps>,
    unreadable: usize,
}

impl Known {
    /// Reads it.
    ///
    /// # Errors
    /// If the ledger cannot be read: then there is nothing to go on with.
    pub async fn read(recorder: &Recorder) -> Result<Self, NotRecorded> {
        recorder
            .with(|ledger| {
                Ok(Self {
                    marks: ledger.marks()?,
                    approvals: ledger.approvals()?,
                    paused: ledger.paused()?,
                    retries: ledger.planned_retries()?,
                    holds: ledger.holds()?,
                    last: ledger.last_ended()?,
                    open: ledger.open_runs()?,
                    unreadable: ledger.unreadable_rows(),
                })
            })
            .await
    }
}

impl Dispatcher {
    /// Goes on with what the ledger knows. Where it could not be read at the start, this is done when it can; what has
    /// happened by then counts for more than what it says.
    pub async fn take_over(&mut self, known: Result<Known, NotRecorded>) {
        let open = match known {
            Ok(Known { marks, approvals, paused, retries, holds, last, open, unreadable }) => {
                if unreadable > 0 {
                    self.outside.teller.of_daemon(Told::UnreadableRows { rows: unreadable });
                }
                self.ledger_known = true;
                let now = Timestamp::now();
                let mut known = super::marks::from_ledger(marks);
                known.append(&mut self.marks);
                self.marks = known;
                for approval in approvals {
                    self.approvals.entry(approval.run.clone()).or_insert(approval);
                }
                for job in paused {
                    self.paused.entry(job).or_insert((now, 0));
                }
                for retry in retries {
                    self.retries.entry(retry.job.clone()).or_insert(retry);
                }
                for hold in holds {
                    self.hand_holds.entry(hold.id).or_insert(hold);
                }
                for (job, run) in last {
                    self.last.entry(job).or_insert(run);
                }
                open
            }
            Err(error) => {
                // The ledger's own news says what to do; there is nothing to go on with.
                self.outside.teller.of_daemon(Told::NothingKnown { why: error.message });
                Vec::new()
            }
        };
        self.cut_to_now(Timestamp::now()).await;
        self.notify_paused();
        for run in self.last.values().filter(|run| !run.dry_run) {
            self.notify(Fact::Remembered(Box::new(run.clone())));
        }
        for run in open {
            if !self.runs.contains_key(&run.run.id) {
                self.adopt(run).await;
            }
        }
        self.admit().await;
    }

    /// Writes what this daemon knows into a ledger that begins anew, so that the next daemon can go on with it.
    pub(super) async fn write_again(&mut self) {
        let marks =
            self.marks.iter().map(|(job, mark)| (job.clone(), super::marks::to_ledger(mark))).collect();
        let paused =
            self.paused.iter().map(|(job, (at, uid))| Pause { job: job.clone(), at: *at, uid: *uid });
        let restore = Restore {
            marks,
            paused: paused.collect(),
            retries: self.retries.values().cloned().collect(),
            holds: self.hand_holds.values().cloned().collect(),
            approvals: self.approvals.values().cloned().collect(),
            runs: self.runs.values().filter(|active| active.spec.recorded).map(under_way).collect(),
        };
        if let Err(error) = self.outside.recorder.with(move |ledger| ledger.restore(&restore)).await {
            self.outside.teller.of_daemon(Told::NothingKnown { why: error.message });
        }
    }

    async fn adopt(&mut self, RunWithSteps { run, steps }: RunWithSteps) {
        let view = if run.digest == self.config.view.digest {
            Ok(Arc::clone(&self.config.view))
        } else {
            accept::read(&self.store, &run.digest).map(Arc::new)
        };
        let found = view.map_err(|e| e.to_string()).and_then(|view| {
            let missing = || format!("its configuration {} has no job {}", run.digest, run.job);
            let job = view.jobs.get(&run.job).cloned().map(Arc::new).ok_or_else(missing)?;
            let rooms = view.rooms_to_look(&job);
            Ok((job, rooms))
        });
        match found {
            Ok((job, rooms_to_look)) => {
                // Its start may not have been recorded although a step's was.
                let started = run.started.or_else(|| steps.first().map(|step| step.at));
                let id = run.id.clone();
                self.enter(
                    RunSpec {
                        id: id.clone(),
                        job_name: run.job,
                        job,
                        digest: run.digest,
                        trigger: run.trigger,
                        dry_run: run.dry_run,
                        queued: run.queued,
                        recorded: true,
                        begun: None,
                        before: steps,
                        started,
                        allowance: self.allowance_of(&id),
                        looked: None,
                        rooms_to_look,
                        only: None,
                    },
                    None,
                );
                if let Some(active) = self.runs.get_mut(&id).filter(|_| run.cancel_asked.is_some()) {
                    active.cancel_asked = run.cancel_asked;
                    active.handle.cancels.send_replace(1);
                    if started.is_none() {
                        return self.end(&id, policy::cancelled()).await;
                    }
                }
                let claim = self.claim(&id);
                if started.is_some() {
                    self.admission.adopt(claim);
                    self.start(&id, Timestamp::now());
                } else {
                    self.prepare_or_enqueue(&id);
                }
            }
            Err(why) => self.give_up(run, why).await,
        }
    }

    /// Ends a run that nobody can go on with.
    async fn give_up(&mut self, run: RunRecord, why: String) {
        let now = Timestamp::now();
        let text = format!("the daemon restarted and cannot go on with it: {why}");
        let verdict = Verdict::because(Outcome::Interrupted, Grade::Exit, Reason::new("config-gone", text));
        let (id, reason) = (run.id.clone(), verdict.reasons.first().cloned());
        let recorded = self
            .outside
            .recorder
            .with(move |ledger| {
                ledger.end_run(&id, now, Outcome::Interrupted, Some(Grade::Exit), reason.as_ref())
            })
            .await;
        let ended = RunRecord {
            ended: Some(now),
            outcome: Some(verdict.outcome),
            grade: Some(verdict.grade),
            reason: verdict.reasons.first().cloned(),
            ..run.clone()
        };
        if !run.dry_run {
            self.notify(Fact::Ended(Box::new(ended)));
        }
        self.outside.teller.of_daemon(Told::RunGivenUp { run: run.id, job: run.job, verdict });
        if let Err(error) = recorded {
            self.outside.teller.of_daemon(Told::NothingKnown { why: error.message });
        }
    }
}

/// A run that waits or runs, as the ledger keeps it.
fn under_way(active: &super::Active) -> RunWithSteps {
    let spec = &active.spec;
    RunWithSteps {
        run: RunRecord {
            id: spec.id.clone(),
            job: spec.job_name.clone(),
            trigger: spec.trigger.clone(),
            digest: spec.digest.clone(),
            dry_run: spec.dry_run,
            queued: spec.queued,
            started: active.started,
            ended: None,
            outcome: None,
            grade: None,
            reason: None,
            numbers: Numbers::default(),
            cancel_asked: active.cancel_asked,
        },
        steps: active.steps.values().cloned().collect(),
    }
}

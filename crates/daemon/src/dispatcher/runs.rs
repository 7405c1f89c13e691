//! Runs from their making to their start: recorded, admitted, started, cancelled.

use super::{Active, Dispatcher, follow, marks, waits};
use crate::{
    admission::{Claim, Wait},
    holds,
    notify::Fact,
    recorder::Owed,
    run::{self, Looks, RunNews, RunSpec, cap, policy},
    schedule::policy::Mark,
    tell::Told,
};
use jiff::Timestamp;
use mastmaint_config::settings::Job;
use mastmaint_control::words::FollowEvent;
use mastmaint_ledger::NewRun;
use mastmaint_words::{Grade, JobName, Outcome, Reason, RunId, Trigger, Verdict};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::oneshot;

/// What became of the wish to run a job.
pub(super) enum Queued {
    /// It has an id now and waits for its admission.
    Run(RunId),
    /// It was over as soon as it was made.
    Over(Verdict),
    /// It has run already, so this is not done again.
    Already,
}

impl Dispatcher {
    /// Makes a run of a job and lets it wait for its admission. `mark` says which slots this deals with; both are
    /// recorded in one step, so that a crash can neither lose the run nor make it twice.
    pub(super) async fn queue(
        &mut self,
        name: &JobName,
        job: &Arc<Job>,
        trigger: Trigger,
        dry_run: bool,
        mark: Option<Mark>,
    ) -> std::io::Result<Queued> {
        self.make(name, job, trigger, dry_run, mark, cap::Found::new()).await
    }

    /// Makes a run that may remove what a person has allowed.
    pub(super) async fn queue_allowing(
        &mut self,
        name: &JobName,
        job: &Arc<Job>,
        trigger: Trigger,
        allowance: cap::Found,
    ) -> std::io::Result<Queued> {
        self.make(name, job, trigger, false, None, allowance).await
    }

    async fn make(
        &mut self,
        name: &JobName,
        job: &Arc<Job>,
        trigger: Trigger,
        dry_run: bool,
        mark: Option<Mark>,
        allowance: cap::Found,
    ) -> std::io::Result<Queued> {
        let queued = Timestamp::now();
        let id = RunId::new(queued)?;
        let new = NewRun {
            id: id.clone(),
            job: name.clone(),
            trigger: trigger.clone(),
            digest: self.config.view.digest.clone(),
            dry_run,
            queued_at: queued,
        };
        let mut spec = RunSpec {
            id: id.clone(),
            job_name: name.clone(),
            job: Arc::clone(job),
            digest: new.digest.clone(),
            trigger,
            dry_run,
            queued,
            recorded: false,
            begun: None,
            before: Vec::new(),
            started: None,
            allowance,
            looked: None,
            rooms_to_look: self.config.view.rooms_to_look(job),
            only: None,
        };
        let at_once = !run::looks_first(&spec) && self.starts_at_once(&spec, queued);
        let first = if at_once { spec.first_step() } else { None };
        let (marked, of) = (mark.as_ref().map(marks::to_ledger), name.clone());
        let start = first.as_ref().map(run::start_of);
        let recorded = self
            .outside
            .recorder
            .with(move |ledger| {
                let mark = marked.as_ref().map(|mark| (&of, mark));
                match &start {
                    Some(start) => ledger.queue_and_start(&new, mark, start),
                    None => ledger.queue_run(&new, mark),
                }
            })
            .await;
        if let Some(mark) = mark {
            self.marks.insert(name.clone(), mark);
        }
        spec.recorded = recorded.is_ok();
        spec.begun = first.filter(|_| spec.recorded);
        if let Err(error) = recorded {
            if error.code == "duplicate-slot" {
                return Ok(Queued::Already);
            }
            self.outside.teller.of_run(&spec, Told::NotRecorded { what: "the run", why: error.message });
            if let Some(mark) = self.marks.get(name).cloned() {
                // Written as soon as something can be: the slot has had its run.
                self.keep_mark(name, mark).await;
            }
        }
        let refused = (!spec.recorded && job.stops_services() && !dry_run).then(not_without_a_record);
        let refused = refused.or_else(|| self.hold_of_run(&spec, queued).map(holds::held));
        self.enter(spec, None);
        if let Some(verdict) = refused {
            self.end(&id, verdict.clone()).await;
            return Ok(Queued::Over(verdict));
        }
        self.prepare_or_enqueue(&id);
        Ok(Queued::Run(id))
    }

    /// Puts a run among those that are under way.
    pub(super) fn enter(&mut self, spec: RunSpec, once: Option<oneshot::Sender<Verdict>>) {
        let steps = spec.before.iter().chain(&spec.begun).map(|step| (step.key.step, step.clone())).collect();
        let (id, started) = (spec.id.clone(), spec.started);
        let waits_until = waits::may_wait_until(spec.queued, spec.job.lock_wait.get(), Timestamp::now());
        let active = Active {
            spec,
            handle: run::handle(),
            started,
            steps,
            looking: false,
            in_the_way: None,
            looked_at_host: None,
            asker: None,
            needs: BTreeMap::new(),
            told_waiting: false,
            waits_until,
            cancel_asked: None,
            once,
        };
        self.runs.insert(id, active);
    }

    /// A run whose job requires something or whose steps have limits looks first; it asks for its locks when that is
    /// over.
    pub(super) fn prepare_or_enqueue(&mut self, id: &RunId) {
        let claim = self.claim(id);
        if run::looks_first(&self.runs[id].spec) {
            self.admission.prepare(claim);
        } else {
            self.admission.enqueue(claim);
        }
    }

    /// What admission has to know of a run.
    pub(super) fn claim(&self, id: &RunId) -> Claim {
        claim(&self.runs[id].spec)
    }

    /// Whether the next [`Dispatcher::admit`] starts a run that is made now: nothing stands in its way, and nothing
    /// that this task does in between puts anything there.
    fn starts_at_once(&self, spec: &RunSpec, now: Timestamp) -> bool {
        self.gate_open && self.admission.is_free_for(&claim(spec)) && self.must_not_start(spec, now).is_none()
    }

    /// The verdict of a run that must not start at an instant: its job is no more, its window is closed, or a hold is
    /// on. A run follows the configuration with which it was made, but whether it may start is said by that in force.
    fn must_not_start(&self, spec: &RunSpec, now: Timestamp) -> Option<Verdict> {
        self.removed(spec)
            .or_else(|| self.too_late(spec, None, now))
            .or_else(|| self.hold_of_run(spec, now).map(holds::held))
    }

    /// Starts what may start.
    pub(super) async fn admit(&mut self) {
        if self.gate_open {
            self.begin_looks().await;
        }
        while self.gate_open {
            let admitted = self.admission.admit();
            if admitted.is_empty() {
                break;
            }
            for claim in admitted {
                let now = Timestamp::now();
                let spec = &self.runs[&claim.run].spec;
                // What is recorded as begun was in time.
                let refused = if spec.begun.is_some() { None } else { self.must_not_start(spec, now) };
                if let Some(verdict) = refused {
                    self.end(&claim.run, verdict).await;
                } else if Self::must_look_again(&self.runs[&claim.run]) {
                    self.look(&claim.run, Looks::Requirements);
                } else {
                    self.start(&claim.run, now);
                }
            }
        }
        for (id, active) in &mut self.runs {
            // A look at the host takes a moment, and what it sees is told when it is seen.
            let is_told = active.told_waiting || active.in_the_way.is_some();
            let is_short = |wait: &Wait| *wait == Wait::Look && !run::has_limits(&active.spec);
            if let Some(wait) = self.admission.waits_for(id).filter(|wait| !is_told && !is_short(wait)) {
                active.told_waiting = true;
                let why = wait.to_string();
                follow(&active.handle, FollowEvent::Waiting { why: why.clone() });
                self.outside.teller.of_run(&active.spec, Told::RunWaits { why });
            }
        }
    }

    /// Starts the task of a run that was admitted or adopted.
    pub(super) fn start(&mut self, id: &RunId, now: Timestamp) {
        let news = self.run_news.0.clone();
        if let Some(active) = self.runs.get_mut(id) {
            let resumed = active.started.is_some();
            active.started.get_or_insert(now);
            run::spawn(active.spec.clone(), self.outside.clone(), &active.handle, news);
            if !resumed && !active.spec.dry_run {
                let (job, run) = (active.spec.job_name.clone(), id.clone());
                self.notify(Fact::Began { job, run, at: now });
            }
        }
    }

    /// Hears of a run.
    ///
    /// # Errors
    /// If nobody drives the run any more: the daemon ends, and the next one goes on with the run as after a crash.
    pub(super) async fn hear_run(&mut self, news: RunNews) -> Result<(), String> {
        match news {
            RunNews::Broken { run, why } => return Err(format!("the task of run {run} broke off: {why}")),
            RunNews::Step(record) => {
                self.watch_for_brackets(&record);
                if let Some(active) = self.runs.get_mut(&record.key.run) {
                    active.steps.insert(record.key.step, *record);
                }
            }
            RunNews::NeedsApproval { run, step, found, why } => self.note_need(&run, step, found, why),
            RunNews::Looked { run, looked } => self.hear_look(&run, looked).await,
            RunNews::Ended { run, verdict } => {
                self.end(&run, *verdict).await;
                // A retry may have waited for this run; slots are looked at for the price of a glance.
                self.look_at_slots().await;
                self.forget_old();
            }
        }
        Ok(())
    }

    /// Cancels a run: one that waits ends at once, one that runs is asked to. That it was asked is in the ledger before:
    /// between two steps nothing else would tell the next daemon.
    pub(super) async fn cancel(&mut self, id: &RunId) {
        let is_idle = |active: &Active| self.admission.is_preparing(id) && !active.looking;
        if self.admission.is_waiting(id) || self.runs.get(id).is_some_and(is_idle) {
            self.end(id, policy::cancelled()).await;
            self.admit().await;
        } else if let Some(active) = self.runs.get_mut(id) {
            if active.cancel_asked.is_none() {
                let at = Timestamp::now();
                active.cancel_asked = Some(at);
                if active.spec.recorded {
                    // What cannot be written now is written when it can; the ledger's own news says that it cannot.
                    let _ = self.outside.recorder.owe(Owed::Cancel { run: id.clone(), at }).await;
                }
            }
            active.handle.cancels.send_modify(|count| *count += 1);
        }
    }

    /// Runs a job for `--run`.
    pub(super) async fn run_once(&mut self, name: JobName, ended: oneshot::Sender<Verdict>) {
        let Some(job) = self.config.view.jobs.get(&name).cloned().map(Arc::new) else { return };
        let trigger = Trigger::Manual { uid: nix::unistd::getuid().as_raw(), despite_hold: false };
        match self.queue(&name, &job, trigger, false, None).await {
            Ok(Queued::Run(id)) => {
                if let Some(active) = self.runs.get_mut(&id) {
                    active.once = Some(ended);
                }
            }
            // The journal has said why.
            Ok(Queued::Over(verdict)) => drop(ended.send(verdict)),
            Ok(Queued::Already) | Err(_) => {}
        }
        self.admit().await;
    }
}

fn claim(spec: &RunSpec) -> Claim {
    Claim { run: spec.id.clone(), job: spec.job_name.clone(), lock: spec.lock() }
}

fn not_without_a_record() -> Verdict {
    let text = "a job that stops services does not run while the ledger cannot be written";
    Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("not-recording", text))
}

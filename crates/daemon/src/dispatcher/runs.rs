//! Runs from their making to their start: recorded, admitted, started, cancelled.

use super::{Active, Dispatcher, follow, marks};
use crate::{
    admission::Claim,
    run::{self, RunNews, RunSpec, policy},
    schedule::policy::Mark,
    tell::Told,
};
use jiff::Timestamp;
use mastmaint_config::settings::Job;
use mastmaint_control::words::FollowEvent;
use mastmaint_ledger::NewRun;
use mastmaint_words::{Grade, JobName, Outcome, Reason, RunId, Trigger, Verdict};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What became of the wish to run a job.
pub(super) enum Queued {
    /// It has an id now.
    Run(RunId),
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
            only: None,
        };
        let first = if self.starts_at_once(&spec, queued) { spec.first_step() } else { None };
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
        self.enter(spec, None);
        if let Some(verdict) = refused {
            self.end(&id, verdict).await;
        } else {
            self.admission.enqueue(self.claim(&id));
        }
        Ok(Queued::Run(id))
    }

    /// Puts a run among those that are under way.
    pub(super) fn enter(&mut self, spec: RunSpec, once: Option<oneshot::Sender<Verdict>>) {
        let steps = spec.before.iter().chain(&spec.begun).map(|step| (step.key.step, step.clone())).collect();
        let (id, started) = (spec.id.clone(), spec.started);
        let handle = run::handle();
        self.runs.insert(id, Active { spec, handle, started, steps, told_waiting: false, once });
    }

    /// What admission has to know of a run.
    pub(super) fn claim(&self, id: &RunId) -> Claim {
        claim(&self.runs[id].spec)
    }

    /// Whether the next [`Dispatcher::admit`] starts a run that is made now: nothing stands in its way, and nothing
    /// that this task does in between puts anything there.
    fn starts_at_once(&self, spec: &RunSpec, now: Timestamp) -> bool {
        self.gate_open && self.admission.is_free_for(&claim(spec)) && self.too_late(spec, now).is_none()
    }

    /// Starts what may start.
    pub(super) async fn admit(&mut self) {
        while self.gate_open {
            let admitted = self.admission.admit();
            if admitted.is_empty() {
                break;
            }
            for claim in admitted {
                let now = Timestamp::now();
                let spec = &self.runs[&claim.run].spec;
                // What is recorded as begun was in time.
                let too_late = if spec.begun.is_some() { None } else { self.too_late(spec, now) };
                if let Some(verdict) = too_late {
                    self.end(&claim.run, verdict).await;
                } else {
                    self.start(&claim.run, now);
                }
            }
        }
        for (id, active) in &mut self.runs {
            if let Some(why) = self.admission.waits_for(id).filter(|_| !active.told_waiting) {
                active.told_waiting = true;
                follow(&active.handle, FollowEvent::Waiting { why: why.clone() });
                self.outside.teller.of_run(&active.spec, Told::RunWaits { why });
            }
        }
    }

    /// The verdict of a run whose window closed while it waited.
    fn too_late(&self, spec: &RunSpec, now: Timestamp) -> Option<Verdict> {
        if self.window_is_open(&spec.job_name, &spec.job, &spec.trigger, now) {
            return None;
        }
        let reason = Reason::new("window-closed", "its window closed while it waited for another run");
        Some(Verdict::because(Outcome::Skipped, Grade::Exit, reason))
    }

    /// Starts the task of a run that was admitted or adopted.
    pub(super) fn start(&mut self, id: &RunId, now: Timestamp) {
        let news = self.run_news.0.clone();
        if let Some(active) = self.runs.get_mut(id) {
            active.started.get_or_insert(now);
            run::spawn(active.spec.clone(), self.outside.clone(), &active.handle, news);
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
            RunNews::Ended { run, verdict } => {
                self.end(&run, *verdict).await;
                // A retry may have waited for this run; slots are looked at for the price of a glance.
                self.look_at_slots().await;
                self.forget_old();
            }
        }
        Ok(())
    }

    /// Cancels a run: one that waits ends at once, one that runs is asked to.
    pub(super) async fn cancel(&mut self, id: &RunId) {
        if self.admission.is_waiting(id) {
            self.end(id, policy::cancelled()).await;
            self.admit().await;
        } else if let Some(active) = self.runs.get(id) {
            active.handle.cancels.send_modify(|count| *count += 1);
        }
    }

    /// Runs a job for `--run`.
    pub(super) async fn run_once(&mut self, name: JobName, ended: oneshot::Sender<Verdict>) {
        let Some(job) = self.config.view.jobs.get(&name).cloned().map(Arc::new) else { return };
        let trigger = Trigger::Manual { uid: nix::unistd::getuid().as_raw() };
        if let Ok(Queued::Run(id)) = self.queue(&name, &job, trigger, false, None).await {
            match self.runs.get_mut(&id) {
                Some(active) => active.once = Some(ended),
                // It was refused and is over; the journal has said why.
                None => drop(ended.send(not_without_a_record())),
            }
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

//! One run as a task of its own: steps in order, each in its room, its ends recorded before they are told. The
//! dispatcher decides that a run exists and learns what became of it; in between this task alone drives it, and a
//! task for a run that an earlier daemon began differs only in where it starts.

pub mod policy;
mod step;
mod wire;

use crate::{
    recorder::Recorder,
    room::Rooms,
    tell::{Teller, Told},
};
use jiff::Timestamp;
use mastmaint_config::settings::Job;
use mastmaint_control::words::FollowEvent;
use mastmaint_ledger::StepRecord;
use mastmaint_words::{
    Digest, JobName, LockName, Outcome, RunId, Span, StepIndex, StepKey, Trigger, Verdict,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{broadcast, mpsc, watch};

/// What every run needs of the outside.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Where steps run.
    pub rooms: Rooms,
    /// Where ends are recorded.
    pub recorder: Recorder,
    /// Where they are told.
    pub teller: Teller,
}

/// What a run is, decided before its task begins.
#[derive(Debug, Clone)]
pub struct RunSpec {
    /// Its id.
    pub id: RunId,
    /// Its job's name.
    pub job_name: JobName,
    /// Its job, as the configuration of `digest` has it.
    pub job: Arc<Job>,
    /// The configuration that it follows to its end.
    pub digest: Digest,
    /// Why it exists.
    pub trigger: Trigger,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// When it was made.
    pub queued: Timestamp,
    /// Whether the ledger knows of it; else nothing of it is recorded, now or later.
    pub recorded: bool,
    /// Steps that an earlier daemon began; empty for a new run.
    pub before: Vec<StepRecord>,
    /// When it was admitted, for a run that an earlier daemon began.
    pub started: Option<Timestamp>,
}

impl RunSpec {
    /// The lock that it holds.
    pub fn lock(&self) -> Option<LockName> {
        self.job.lock.clone()
    }

    fn key(&self, step: StepIndex) -> StepKey {
        StepKey { run: self.id.clone(), step }
    }
}

/// What a run tells the dispatcher.
#[derive(Debug)]
pub enum RunNews {
    /// A step has begun.
    Step {
        /// The run.
        run: RunId,
        /// The step.
        step: StepIndex,
    },
    /// The run is over and recorded.
    Ended {
        /// The run.
        run: RunId,
        /// How.
        verdict: Box<Verdict>,
    },
    /// The task of the run broke off. Its step may be going on: only a new daemon, which adopts it, knows how.
    Broken {
        /// The run.
        run: RunId,
        /// What is known of it.
        why: String,
    },
}

/// The strings by which the dispatcher holds a run.
#[derive(Debug)]
pub struct RunHandle {
    /// Each increase is one more cancel.
    pub cancels: watch::Sender<u32>,
    /// What followers hear.
    pub follow: broadcast::Sender<FollowEvent>,
}

/// Events that a slow follower may lag behind before it misses some.
const FOLLOW_QUEUE: usize = 1024;

/// The strings of a run that does not run yet.
pub fn handle() -> RunHandle {
    RunHandle { cancels: watch::channel(0).0, follow: broadcast::channel(FOLLOW_QUEUE).0 }
}

/// A run under way.
struct Drive {
    spec: RunSpec,
    outside: Outside,
    cancels: watch::Receiver<u32>,
    follow: broadcast::Sender<FollowEvent>,
    news: mpsc::Sender<RunNews>,
    deadline: Instant,
}

/// Starts the task of an admitted run.
pub fn spawn(spec: RunSpec, outside: Outside, handle: &RunHandle, news: mpsc::Sender<RunNews>) {
    let drive = Drive {
        deadline: deadline(&spec, Timestamp::now()),
        spec,
        outside,
        cancels: handle.cancels.subscribe(),
        follow: handle.follow.clone(),
        news,
    };
    let (run, broken) = (drive.spec.id.clone(), drive.news.clone());
    let task = tokio::spawn(drive.run_to_the_end());
    tokio::spawn(async move {
        if let Err(error) = task.await {
            // The dispatcher outlives its runs, except when the whole daemon ends.
            let _ = broken.send(RunNews::Broken { run, why: error.to_string() }).await;
        }
    });
}

/// When the job's timeout ends the run. An adopted run has used some of it already; a clock that was set back in
/// between gives it at most the whole again.
fn deadline(spec: &RunSpec, now: Timestamp) -> Instant {
    let used = spec.started.map_or(Duration::ZERO, |started| now.duration_since(started).unsigned_abs());
    let whole = spec.job.timeout.get();
    Instant::now() + whole.saturating_sub(used.min(whole))
}

impl Drive {
    async fn run_to_the_end(mut self) {
        let started = Timestamp::now();
        if self.spec.started.is_none() {
            let id = self.spec.id.clone();
            self.record("the start of the run", move |ledger| ledger.start_run(&id, started)).await;
            self.tell(Told::RunStarted);
        }
        let mut done: Vec<Verdict> = Vec::new();
        while let policy::Next::Step(step) = policy::next(&self.spec.job, &done) {
            let before = self.spec.before.iter().find(|record| record.key.step == step).cloned();
            let verdict = match before {
                Some(StepRecord { end: Some(end), .. }) => end.verdict,
                Some(begun) => self.adopt(step, &begun).await,
                None => self.begin(step).await,
            };
            done.push(verdict);
        }
        let verdict = policy::verdict_of_run(&done);
        let ended = RunNews::Ended { run: self.spec.id.clone(), verdict: Box::new(verdict) };
        // The dispatcher outlives its runs; if it is gone the next daemon finds the run open and ends it.
        let _ = self.news.send(ended).await;
    }

    /// A step that nobody has begun.
    async fn begin(&mut self, step: StepIndex) -> Verdict {
        if *self.cancels.borrow_and_update() > 0 {
            return policy::cancelled();
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return policy::out_of_time(self.spec.job.timeout);
        }
        let Some(definition) = self.spec.job.steps.get(usize::from(step.0)).cloned() else {
            return policy::cancelled();
        };
        let start = mastmaint_ledger::StepStart {
            key: self.spec.key(step),
            title: definition.action.title(),
            room: definition.action.room(),
            at: Timestamp::now(),
        };
        let recorded = self.record("the start of the step", move |ledger| ledger.start_step(&start)).await;
        if !recorded && step::may_stop_services(&definition) && !self.spec.dry_run {
            return step::not_without_a_record();
        }
        self.tell(Told::StepStarted { step, title: definition.action.title() });
        self.announce(step, &definition).await;
        self.drive_step(step, &definition, step::Begin::Fresh { limit: Span::new(left) }).await
    }

    /// A step that an earlier daemon began and nobody has seen the end of.
    async fn adopt(&mut self, step: StepIndex, begun: &StepRecord) -> Verdict {
        let Some(definition) = self.spec.job.steps.get(usize::from(step.0)).cloned() else {
            return policy::cancelled();
        };
        self.tell(Told::StepAdopted { step, title: begun.title.clone() });
        self.announce(step, &definition).await;
        self.drive_step(step, &definition, step::Begin::Adopted { after: begun.journaled, at: begun.at })
            .await
    }

    async fn announce(&self, step: StepIndex, definition: &mastmaint_config::settings::Step) {
        let of = u16::try_from(self.spec.job.steps.len()).unwrap_or(u16::MAX);
        // Nobody may be following.
        let _ = self.follow.send(FollowEvent::StepStarted { step, of, title: definition.action.title() });
        let _ = self.news.send(RunNews::Step { run: self.spec.id.clone(), step }).await;
    }

    /// Records something of this run; false if it could not be, which is told.
    async fn record(
        &self,
        what: &'static str,
        call: impl FnOnce(&mut mastmaint_ledger::Ledger) -> Result<(), mastmaint_ledger::LedgerError>
        + Send
        + 'static,
    ) -> bool {
        if !self.spec.recorded {
            return false;
        }
        match self.outside.recorder.with(call).await {
            Ok(()) => true,
            Err(error) => {
                self.tell(Told::NotRecorded { what, why: error.message });
                false
            }
        }
    }

    fn tell(&self, told: Told) {
        self.outside.teller.of_run(&self.spec, told);
    }
}

/// Whether an outcome is one that the admin must hear of.
pub const fn is_bad(outcome: Outcome) -> bool {
    !outcome.is_fine()
}

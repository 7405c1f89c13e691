//! One run as a task of its own: steps in order, each in its room, its ends recorded before they are told. The
//! dispatcher decides that a run exists and learns what became of it; in between this task alone drives it, and a
//! task for a run that an earlier daemon began differs only in where it starts.

pub mod cap;
mod follow;
mod look;
pub mod policy;
pub mod requirements;
mod step;
mod wire;

pub use look::{Looked, Looks, has_limits, looks_first, spawn_look};

use crate::{
    recorder::{Owed, Recorder},
    room::Rooms,
    tell::{Teller, Told},
};
use jiff::Timestamp;
use mastmaint_config::settings::{Job, Step};
use mastmaint_control::words::{FollowEvent, StepProgress};
use mastmaint_failpoints::failpoint;
use mastmaint_ledger::{StepEnd, StepRecord, StepStart};
use mastmaint_words::{
    Digest, JobName, LockName, Numbers, Room, RunId, StepIndex, StepKey, Trigger, Verdict,
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
    /// Whether the host has been up since the daemon before this one was: then no room has lost what it knows.
    pub same_boot: bool,
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
    /// Its first step, where that was recorded as begun together with the run itself.
    pub begun: Option<StepRecord>,
    /// Steps that an earlier daemon began; empty for a new run.
    pub before: Vec<StepRecord>,
    /// When it was admitted, for a run that an earlier daemon began.
    pub started: Option<Timestamp>,
    /// What a person allowed its steps to remove beyond their limits.
    pub allowance: cap::Found,
    /// When it was looked at how much its steps would remove.
    pub looked: Option<Instant>,
    /// The rooms that look at what its job requires.
    pub rooms_to_look: Vec<Room>,
    /// Only this step is followed to its end and nothing after it: the ledger does not know the run.
    pub only: Option<StepIndex>,
}

impl RunSpec {
    /// The lock that it holds.
    pub fn lock(&self) -> Option<LockName> {
        self.job.lock.clone()
    }

    /// The first step as it is recorded when it begins now.
    pub fn first_step(&self) -> Option<StepRecord> {
        match policy::next(&self.job, &[]) {
            policy::Next::Step(step) => {
                self.job.steps.get(usize::from(step.0)).map(|first| self.step_record(step, first))
            }
            policy::Next::End => None,
        }
    }

    fn key(&self, step: StepIndex) -> StepKey {
        StepKey { run: self.id.clone(), step }
    }

    fn step_record(&self, step: StepIndex, definition: &Step) -> StepRecord {
        StepRecord {
            key: self.key(step),
            title: definition.action.title(),
            room: definition.action.room(),
            at: Timestamp::now(),
            journaled: 0,
            output_kept: false,
            end: None,
        }
    }
}

/// What the ledger keeps of the start of a step.
pub fn start_of(step: &StepRecord) -> StepStart {
    let StepRecord { key, title, room, at, .. } = step.clone();
    StepStart { key, title, room, at }
}

/// What a run tells the dispatcher.
#[derive(Debug)]
pub enum RunNews {
    /// A step has begun or is over.
    Step(Box<StepRecord>),
    /// It was looked at what its job requires and how much its steps would remove.
    Looked {
        /// The run.
        run: RunId,
        /// What came of it.
        looked: Looked,
    },
    /// A step would remove more than it may.
    NeedsApproval {
        /// The run.
        run: RunId,
        /// The step.
        step: StepIndex,
        /// What its look found.
        found: Numbers,
        /// What is too much about it.
        why: String,
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
    /// How far the newest step is that has shown something.
    pub progress: watch::Sender<Option<(StepIndex, StepProgress)>>,
}

/// Events that a slow follower may lag behind before it misses some.
const FOLLOW_QUEUE: usize = 1024;

/// The strings of a run that does not run yet.
pub fn handle() -> RunHandle {
    RunHandle {
        cancels: watch::channel(0).0,
        follow: broadcast::channel(FOLLOW_QUEUE).0,
        progress: watch::channel(None).0,
    }
}

/// A run under way.
struct Drive {
    spec: RunSpec,
    outside: Outside,
    cancels: watch::Receiver<u32>,
    follow: broadcast::Sender<FollowEvent>,
    progress: watch::Sender<Option<(StepIndex, StepProgress)>>,
    news: mpsc::Sender<RunNews>,
    deadline: Instant,
}

/// Starts the task of an admitted run.
pub fn spawn(spec: RunSpec, outside: Outside, handle: &RunHandle, news: mpsc::Sender<RunNews>) {
    let drive = Drive::new(spec, outside, handle, news);
    watch_over(drive.spec.id.clone(), drive.news.clone(), drive.run_to_the_end());
}

/// Starts a task of a run; that it broke off is told.
fn watch_over(run: RunId, broken: mpsc::Sender<RunNews>, task: impl Future<Output = ()> + Send + 'static) {
    let task = tokio::spawn(task);
    tokio::spawn(async move {
        if let Err(error) = task.await {
            // The dispatcher outlives its runs, except when the whole daemon ends.
            let _ = broken.send(RunNews::Broken { run, why: error.to_string() }).await;
        }
    });
}

/// When the job's timeout ends the run.
fn deadline(spec: &RunSpec, now: Timestamp) -> Instant {
    Instant::now() + left_of(spec.job.timeout.get(), spec.started, now)
}

/// What is left of a timeout. An adopted run has used some of it already; a clock that was set back in between gives
/// it the whole again.
fn left_of(whole: Duration, started: Option<Timestamp>, now: Timestamp) -> Duration {
    let used = started.and_then(|started| Duration::try_from(now.duration_since(started)).ok());
    whole.saturating_sub(used.unwrap_or_default())
}

impl Drive {
    fn new(spec: RunSpec, outside: Outside, handle: &RunHandle, news: mpsc::Sender<RunNews>) -> Self {
        Self {
            deadline: deadline(&spec, Timestamp::now()),
            spec,
            outside,
            cancels: handle.cancels.subscribe(),
            follow: handle.follow.clone(),
            progress: handle.progress.clone(),
            news,
        }
    }

    async fn run_to_the_end(mut self) {
        let resumed = self.spec.started.is_some();
        if !resumed {
            // That it was admitted is recorded with the start of its first step.
            self.tell(Told::RunStarted);
        }
        let mut done: Vec<policy::Done> = Vec::new();
        if let Some(step) = self.spec.only {
            done.push(policy::Done { step, verdict: self.take_up(step, resumed).await });
        } else {
            while let policy::Next::Step(step) = policy::next(&self.spec.job, &done) {
                done.push(policy::Done { step, verdict: self.take_up(step, resumed).await });
            }
        }
        let verdict = policy::verdict_of_job(&self.spec.id, &self.spec.job, &done);
        failpoint!("run.before-end");
        let ended = RunNews::Ended { run: self.spec.id.clone(), verdict: Box::new(verdict) };
        // The dispatcher outlives its runs; if it is gone the next daemon finds the run open and ends it.
        let _ = self.news.send(ended).await;
    }

    /// A step, wherever it stands.
    async fn take_up(&mut self, step: StepIndex, resumed: bool) -> Verdict {
        let Some(definition) = self.spec.job.steps.get(usize::from(step.0)).cloned() else {
            return policy::cancelled();
        };
        match self.spec.before.iter().find(|record| record.key.step == step).cloned() {
            Some(StepRecord { end: Some(end), .. }) => end.verdict,
            Some(begun) => self.adopt(&begun, &definition).await,
            // The earlier daemon may have begun it at a time when nothing could be recorded.
            None if resumed && self.is_known_to_room(step, &definition).await => {
                let begun = self.spec.step_record(step, &definition);
                // Its start was not recorded when it began; without it its outcome could not be, either.
                self.record_start(&begun).await;
                self.adopt(&begun, &definition).await
            }
            None => match self.services_are_stopped_for(step, resumed).await {
                Ok(()) => self.begin(step, &definition).await,
                // What must be taken back is taken back whatever has started Mastodon meanwhile: it is stopped again.
                Err(why) if self.is_on_way_back(step) => match self.stop_once_more().await {
                    Ok(()) => self.begin(step, &definition).await,
                    Err(not_stopped) => policy::services_came_back(&format!("{why}; {not_stopped}")),
                },
                Err(why) => policy::services_came_back(&why),
            },
        }
    }

    /// A step that nobody has begun.
    async fn begin(&mut self, step: StepIndex, definition: &Step) -> Verdict {
        let is_owed = self.is_owed(step, definition);
        let (recorded, room) = if self.spec.begun.take_if(|begun| begun.key.step == step).is_some() {
            // Recorded with the run. From there on it is a step under way: a cancel is its room's business.
            (true, self.outside.rooms.open(definition.action.room()).await)
        } else {
            if *self.cancels.borrow_and_update() > 0 && !is_owed {
                return policy::cancelled();
            }
            if self.deadline <= Instant::now() && !is_owed {
                return policy::out_of_time(self.spec.job.timeout);
            }
            if let Some(cap) = definition.at_most.filter(|_| self.must_look_again(step))
                && let Err(verdict) = self.keep_within(step, definition, cap).await
            {
                return verdict;
            }
            let record = self.spec.step_record(step, definition);
            // Opening a room asks nothing of it, so it need not wait for the disk; what is asked of it does.
            tokio::join!(self.record_start(&record), self.outside.rooms.open(record.room))
        };
        if !recorded && step::needs_a_record(definition) && !is_owed && !self.spec.dry_run {
            return step::not_without_a_record();
        }
        failpoint!("run.step-recorded");
        self.tell(Told::StepStarted { step, title: definition.action.title() });
        self.announce(step, definition).await;
        self.drive_step(step, definition, step::Begin::Fresh { room }).await
    }

    /// A step that an earlier daemon began and nobody has seen the end of.
    async fn adopt(&mut self, begun: &StepRecord, definition: &Step) -> Verdict {
        let step = begun.key.step;
        self.tell(Told::StepAdopted { step, title: begun.title.clone() });
        self.announce(step, definition).await;
        // The room goes on with a move that was cut as soon as it is asked. A host that was restarted runs Mastodon by now.
        if definition.action.moves_a_database()
            && self.needs_services_stopped(step)
            && self.goes_on_in_bracket().await.is_err()
            && let Err(why) = self.stop_once_more().await
        {
            self.tell(Told::NotStopped { step, why });
        }
        let may_start = self.is_owed(step, definition)
            || (self.outside.same_boot
                && begun.journaled == 0
                && self.spec.only.is_none()
                && (!self.needs_services_stopped(step) || self.goes_on_in_bracket().await.is_ok()));
        let how = step::Begin::Adopted { after: begun.journaled, at: begun.at, may_start };
        self.drive_step(step, definition, how).await
    }

    async fn announce(&self, step: StepIndex, definition: &Step) {
        let of = self.spec.job.steps_in_sight(step);
        // Nobody may be following.
        let _ = self.follow.send(FollowEvent::StepStarted { step, of, title: definition.action.title() });
        self.note(step, definition, None).await;
    }

    /// Lets the dispatcher know where the run stands.
    async fn note(&self, step: StepIndex, definition: &Step, end: Option<StepEnd>) {
        let record = StepRecord { end, ..self.spec.step_record(step, definition) };
        let _ = self.news.send(RunNews::Step(Box::new(record))).await;
    }

    async fn record_start(&self, step: &StepRecord) -> bool {
        let start = start_of(step);
        self.record("the start of the step", move |ledger| ledger.start_step(&start)).await
    }

    /// Records the end of a step; if that cannot be done now it is done when it can, and the room keeps it till then.
    async fn record_end(&self, end: StepEnd, copy: Option<Vec<u8>>) -> bool {
        if !self.spec.recorded {
            return false;
        }
        match self.outside.recorder.owe(Owed::EndStep { end: Box::new(end), copy }).await {
            Ok(()) => true,
            Err(error) => {
                self.tell(Told::NotRecorded { what: "the outcome of the step", why: error.message });
                false
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_takes_no_time_from_a_run() {
        let hour = Duration::from_hours(1);
        let (early, late): (Timestamp, Timestamp) =
            ("2026-11-23T00:00:00Z".parse().unwrap(), "2026-11-23T00:20:00Z".parse().unwrap());
        assert_eq!(left_of(hour, None, late), hour);
        assert_eq!(left_of(hour, Some(early), late), Duration::from_mins(40));
        assert_eq!(left_of(hour, Some(late), early), hour);
        assert_eq!(left_of(Duration::from_mins(10), Some(early), late), Duration::ZERO);
    }
}

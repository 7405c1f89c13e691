//! tokio-cron-scheduler, and everything that has to do with it: nothing else in mastmaintd knows the crate.
//!
//! One `JobScheduler` lives as long as the daemon. It holds one async job for each scheduled job of the
//! configuration; the body of such a job only sends [`Wake::Triggered`]. When it triggers is decided by our own
//! storage (`storage.rs`) and the alarm clock (`alarm.rs`). What the crate (0.15.1) does wrong, and what guards it:
//!
//! | fault | guard |
//! |---|---|
//! | it freezes a zone into an offset, so a DST switch moves every run by an hour | instants come from the calendar and the policy; its own next ticks are ignored |
//! | day-of-month AND day-of-week, seconds required, parse errors without reasons | it never sees an expression of the configuration |
//! | it polls each 500 ms: 120 wake-ups a minute, up to 500 ms late | the storage parks its loop; the alarm sends [`Wake::Due`] at the instant itself, wherever the loop is |
//! | its loop takes "now" before it asks the storage | due jobs are answered with a tick long past |
//! | after a step of the clock jobs stay silent or storm | it compares nothing that depends on the clock; a timerfd notices the step and sends [`Wake::ClockStepped`] |
//! | broadcast channels lose triggers when they are full, a lagging listener dies for good | at most 16 jobs are answered at once, jobs are added and removed one after the other, and a trigger is only a hint: `Due` comes without them |
//! | its loop holds the storage's write lock while it waits | a visit lets it out of the park before a job is added or removed |
//! | `add` returns before the job's code is known | `add` here waits until it is |
//! | a job that never matches is deleted silently (tick 0) | tick 0 is never answered |
//! | runs overlap, a panic in a sync job kills it for good, `shutdown()` waits for nothing | bodies are async and only send a hint; runs are the daemon's business |
//! | a new scheduler for each reload leaks tasks | there is one for life; a reload is [`Ticker::set_plan`] |
//! | it hangs or dies without a word | [`Ticker::heartbeat`] goes through loop, channel and runner, and the watchdog depends on it; adding and removing have a time limit |
//!
//! What the crate logs under [`UPSTREAM_LOG_TARGET`] ("Uninited", "Job creator created", lag errors) is about its inside;
//! it must not reach the user: filter that target out.

use super::{
    alarm::{self, AlarmClock, SystemClock},
    storage::{Desk, Storage},
};
use jiff::Timestamp;
use mastmaint_words::JobName;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, RwLock, mpsc, oneshot},
    time::timeout,
};
use tokio_cron_scheduler::{
    Job, JobScheduler, JobSchedulerError, JobToRunAsync, SimpleJobCode, SimpleNotificationCode,
    SimpleNotificationStore,
};
use uuid::Uuid;

/// The `tracing` target of tokio-cron-scheduler, to be filtered out (`tokio_cron_scheduler=off`).
pub const UPSTREAM_LOG_TARGET: &str = "tokio_cron_scheduler";
/// Any pattern that the crate accepts, this one being worked out fastest when a job is added. The storage drops it: the
/// crate's own idea of the next tick is never asked.
const ANY_PATTERN: &str = "* * * * * *";
/// Messages that each of its ten broadcast channels holds. All of that memory is there from the start: with the crate's
/// own 200 they take 200 KB.
const CHANNEL: usize = 32;
/// Adding or removing a job takes microseconds; after this its tasks are dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the daemon should look at the policy of every job. None of them is to be trusted more than that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// An instant of the plan is here.
    Due,
    /// The clock was set.
    ClockStepped,
    /// tokio-cron-scheduler triggered this job.
    Triggered(JobName),
}

/// What can go wrong with the ticker; at start it ends the daemon, later it is for the journal.
#[derive(Debug, thiserror::Error)]
pub enum TickerError {
    /// No timer to be had.
    #[error(
        "the kernel gives no timer on the wall clock (timerfd_create): {0}; the daemon cannot keep time without it"
    )]
    Clock(#[from] io::Error),
    /// The crate said no.
    #[error("tokio-cron-scheduler cannot {doing}: {error}; restart mastmaintd")]
    Scheduler {
        /// What it was asked for.
        doing: &'static str,
        /// What it said.
        error: JobSchedulerError,
    },
    /// The crate did not answer.
    #[error("tokio-cron-scheduler did not {doing} within {} s; restart mastmaintd", .after.as_secs())]
    Stuck {
        /// What it was asked for.
        doing: &'static str,
        /// How long was waited.
        after: Duration,
    },
}

impl TickerError {
    /// Stable code, for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Clock(_) => "timer-unavailable",
            Self::Scheduler { .. } => "scheduler-refused",
            Self::Stuck { .. } => "scheduler-stuck",
        }
    }
}

/// The bodies of jobs as the crate keeps them.
type Bodies = Arc<RwLock<HashMap<Uuid, Arc<RwLock<Box<JobToRunAsync>>>>>>;
/// Heartbeats that wait for the pulse job.
type Pulses = Arc<Mutex<Vec<oneshot::Sender<()>>>>;

/// Holds the jobs in tokio-cron-scheduler and wakes the daemon at their instants.
pub struct Ticker {
    scheduler: JobScheduler,
    desk: Arc<Desk>,
    bodies: Bodies,
    jobs: tokio::sync::Mutex<BTreeMap<JobName, Uuid>>,
    replanned: Arc<Notify>,
    wakes: mpsc::Sender<Wake>,
    pulse: Uuid,
    pulses: Pulses,
}

impl Ticker {
    /// Starts with an empty plan. Needs a multi-thread runtime (one worker is enough): on a current-thread one the
    /// crate loses triggers.
    pub async fn start(wakes: mpsc::Sender<Wake>) -> Result<Self, TickerError> {
        Self::start_with(Arc::new(SystemClock::new()?), wakes).await
    }

    pub(super) async fn start_with(
        clock: Arc<dyn AlarmClock>,
        wakes: mpsc::Sender<Wake>,
    ) -> Result<Self, TickerError> {
        let desk = Arc::new(Desk::default());
        let code = SimpleJobCode::default();
        let known = Arc::clone(&code.job_code);
        let scheduler = JobScheduler::new_with_storage_and_code(
            Box::new(Storage(Arc::clone(&desk))),
            Box::new(SimpleNotificationStore::default()),
            Box::new(code),
            Box::new(SimpleNotificationCode::default()),
            CHANNEL,
        )
        .await
        .map_err(|error| TickerError::Scheduler { doing: "be made", error })?;
        let pulses = Pulses::default();
        let pulse = Self::add(&scheduler, &known, {
            let pulses = Arc::clone(&pulses);
            move || answer_pulses(&pulses)
        })
        .await?;
        scheduler.start().await.map_err(|error| TickerError::Scheduler { doing: "start", error })?;
        let replanned = Arc::new(Notify::new());
        // It ends with the receiver of the wakes.
        tokio::spawn(alarm::run(clock, Arc::clone(&desk), Arc::clone(&replanned), wakes.clone()));
        let jobs = tokio::sync::Mutex::default();
        Ok(Self { scheduler, desk, bodies: known, jobs, replanned, wakes, pulse, pulses })
    }

    /// Replaces the plan: every scheduled job with the instant of its next run, if it has one. Only jobs that are new
    /// or gone cost more than a look.
    pub async fn set_plan(&self, plan: &BTreeMap<JobName, Option<Timestamp>>) -> Result<(), TickerError> {
        let mut jobs = self.jobs.lock().await;
        let gone: Vec<_> = jobs.keys().filter(|name| !plan.contains_key(*name)).cloned().collect();
        let new: Vec<_> = plan.keys().filter(|name| !jobs.contains_key(*name)).cloned().collect();
        if !gone.is_empty() || !new.is_empty() {
            let _visit = self.desk.visit();
            for name in gone {
                if let Some(id) = jobs.remove(&name) {
                    within_patience("remove a job", self.scheduler.remove(&id)).await?;
                }
            }
            for name in new {
                let (wakes, hint) = (self.wakes.clone(), Wake::Triggered(name.clone()));
                // A full channel holds a wake already.
                let body = move || drop(wakes.try_send(hint.clone()));
                jobs.insert(name, Self::add(&self.scheduler, &self.bodies, body).await?);
            }
        }
        for (name, id) in jobs.iter() {
            self.desk.set_next(*id, plan.get(name).copied().flatten());
        }
        self.replanned.notify_one();
        Ok(())
    }

    /// One more instant to wake at, which belongs to no scheduled job: a hold begins or ends, a run has waited as long
    /// as it may. Rung for by the alarm alone; it is taken up with the next [`Ticker::set_plan`].
    pub fn also_wake(&self, at: Option<Timestamp>) {
        self.desk.set_also(at);
    }

    /// Comes back when a job that the scheduler's loop triggered for this purpose has run: proof that loop, channels
    /// and runner are alive. It can come in the loop's sleep of 500 ms, so allow more than that. No slot becomes late
    /// by it: the alarm does not wait for the loop.
    pub async fn heartbeat(&self, limit: Duration) -> Result<(), TickerError> {
        let (tell, told) = oneshot::channel();
        self.pulses.lock().unwrap_or_else(PoisonError::into_inner).push(tell);
        self.desk.trigger(self.pulse);
        match timeout(limit, told).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(TickerError::Stuck { doing: "pass on a heartbeat", after: limit }),
        }
    }

    async fn add(
        scheduler: &JobScheduler,
        known: &Bodies,
        body: impl Fn() + Send + Sync + 'static,
    ) -> Result<Uuid, TickerError> {
        let job = Job::new_async(ANY_PATTERN, move |_, _| {
            body();
            Box::pin(std::future::ready(()))
        })
        .map_err(|error| TickerError::Scheduler { doing: "make a job", error })?;
        within_patience("add a job", async {
            let id = scheduler.add(job).await?;
            while !known.read().await.contains_key(&id) {
                tokio::task::yield_now().await;
            }
            Ok(id)
        })
        .await
    }
}

fn answer_pulses(pulses: &Pulses) {
    for pulse in pulses.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // An error means that nobody listens any more: a timeout.
        let _unheard = pulse.send(());
    }
}

async fn within_patience<T>(
    doing: &'static str,
    asked: impl Future<Output = Result<T, JobSchedulerError>>,
) -> Result<T, TickerError> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| TickerError::Scheduler { doing, error }),
        Err(_) => Err(TickerError::Stuck { doing, after: PATIENCE }),
    }
}

#[cfg(test)]
#[path = "ticker_tests.rs"]
mod tests;

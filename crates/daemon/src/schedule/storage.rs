//! What tokio-cron-scheduler is given for a storage: it answers with our instants and parks the ticker's loop until
//! there is something to answer.
//!
//! The loop sleeps 500 ms, takes its "now", and then asks [`MetaDataStorage::list_next_ticks`] while it holds the
//! storage's write lock. That call returns only when jobs are due, when a job is to be added or removed (that needs
//! the lock) or at the end. Because "now" was taken before, due jobs are answered with [`LONG_AGO`]; other jobs are
//! not answered at all, and the next tick that the crate works out is ignored.

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    future::{Future, ready},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use tokio_cron_scheduler::{
    JobSchedulerError, MetaDataStorage,
    job::job_data::{JobAndNextTick, JobStoredData, JobType},
    store::{DataStore, InitStore},
};
use uuid::Uuid;

/// A tick that lies before any "now"; 0 would make the crate delete the job.
const LONG_AGO: u64 = 1;
/// So many jobs are answered at once: the crate's broadcast channels hold 32 messages and drop the oldest.
const BATCH: usize = 16;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, JobSchedulerError>> + Send>>;

/// What ticker, alarm and storage share.
#[derive(Default)]
pub(super) struct Desk {
    state: Mutex<State>,
    /// Wakes the parked loop.
    changed: Notify,
}

#[derive(Default)]
struct State {
    jobs: HashMap<Uuid, Entry>,
    /// One more instant to wake at, which is no job's.
    also: Option<Timestamp>,
    /// Set by the alarm: entries up to here are due.
    reached: Option<Timestamp>,
    /// How many want the write lock.
    visitors: u32,
    /// How often the loop asked; tests count its wake-ups with it.
    turns: u64,
}

struct Entry {
    data: JobStoredData,
    /// When it is to be triggered; taken when that is answered.
    next: Option<Timestamp>,
}

/// While it lives, the loop does not park, so that the write lock can be had.
pub(super) struct Visit(Arc<Desk>);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.state().visitors -= 1;
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under this lock, so a panic elsewhere spoils nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the loop out of its park for as long as the visit lasts.
    pub(super) fn visit(self: &Arc<Self>) -> Visit {
        self.state().visitors += 1;
        self.changed.notify_one();
        Visit(Arc::clone(self))
    }

    /// Sets when a job is to be triggered.
    pub(super) fn set_next(&self, id: Uuid, next: Option<Timestamp>) {
        if let Some(entry) = self.state().jobs.get_mut(&id) {
            entry.next = next;
        }
    }

    /// Sets the instant that is no job's.
    pub(super) fn set_also(&self, also: Option<Timestamp>) {
        self.state().also = also;
    }

    /// The earliest instant that is still to come after `floor`.
    pub(super) fn earliest_after(&self, floor: Timestamp) -> Option<Timestamp> {
        let state = self.state();
        let nexts = state.jobs.values().filter_map(|entry| entry.next).chain(state.also);
        nexts.filter(|next| *next > floor).min()
    }

    /// Everything up to `now` is due.
    pub(super) fn reach(&self, now: Timestamp) {
        self.state().reached = Some(now);
        self.changed.notify_one();
    }

    /// Triggers one job as soon as the loop comes by.
    pub(super) fn trigger(&self, id: Uuid) {
        self.set_next(id, Some(Timestamp::UNIX_EPOCH));
        self.changed.notify_one();
    }

    #[cfg(test)]
    pub(super) fn turns(&self) -> u64 {
        self.state().turns
    }

    /// What the loop is to be told now; `None` parks it.
    fn answer(&self) -> Option<Vec<JobAndNextTick>> {
        let mut state = self.state();
        let reached = state.reached.unwrap_or(Timestamp::UNIX_EPOCH);
        let due = state.jobs.values_mut().filter(|entry| entry.next.is_some_and(|next| next <= reached));
        let ticks: Vec<_> = due
            .take(BATCH)
            .map(|entry| {
                entry.next = None;
                let job_type = JobType::Cron.into();
                JobAndNextTick { id: entry.data.id, job_type, next_tick: LONG_AGO, last_tick: None }
            })
            .collect();
        (!ticks.is_empty() || state.visitors > 0).then_some(ticks)
    }
}

/// The storage itself.
pub(super) struct Storage(pub(super) Arc<Desk>);

impl DataStore<JobStoredData> for Storage {
    fn get(&mut self, id: Uuid) -> Answer<Option<JobStoredData>> {
        Box::pin(ready(Ok(self.0.state().jobs.get(&id).map(|entry| entry.data.clone()))))
    }

    fn add_or_update(&mut self, data: JobStoredData) -> Answer<()> {
        let added = data.id.as_ref().map(Uuid::from).map(|id| {
            // Without its pattern the crate does not work out a next tick of its own after each trigger.
            let data = JobStoredData { job: None, ..data };
            self.0.state().jobs.insert(id, Entry { data, next: None });
        });
        Box::pin(ready(added.ok_or(JobSchedulerError::CantAdd)))
    }

    fn delete(&mut self, id: Uuid) -> Answer<()> {
        self.0.state().jobs.remove(&id);
        Box::pin(ready(Ok(())))
    }
}

impl InitStore for Storage {
    fn init(&mut self) -> Answer<()> {
        Box::pin(ready(Ok(())))
    }

    fn inited(&mut self) -> Answer<bool> {
        Box::pin(ready(Ok(true)))
    }
}

impl MetaDataStorage for Storage {
    fn list_next_ticks(&mut self) -> Answer<Vec<JobAndNextTick>> {
        let desk = Arc::clone(&self.0);
        desk.state().turns += 1;
        Box::pin(async move {
            loop {
                if let Some(ticks) = desk.answer() {
                    return Ok(ticks);
                }
                desk.changed.notified().await;
            }
        })
    }

    fn set_next_and_last_tick(
        &mut self,
        _: Uuid,
        _: Option<DateTime<Utc>>,
        _: Option<DateTime<Utc>>,
    ) -> Answer<()> {
        Box::pin(ready(Ok(())))
    }

    fn time_till_next_job(&mut self) -> Answer<Option<std::time::Duration>> {
        Box::pin(ready(Ok(None)))
    }
}

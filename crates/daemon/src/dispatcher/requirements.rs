//! Runs that have something in their way: they look again every few minutes while their window is open, as one and the
//! same run, so that the history has one line of it.

use super::{Active, Dispatcher, ends::whole_second_after, follow};
use crate::{
    admission::Wait,
    run::{self, Looked, Looks, RunSpec, requirements},
    tell::Told,
};
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::zone;
use mastmaint_control::words::FollowEvent;
use mastmaint_words::RunId;
use std::time::{Duration, Instant};

/// A look at the host that is older says nothing about now.
const FRESH: Duration = Duration::from_mins(10);

/// What is in the way of a run.
#[derive(Debug)]
pub(super) struct InTheWay {
    /// It, as a sentence.
    why: String,
    /// How often it was looked at.
    looks: u32,
    /// When it is looked at again.
    again: Timestamp,
}

impl Dispatcher {
    /// Begins the looks of the runs that have to.
    pub(super) async fn begin_looks(&mut self) {
        let now = Timestamp::now();
        let due = |active: &Active| active.in_the_way.as_ref().is_none_or(|way| way.again <= now);
        let ready: Vec<RunId> = self
            .runs
            .iter()
            .filter(|(id, active)| self.admission.is_preparing(id) && !active.looking && due(active))
            .map(|(id, _)| id.clone())
            .collect();
        for id in ready {
            let late = self.runs.get(&id).filter(|active| !self.may_start(&active.spec, now));
            match late.and_then(|active| active.in_the_way.as_ref()) {
                Some(way) => {
                    let verdict = requirements::not_met(&way.why, way.looks);
                    self.end(&id, verdict).await;
                }
                None => self.look(&id, Looks::All),
            }
        }
    }

    pub(super) fn look(&mut self, id: &RunId, looks: Looks) {
        let (outside, news) = (self.outside.clone(), self.run_news.0.clone());
        if let Some(active) = self.runs.get_mut(id) {
            active.looking = true;
            run::spawn_look(active.spec.clone(), looks, outside, &active.handle, news);
        }
    }

    /// Whether a run that is about to start must look once more: it has waited since.
    pub(super) fn must_look_again(active: &Active) -> bool {
        let is_old = active.looked_at_host.is_none_or(|at| at.elapsed() > FRESH);
        active.spec.job.requires.is_some() && !active.spec.dry_run && active.started.is_none() && is_old
    }

    fn may_start(&self, spec: &RunSpec, at: Timestamp) -> bool {
        self.window_is_open(&spec.job_name, &spec.job, &spec.trigger, at)
    }

    /// Hears what came of the looks before a run.
    pub(super) async fn hear_look(&mut self, id: &RunId, looked: Looked) {
        match looked {
            Looked::Over(verdict) => {
                self.end(id, *verdict).await;
                self.look_at_slots().await;
            }
            Looked::NotNow(why) => {
                self.not_now(id, why).await;
                // It may have held a lock.
                self.look_at_slots().await;
            }
            Looked::Fine => {
                let Some(active) = self.runs.get_mut(id) else { return };
                active.looking = false;
                active.in_the_way = None;
                active.looked_at_host = Some(Instant::now());
                if self.admission.is_preparing(id) {
                    active.spec.looked = Some(Instant::now());
                    self.admission.enqueue_prepared(id);
                    self.admit().await;
                } else {
                    self.start(id, Timestamp::now());
                }
                self.answer_asker(id);
            }
        }
    }

    /// Something is in the way of a run: it looks again while its window is open, or is skipped.
    async fn not_now(&mut self, id: &RunId, why: String) {
        let Some(active) = self.runs.get(id) else { return };
        let looks = active.in_the_way.as_ref().map_or(0, |way| way.looks).saturating_add(1);
        let Some(again) = self.next_look(active, Timestamp::now()) else {
            return self.end(id, requirements::not_met(&why, looks)).await;
        };
        // If it had its lock already, others may have it meanwhile.
        let claim = self.claim(id);
        self.admission.release(id);
        self.admission.prepare(claim);
        let Some(active) = self.runs.get_mut(id) else { return };
        active.looking = false;
        let is_news = active.in_the_way.as_ref().is_none_or(|way| way.why != why);
        active.in_the_way = Some(InTheWay { why, looks, again });
        if is_news && let Some(why) = waits(active) {
            follow(&active.handle, FollowEvent::Waiting { why: why.clone() });
            self.outside.teller.of_run(&active.spec, Told::RunWaits { why });
        }
        self.answer_asker(id);
    }

    /// When a run that has something in its way looks again; not at all without a window, nor when that has closed by
    /// then. Whoever starts a run by hand sees what is in the way and decides.
    fn next_look(&self, active: &Active, now: Timestamp) -> Option<Timestamp> {
        let spec = &active.spec;
        let pause = spec.job.requires.as_ref()?.try_again?;
        spec.trigger.slot()?;
        let pause = SignedDuration::try_from(pause.get()).ok()?;
        let again = whole_second_after(now.checked_add(pause).ok()?);
        self.may_start(spec, again).then_some(again)
    }

    /// When the next run that has something in its way looks again.
    pub(super) fn next_look_again(&self) -> Option<Timestamp> {
        let waiting = self.runs.values().filter(|active| !active.looking);
        waiting.filter_map(|active| active.in_the_way.as_ref().map(|way| way.again)).min()
    }

    /// Why a run does not run yet, for people.
    pub(super) fn wait_of(&self, id: &RunId) -> Option<String> {
        let active = self.runs.get(id)?;
        let wait = self.admission.waits_for(id)?;
        Some(waits(active).unwrap_or_else(|| match wait {
            Wait::Look if !run::has_limits(&active.spec) => {
                "looks first whether something is in its way".to_owned()
            }
            wait => wait.to_string(),
        }))
    }

    /// Whoever asked for the run hears that it goes on.
    fn answer_asker(&mut self, id: &RunId) {
        if let Some(asker) = self.runs.get_mut(id).and_then(|active| active.asker.take()) {
            // It may have had enough of waiting.
            let _ = asker.send(self.is_queued(id));
        }
    }
}

/// `waits: pg_dump is running; looked 3 times, again at 00:45`.
fn waits(active: &Active) -> Option<String> {
    let way = active.in_the_way.as_ref()?;
    let again = way.again.to_zoned(zone::local()).strftime("%H:%M:%S").to_string();
    let times = if way.looks == 1 { "once".to_owned() } else { format!("{} times", way.looks) };
    Some(format!("waits: {}; looked {times}, again at {again}", way.why))
}

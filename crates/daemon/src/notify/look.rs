//! What the clock brings: jobs that are behind, reminders, summaries, messages that can be sent again.

use super::{
    Seen, send,
    state::{self, State},
    summary,
    task::Task,
};
use jiff::Timestamp;
use mastmaint_config::targets::TargetView;
use mastmaint_control::words::{OverdueLine, TargetLine};
use mastmaint_ledger::RunRecord;
use mastmaint_words::{JobName, Occasion, TargetKey};
use std::{collections::BTreeMap, time::Instant};
use tokio::sync::watch;

/// Runs that a summary looks through.
const MOST_RUNS: u32 = 500;

impl Task {
    /// Looks at everything that the clock can bring, and sends what can be sent.
    pub(super) async fn look(&mut self, now: Timestamp) {
        if !self.loaded {
            self.load(now).await;
        }
        self.look_at_incidents(now).await;
        let calm = now < self.calm;
        let (late, next_late) = if calm { (BTreeMap::new(), Some(self.calm)) } else { self.state.late(now) };
        self.late = late;
        let mut next = next_late;
        let mut sooner = |at: Option<Timestamp>| next = [next, at].into_iter().flatten().min();
        let names: Vec<JobName> = self.state.jobs.keys().cloned().collect();
        for job in names {
            sooner(self.look_at_job(&job, calm, now).await);
        }
        // What is being caught up may be the verification that is missing.
        if calm {
            self.aged.clear();
            sooner(Some(self.calm));
        } else {
            sooner(self.look_at_backups(now).await);
        }
        for key in self.state.begin_summaries(now) {
            self.owe(state::summary_row(&key, now), &[]).await;
        }
        let (due, next_summary) = self.state.due_summaries(now);
        sooner(next_summary);
        for (target, since) in due {
            self.summarise(&target, since, now).await;
        }
        let moment = self.awake.look(now, Instant::now());
        for parcel in self.state.outbox.expire(moment) {
            self.give_up(parcel).await;
        }
        while let Some(parcel) = self.state.outbox.take(now) {
            // What waits has a target: what has none is let go of when the configuration changes.
            let Some((position, _)) = self.state.target(&parcel.target) else { continue };
            let place = (self.state.view.digest.clone(), position);
            send::post(self.rooms.clone(), place, parcel, self.answers.clone());
        }
        sooner(self.state.outbox.next());
        self.next = next;
    }

    /// Tells what is due about a job; when the next thing will be.
    async fn look_at_job(&mut self, job: &JobName, calm: bool, now: Timestamp) -> Option<Timestamp> {
        let state = self.state.jobs.get_mut(job)?;
        if !calm {
            state.is_late(self.late.get(job).copied());
        }
        // A job that a person paused troubles nobody.
        if self.state.paused.contains(job) {
            return None;
        }
        let heard = |state: &State, occasion: Occasion| {
            (!calm || occasion != Occasion::Overdue) && !state.listeners(occasion, Some(job)).is_empty()
        };
        for say in self.state.jobs.get(job)?.due(now) {
            if heard(&self.state, say.occasion()) {
                self.say(job, &say, None, now).await;
            }
        }
        self.state.jobs.get(job)?.next(|occasion| heard(&self.state, occasion))
    }

    async fn summarise(&mut self, target: &TargetKey, since: Timestamp, now: Timestamp) {
        let known = self
            .recorder
            .with(|ledger| Ok((ledger.history(None, MOST_RUNS)?, ledger.space_trend()?, ledger.verified()?)));
        let (runs, space, verified) = known.await.unwrap_or_default();
        let jobs = self.state.target(target).map(|(_, view)| &view.jobs);
        let is_its_job = |job: &JobName| jobs.is_some_and(|jobs| jobs.is_empty() || jobs.contains(job));
        let wanted = |run: &RunRecord| {
            is_its_job(&run.job) && !run.dry_run && run.ended.is_some_and(|ended| ended > since)
        };
        let mut runs: Vec<RunRecord> = runs.into_iter().filter(wanted).collect();
        runs.reverse();
        let overdue = self.late.iter().map(|(job, slot)| (job.clone(), *slot)).collect();
        let backups = self.state.view.backups.keys();
        let backups = backups
            .filter(|name| self.state.verifying(name).any(|(job, _)| is_its_job(job)))
            .map(|name| {
                let verified = verified.iter().find(|known| known.report.backup == name.as_str()).cloned();
                (name.clone(), verified, self.aged.iter().any(|aged| aged.backup == *name))
            })
            .collect();
        let news = summary::News { runs, overdue, backups, space };
        let notice = summary::compose(&self.state.around(now), since, &news);
        self.state.summaries.insert(target.clone(), now);
        let parcels = self.state.parcels(std::slice::from_ref(target), &notice, true);
        self.owe(state::summary_row(target, now), &parcels).await;
        self.put(parcels).await;
    }

    pub(super) fn show(&self, shown: &watch::Sender<Seen>) {
        let overdue = self.late.iter().map(|(job, slot)| OverdueLine { job: job.clone(), slot: *slot });
        let target = |(position, key, view): (u16, TargetKey, &TargetView)| {
            let (failing, waiting) = self.state.outbox.of_target(&key);
            TargetLine { target: position + 1, kind: view.label.clone(), failing, waiting }
        };
        let targets = self.state.targets().map(target).collect();
        let overdue_backups = self.aged.clone();
        let seen = Seen { overdue: overdue.collect(), overdue_backups, targets };
        shown.send_if_modified(|old| {
            let changed = *old != seen;
            *old = seen;
            changed
        });
    }
}

//! What the task keeps: a state for each job, when each summary was sent, and the messages that wait. Changes of it are
//! written as one with the messages that follow from them.

use super::{
    compose::Surroundings,
    fresh::{BackupState, Sight},
    outbox::{Outbox, Parcel},
    overdue,
    policy::{JobState, Watched},
};
use crate::schedule::policy::{Seed, Terms};
use jiff::Timestamp;
use mastmaint_config::{accepted::DaemonView, zone};
use mastmaint_ledger::OwedMessage;
use mastmaint_runner::protocol::Notice;
use mastmaint_words::{BackupName, JobName, Occasion};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) view: Arc<DaemonView>,
    pub(super) seed: Seed,
    pub(super) paused: BTreeSet<JobName>,
    pub(super) jobs: BTreeMap<JobName, JobState>,
    /// The backups that must not be older than something.
    pub(super) backups: BTreeMap<BackupName, BackupState>,
    /// What their newest verifications saw.
    pub(super) sights: BTreeMap<BackupName, Sight>,
    /// When the summary of each target was sent last.
    pub(super) summaries: BTreeMap<u16, Timestamp>,
    pub(super) outbox: Outbox,
}

/// When a summary was sent, as the ledger keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct SummarySent {
    sent: Timestamp,
}

impl State {
    pub(super) fn new(view: Arc<DaemonView>, seed: Seed) -> Self {
        Self {
            view,
            seed,
            paused: BTreeSet::new(),
            jobs: BTreeMap::new(),
            backups: BTreeMap::new(),
            sights: BTreeMap::new(),
            summaries: BTreeMap::new(),
            outbox: Outbox::numbered_from(Timestamp::now()),
        }
    }

    /// Takes in what the ledger knows. What has happened meanwhile counts for more.
    pub(super) fn take_in(&mut self, tellings: BTreeMap<String, String>, messages: Vec<OwedMessage>) {
        for (subject, state) in tellings {
            match subject.split_once(':') {
                Some(("job", name)) => {
                    if let (Ok(job), Ok(state)) = (name.parse(), serde_json::from_str(&state)) {
                        let known = self.jobs.entry(job).or_default();
                        if !known.has_news() {
                            *known = state;
                        }
                    }
                }
                Some(("backup", name)) => {
                    if let (Ok(backup), Ok(state)) = (name.parse(), serde_json::from_str(&state)) {
                        self.backups.insert(backup, state);
                    }
                }
                Some(("summary", index)) => {
                    let sent = serde_json::from_str(&state).map(|SummarySent { sent }| sent);
                    if let (Ok(index), Ok(sent)) = (index.parse(), sent) {
                        self.summaries.entry(index).or_insert(sent);
                    }
                }
                _ => {}
            }
        }
        for OwedMessage { id, target, made, notice } in messages {
            if let Ok(notice) = serde_json::from_str(&notice) {
                // What the ledger holds was within the bound when it was put there.
                self.outbox.put(Parcel { id, target, made, notice, kept: true });
            }
        }
    }

    /// Where and when messages are written.
    pub(super) fn around(&self, now: Timestamp) -> Surroundings {
        let url = self.view.instance.as_ref().and_then(|instance| instance.url.as_deref());
        let host = url.and_then(|url| url.split_once("://")).map(|(_, rest)| rest.trim_end_matches('/'));
        let own = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let site = host.map(str::to_owned).or_else(own).unwrap_or_else(|| "this host".to_owned());
        Surroundings { site, zone: zone::local(), now }
    }

    /// The targets that want to hear of something.
    pub(super) fn listeners(&self, occasion: Occasion, job: Option<&JobName>) -> Vec<u16> {
        (0_u16..).zip(&self.view.notify).filter(|(_, t)| t.wants(occasion, job)).map(|(n, _)| n).collect()
    }

    /// Messages for these targets. Those that are kept are also as the ledger takes them.
    pub(super) fn parcels(&mut self, targets: &[u16], notice: &Notice, kept: bool) -> Vec<Parcel> {
        let parcel = |target: &u16| Parcel {
            id: self.outbox.number(),
            target: *target,
            made: notice.at,
            notice: notice.clone(),
            kept,
        };
        targets.iter().map(parcel).collect()
    }

    /// Watches each schedule from now on, or from when it was first seen as it is.
    /// Those that changed and those that are no more come back.
    pub(super) fn watch(&mut self, now: Timestamp) -> (Vec<JobName>, Vec<JobName>) {
        let view = Arc::clone(&self.view);
        let gone = self.jobs.keys().filter(|job| !view.jobs.contains_key(*job)).cloned().collect();
        self.jobs.retain(|job, _| view.jobs.contains_key(job));
        let mut changed = Vec::new();
        // Whoever verifies by hand sees what comes of it.
        for (name, job) in view.jobs.iter().filter(|(name, _)| !name.is_by_hand()) {
            let state = self.jobs.entry(name.clone()).or_default();
            let paused = self.paused.contains(name);
            let schedule = job.schedule.as_ref().filter(|_| !paused);
            let schedule = schedule.map(|s| format!("{} {}", s.as_str(), s.timezone_name()));
            if state.watched.as_ref().map(|watched| &watched.schedule) != schedule.as_ref() {
                state.watched = schedule.map(|schedule| Watched { since: now, schedule });
                changed.push(name.clone());
            }
        }
        (changed, gone)
    }

    /// The slots that jobs are behind with, and when the next one will be.
    pub(super) fn late(&self, now: Timestamp) -> (BTreeMap<JobName, Timestamp>, Option<Timestamp>) {
        let (mut late, mut next) = (BTreeMap::new(), None::<Timestamp>);
        for (name, job) in &self.view.jobs {
            let Some(deadline) = Terms::of(name, job, &self.seed)
                .and_then(|terms| overdue::deadline(&terms, self.jobs.get(name)?))
            else {
                continue;
            };
            if deadline.at <= now {
                late.insert(name.clone(), deadline.slot);
            } else {
                next = Some(next.map_or(deadline.at, |next| next.min(deadline.at)));
            }
        }
        (late, next)
    }

    /// Summaries that were not there before begin with the next night; which those are.
    pub(super) fn begin_summaries(&mut self, now: Timestamp) -> Vec<u16> {
        let wanted = (0_u16..).zip(&self.view.notify).filter(|(_, target)| target.summary.is_some());
        let begun: Vec<u16> =
            wanted.map(|(index, _)| index).filter(|index| !self.summaries.contains_key(index)).collect();
        self.summaries.extend(begun.iter().map(|index| (*index, now)));
        begun
    }

    /// The summaries that are due, with what they are about, and when the next one will be.
    pub(super) fn due_summaries(&self, now: Timestamp) -> (Vec<(u16, Timestamp)>, Option<Timestamp>) {
        let (mut due, mut next) = (Vec::new(), None::<Timestamp>);
        for (index, target) in (0_u16..).zip(&self.view.notify) {
            let Some(schedule) = &target.summary else { continue };
            let sent = self.summaries.get(&index).copied().unwrap_or(now);
            match schedule.next_after(sent) {
                Some(at) if at <= now => due.push((index, sent)),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        (due, next)
    }
}

/// A job's state as the ledger keeps it.
pub(super) fn job_row(job: &JobName, state: &JobState) -> (String, String) {
    // Plain strings, numbers and times: writing them cannot fail.
    (format!("job:{job}"), serde_json::to_string(state).unwrap_or_default())
}

/// A backup's state as the ledger keeps it.
pub(super) fn backup_row(backup: &BackupName, state: &BackupState) -> (String, String) {
    (format!("backup:{backup}"), serde_json::to_string(state).unwrap_or_default())
}

/// The time of a summary as the ledger keeps it.
pub(super) fn summary_row(index: u16, sent: Timestamp) -> (String, String) {
    (format!("summary:{index}"), serde_json::to_string(&SummarySent { sent }).unwrap_or_default())
}

/// A message as the ledger keeps it.
pub(super) fn owed(parcel: &Parcel) -> OwedMessage {
    let notice = serde_json::to_string(&parcel.notice).unwrap_or_default();
    OwedMessage { id: parcel.id, target: parcel.target, made: parcel.made, notice }
}

//! What the task keeps: a state for each job, when each summary was sent, and the messages that wait. Changes of it are
//! written as one with the messages that follow from them.

use super::{
    compose::Surroundings,
    fresh::{BackupState, Sight},
    incidents::ToldIncident,
    outbox::{Outbox, Parcel},
    overdue,
    policy::{JobState, Watched},
};
use crate::schedule::policy::{Seed, Terms};
use jiff::Timestamp;
use mastmaint_config::{accepted::DaemonView, targets::TargetView, zone};
use mastmaint_ledger::{Incident, OwedMessage};
use mastmaint_runner::protocol::Notice;
use mastmaint_words::{BackupName, JobName, Occasion, ProbeName, TargetKey};
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
    pub(super) summaries: BTreeMap<TargetKey, Timestamp>,
    /// What was told of each probe.
    pub(super) incidents: BTreeMap<ProbeName, ToldIncident>,
    /// Incidents of which it is not known yet whether they were told.
    pub(super) incidents_to_look_at: Vec<Incident>,
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
            incidents: BTreeMap::new(),
            incidents_to_look_at: Vec::new(),
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
                Some(("summary", key)) => {
                    let sent = serde_json::from_str(&state).map(|SummarySent { sent }| sent);
                    if let (Ok(key), Ok(sent)) = (key.parse(), sent) {
                        self.summaries.entry(key).or_insert(sent);
                    }
                }
                Some(("probe", name)) => {
                    if let (Ok(probe), Ok(told)) = (name.parse(), serde_json::from_str(&state)) {
                        self.incidents.entry(probe).or_insert(told);
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
        Surroundings { site: self.view.site(), zone: zone::local(), now }
    }

    /// The targets in their order: the position of each for the notify room, its key for everything that is kept.
    pub(super) fn targets(&self) -> impl Iterator<Item = (u16, TargetKey, &TargetView)> {
        (0_u16..).zip(&self.view.notify).filter_map(|(position, view)| {
            let of_an_old_view = || format!("position-{}", position + 1).parse().ok();
            Some((position, view.key.clone().or_else(of_an_old_view)?, view))
        })
    }

    /// Where a target stands now, if it is still there.
    pub(super) fn target(&self, key: &TargetKey) -> Option<(u16, &TargetView)> {
        self.targets().find(|(_, other, _)| other == key).map(|(position, _, view)| (position, view))
    }

    /// The targets that want to hear of something.
    pub(super) fn listeners(&self, occasion: Occasion, job: Option<&JobName>) -> Vec<TargetKey> {
        self.targets().filter(|(_, _, view)| view.wants(occasion, job)).map(|(_, key, _)| key).collect()
    }

    /// What was kept for targets that are no more: the messages that wait, and whose summaries they were.
    pub(super) fn without_targets(&mut self) -> (Vec<Parcel>, Vec<TargetKey>) {
        let keys: BTreeSet<TargetKey> = self.targets().map(|(_, key, _)| key).collect();
        let parcels = self.outbox.without_target(|key| keys.contains(key));
        let gone = self.summaries.keys().filter(|key| !keys.contains(*key)).cloned().collect();
        self.summaries.retain(|key, _| keys.contains(key));
        (parcels, gone)
    }

    /// What lies ahead of now was written by a clock that was ahead: it counts as of now, or whoever it is about would
    /// hear nothing for as long as the clock was ahead. The jobs whose state that changes.
    pub(super) fn cut(&mut self, now: Timestamp) -> Vec<JobName> {
        self.outbox.cut(now);
        for sent in self.summaries.values_mut() {
            *sent = (*sent).min(now);
        }
        let cut = self.jobs.iter_mut().filter_map(|(name, state)| state.cut(now).then(|| name.clone()));
        cut.collect()
    }

    /// Messages for these targets. Those that are kept are also as the ledger takes them.
    pub(super) fn parcels(&mut self, targets: &[TargetKey], notice: &Notice, kept: bool) -> Vec<Parcel> {
        let parcel = |target: &TargetKey| Parcel {
            id: self.outbox.number(),
            target: target.clone(),
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
                .and_then(|terms| overdue::deadline(&terms, job.lock_wait, self.jobs.get(name)?))
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
    pub(super) fn begin_summaries(&mut self, now: Timestamp) -> Vec<TargetKey> {
        let wanted = self.targets().filter(|(_, _, view)| view.summary.is_some()).map(|(_, key, _)| key);
        let begun: Vec<TargetKey> = wanted.filter(|key| !self.summaries.contains_key(key)).collect();
        self.summaries.extend(begun.iter().map(|key| (key.clone(), now)));
        begun
    }

    /// The summaries that are due, with what they are about, and when the next one will be.
    pub(super) fn due_summaries(&self, now: Timestamp) -> (Vec<(TargetKey, Timestamp)>, Option<Timestamp>) {
        let (mut due, mut next) = (Vec::new(), None::<Timestamp>);
        for (_, key, view) in self.targets() {
            let Some(schedule) = &view.summary else { continue };
            let sent = self.summaries.get(&key).copied().unwrap_or(now);
            match schedule.next_after(sent) {
                Some(at) if at <= now => due.push((key, sent)),
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
pub(super) fn summary_row(key: &TargetKey, sent: Timestamp) -> (String, String) {
    (format!("summary:{key}"), serde_json::to_string(&SummarySent { sent }).unwrap_or_default())
}

/// A message as the ledger keeps it.
pub(super) fn owed(parcel: &Parcel) -> OwedMessage {
    let notice = serde_json::to_string(&parcel.notice).unwrap_or_default();
    OwedMessage { id: parcel.id, target: parcel.target.clone(), made: parcel.made, notice }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "{mail: root, on: [summary, failed]}";
    const HOOK: &str = "{webhook: 'https://a.example/x', on: [summary]}";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn view(targets: &str) -> Arc<DaemonView> {
        let text = format!("jobs: {{a: {{steps: [{{run: /bin/true}}]}}}}\nnotify: [{targets}]\n");
        let loaded = mastmaint_config::load_str("m.yaml", &text).unwrap();
        Arc::new(loaded.settings.daemon_view(loaded.digest))
    }

    #[test]
    fn an_edit_of_the_list_moves_nothing_from_one_target_to_another() {
        let (noon, night) = (at("2026-11-24T12:00:00Z"), at("2026-11-25T06:00:00Z"));
        let mut state = State::new(view(MAIL), Seed::new("seed"));
        state.begin_summaries(noon);
        let of_mail = state.listeners(Occasion::Failed, None);
        let notice = state.around(noon).notice(Occasion::Failed, "a failed", "");
        for parcel in state.parcels(&of_mail, &notice, true) {
            state.outbox.put(parcel);
        }
        state.view = view(&format!("{HOOK}, {MAIL}"));
        assert_eq!(state.without_targets(), (Vec::new(), Vec::new()));
        assert_eq!(state.target(&of_mail[0]).unwrap().0, 1, "the second now");
        let begun = state.begin_summaries(night);
        assert!(begun.len() == 1 && begun != of_mail, "only the new one begins: {begun:?}");
        assert_eq!(state.summaries[&of_mail[0]], noon);
        state.view = view(HOOK);
        let (gone, summaries) = state.without_targets();
        assert_eq!((gone.len(), &gone[0].target), (1, &of_mail[0]));
        assert_eq!(summaries, of_mail);
        assert_eq!(state.outbox.waiting().count(), 0);
    }

    #[test]
    fn a_clock_that_was_ahead_is_forgotten() {
        let (now, ahead) = (at("2026-11-24T12:00:00Z"), at("2027-12-31T00:00:00Z"));
        let mut state = State::new(view(MAIL), Seed::new("seed"));
        let key = state.begin_summaries(ahead).remove(0);
        let job: JobName = "a".parse().unwrap();
        state.watch(ahead);
        state.jobs.entry(job.clone()).or_default().begun(ahead);
        assert_eq!(state.cut(now), std::slice::from_ref(&job));
        assert_eq!((state.summaries[&key], state.jobs[&job].attended), (now, Some(now)));
        let (_, next) = state.due_summaries(now);
        assert!(next.unwrap() < at("2026-11-26T00:00:00Z"), "{next:?}");
        assert!(state.cut(now).is_empty());
    }
}

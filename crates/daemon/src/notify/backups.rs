//! Backups that are not known to be fresh: looked at by the daemon's own clock, because a verification that does not
//! run says nothing. And what a person has acknowledged of what verifications found.

use super::{
    fresh::{BackupState, Sight},
    policy::JobState,
    state::{self, State},
    task::Task,
};
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::settings::{Action, Job, Step};
use mastmaint_control::words::OverdueBackup;
use mastmaint_ledger::{StepRecord, Verified};
use mastmaint_words::{
    BackupName, JobName, Occasion, RunId,
    backup::{Backup, FindingId, Severity},
    human,
};
use std::collections::BTreeSet;

/// What a run found in backups.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What nobody has acknowledged.
    pub(super) findings: BTreeSet<FindingId>,
    /// All that is not well in the run is acknowledged, by this one last.
    pub(super) known_by: Option<u32>,
}

impl State {
    /// Watches each backup from now on, or from when it was first seen. Those that changed and those that are no more
    /// come back.
    pub(super) fn watch_backups(&mut self, now: Timestamp) -> (Vec<BackupName>, Vec<BackupName>) {
        // Whether one that another host keeps is fresh is told there, and looked at when it is restored.
        let is_watched = |b: &Backup| b.max_age.is_some() && !b.place.is_pulled();
        let wanted = |name: &BackupName| self.view.backups.get(name).is_some_and(is_watched);
        let gone: Vec<_> = self.backups.keys().filter(|name| !wanted(name)).cloned().collect();
        let new: Vec<_> = self.view.backups.keys().filter(|name| wanted(name)).cloned().collect();
        let new: Vec<_> = new.into_iter().filter(|name| !self.backups.contains_key(name)).collect();
        self.backups.retain(|name, _| !gone.contains(name));
        self.backups.extend(new.iter().map(|name| (name.clone(), BackupState::watched_from(now))));
        (new, gone)
    }

    /// The backups that are not known to be fresh, and when the next one will be.
    pub(super) fn stale(&self, now: Timestamp) -> (Vec<OverdueBackup>, Option<Timestamp>) {
        let (mut stale, mut next) = (Vec::new(), None::<Timestamp>);
        for (name, state) in &self.backups {
            let max_age = self.view.backups.get(name).and_then(|backup| backup.max_age);
            let Some(max_age) = max_age.and_then(|span| SignedDuration::try_from(span.get()).ok()) else {
                continue;
            };
            let sight = self.sights.get(name).copied();
            let since = state.deadline(max_age, sight, self.verifying(name).map(|(_, job)| job));
            if since <= now {
                let (verified, newest) = (sight.map(|s| s.verified), sight.and_then(|s| s.newest));
                stale.push(OverdueBackup { backup: name.clone(), since, verified, newest });
            } else {
                next = Some(next.map_or(since, |next| next.min(since)));
            }
        }
        (stale, next)
    }

    /// The jobs that verify a backup by schedule and are not paused.
    pub(super) fn verifying(&self, backup: &BackupName) -> impl Iterator<Item = (&JobName, &Job)> {
        let jobs = self.view.jobs.iter().filter(|(name, _)| !self.paused.contains(*name));
        jobs.filter(move |(_, job)| job.schedule.is_some() && job.verifies(backup))
    }
}

impl Task {
    /// What the ledger knows of backups; what it cannot say now stays as it was.
    pub(super) async fn see_backups(&mut self) {
        if self.state.view.backups.is_empty() {
            return;
        }
        if let Ok(known) = self.recorder.with(|ledger| ledger.verified()).await {
            let sight = |known: &Verified| Some((known.report.backup.parse().ok()?, Sight::from(known)));
            self.state.sights = known.iter().filter_map(sight).collect();
        }
    }

    /// Tells what is due about backups; when the next thing will be.
    pub(super) async fn look_at_backups(&mut self, now: Timestamp) -> Option<Timestamp> {
        let (overdue, mut next) = self.state.stale(now);
        let names: Vec<BackupName> = self.state.backups.keys().cloned().collect();
        for name in names {
            let late = overdue.iter().find(|late| late.backup == name);
            let Some(state) = self.state.backups.get(&name).cloned() else { continue };
            match late {
                Some(_) if state.reminds_at() > now => {
                    next = Some(next.map_or(state.reminds_at(), |next| next.min(state.reminds_at())));
                }
                Some(late) => {
                    let (subject, text) = self.overdue_words(late, state.told.is_some(), now);
                    let told = self.tell_of(&name, Occasion::Overdue, &subject, &text, Some(now), now).await;
                    let again = told.then(|| BackupState { told: Some(now), ..state }.reminds_at());
                    next = [next, again].into_iter().flatten().min();
                }
                None if state.told.is_some() => {
                    let subject = format!("backup {name} is fresh again");
                    let text = format!("{subject}.\n\nTo look closer:\n  mastmaintctl backup {name}\n");
                    self.tell_of(&name, Occasion::Recovered, &subject, &text, None, now).await;
                }
                None => {}
            }
        }
        self.aged = overdue;
        next
    }

    fn overdue_words(&self, late: &OverdueBackup, again: bool, now: Timestamp) -> (String, String) {
        let name = &late.backup;
        let around = self.state.around(now);
        let seen = match (late.newest, late.verified) {
            (Some(newest), _) => format!("the newest that was seen was made {}", human::ago(now, newest)),
            (None, Some(_)) => "none was there when it was verified last".to_owned(),
            (None, None) => "it was never verified".to_owned(),
        };
        let verified = late.verified.map_or_else(
            || "It was never verified.".to_owned(),
            |at| format!("It was verified last on {}, {}.", around.clock(at), human::ago(now, at)),
        );
        let still = if again { "still not" } else { "not" };
        let subject = format!("backup {name} is {still} known to be fresh: {seen}");
        let text = format!(
            "{subject}.\n{verified} Since then nobody has looked: see whether the job that verifies it is paused, held or \
             fails.\n\nTo look closer:\n  mastmaintctl backup {name}\n  mastmaintctl verify {name} --follow\n"
        );
        (subject, text)
    }

    /// Tells those who want to hear of it; whether there was anybody. Kept with what is known then.
    async fn tell_of(
        &mut self,
        backup: &BackupName,
        occasion: Occasion,
        subject: &str,
        text: &str,
        told: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        // Who hears of the job hears of its backup.
        let job = self.state.verifying(backup).map(|(name, _)| name.clone()).next();
        let listeners = self.state.listeners(occasion, job.as_ref());
        if listeners.is_empty() && told.is_some() {
            return false;
        }
        let around = self.state.around(now);
        let notice = around.notice(occasion, &around.subject(subject), text);
        let parcels = self.state.parcels(&listeners, &notice, true);
        if let Some(state) = self.state.backups.get_mut(backup) {
            state.told = told;
        }
        self.keep_backup(backup, &parcels).await;
        self.put(parcels).await;
        true
    }

    pub(super) async fn keep_backup(&self, backup: &BackupName, parcels: &[super::outbox::Parcel]) {
        if let Some(state) = self.state.backups.get(backup) {
            self.owe(state::backup_row(backup, state), parcels).await;
        }
    }

    /// What a run that did not end well found in backups.
    pub(super) async fn found(&self, job: &JobName, run: &RunId, now: Timestamp) -> Found {
        let Some(definition) = self.state.view.jobs.get(job) else { return Found::default() };
        let is_verify = |step: &Step| matches!(step.action, Action::Verify(_));
        if !definition.steps.iter().any(is_verify) {
            return Found::default();
        }
        let id = run.clone();
        let asked =
            self.recorder.with(move |ledger| Ok((ledger.run(&id)?, ledger.verified()?, ledger.findings()?)));
        let Ok((Some(run), verified, mut found)) = asked.await else { return Found::default() };
        // What another run has verified since says nothing of this one.
        let of_this = |name: &BackupName| {
            verified.iter().any(|known| known.report.backup == name.as_str() && known.run == run.run.id)
        };
        found.retain(|name, _| of_this(name));
        for findings in found.values_mut() {
            findings.retain(|f| f.finding.severity > Severity::Info);
        }
        let bad = |step: &&StepRecord| step.end.as_ref().is_some_and(|end| !end.verdict.outcome.is_fine());
        // A step that failed without having found anything failed for another reason.
        let is_explained = |step: &StepRecord| {
            let action = definition.steps.get(usize::from(step.key.step.0)).map(|step| &step.action);
            let Some(Action::Verify(action)) = action else { return false };
            found.get(&action.backup).is_some_and(|findings| !findings.is_empty())
        };
        let all_explained = run.steps.iter().filter(bad).all(is_explained);
        let open = found.values().flatten().filter(|f| !f.is_acknowledged(now)).map(|f| f.id);
        let findings: BTreeSet<FindingId> = open.collect();
        let acks = found.values().flatten().filter_map(|finding| finding.ack);
        let last = acks.max_by_key(|ack| ack.at).map(|ack| ack.uid);
        let known_by = last.filter(|_| findings.is_empty() && all_explained);
        Found { findings, known_by }
    }

    /// A person has acknowledged a finding: jobs that are not well for nothing else trouble nobody any more.
    pub(super) async fn findings_acknowledged(&mut self, now: Timestamp) {
        let with_findings = |(job, state): (&JobName, &JobState)| {
            state.run_with_findings().map(|run| (job.clone(), run.clone()))
        };
        let runs: Vec<(JobName, RunId)> = self.state.jobs.iter().filter_map(with_findings).collect();
        for (job, run) in runs {
            let found = self.found(&job, &run, now).await;
            if let Some(state) = self.state.jobs.get_mut(&job) {
                state.acknowledged(found.findings, found.known_by);
            }
            self.keep(&job, &[]).await;
        }
    }
}

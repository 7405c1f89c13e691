//! Messages on their way, and what is kept of all this in the ledger.

use super::{
    incidents,
    outbox::{Change, Parcel},
    send::Answer,
    state,
    task::Task,
};
use crate::{
    recorder::Owed,
    tell::{Telling, Told},
};
use jiff::Timestamp;
use mastmaint_config::targets::TargetView;
use mastmaint_words::{JobName, TargetKey};
use std::collections::BTreeMap;

impl Task {
    pub(super) async fn sent(&mut self, Answer { parcel, error }: Answer) {
        let now = Timestamp::now();
        let told = error.is_none();
        let label = self.label(&parcel.target);
        match self.state.outbox.sent(&parcel, error.clone(), now) {
            Some(Change::Failing) => {
                let why = error.unwrap_or_default();
                self.teller.of_daemon(Told::Telling(Telling::NotTold { target: label, why }));
            }
            Some(Change::Again) => self.teller.of_daemon(Told::Telling(Telling::ToldAgain { target: label })),
            None => {}
        }
        if told {
            self.settle(&parcel).await;
        }
    }

    pub(super) async fn put(&mut self, parcels: Vec<Parcel>) {
        for parcel in parcels {
            for surplus in self.state.outbox.put(parcel) {
                self.give_up(surplus).await;
            }
        }
    }

    pub(super) async fn give_up(&self, parcel: Parcel) {
        if parcel.kept {
            let (target, subject) = (self.label(&parcel.target), parcel.notice.subject.clone());
            self.teller.of_daemon(Told::Telling(Telling::MessageGivenUp { target, subject }));
        }
        self.settle(&parcel).await;
    }

    /// Gives up what was kept for targets that are no more; `labels` says what people called them.
    pub(super) async fn let_go_of_targets(&mut self, labels: &BTreeMap<TargetKey, String>) {
        let (parcels, summaries) = self.state.without_targets();
        for parcel in parcels {
            if parcel.kept {
                let target = labels.get(&parcel.target).cloned();
                let subject = parcel.notice.subject.clone();
                self.teller.of_daemon(Told::Telling(Telling::TargetGone { target, subject }));
            }
            self.settle(&parcel).await;
        }
        for key in summaries.into_iter().filter(|_| self.loaded) {
            let (subject, _) = state::summary_row(&key, Timestamp::UNIX_EPOCH);
            let _ = self.recorder.owe(Owed::Tell { subject, state: None, messages: Vec::new() }).await;
        }
    }

    /// What people call the targets.
    pub(super) fn labels(&self) -> BTreeMap<TargetKey, String> {
        self.state.targets().map(|(position, key, view)| (key, label(position, view))).collect()
    }

    pub(super) async fn settle(&self, parcel: &Parcel) {
        if parcel.kept {
            // What cannot be written now is written when it can; the ledger's own news says that it cannot.
            let _ = self.recorder.owe(Owed::Settle { message: parcel.id }).await;
        }
    }

    pub(super) async fn keep(&self, job: &JobName, parcels: &[Parcel]) {
        if let Some(kept) = self.state.jobs.get(job) {
            self.owe(state::job_row(job, kept), parcels).await;
        }
    }

    pub(super) async fn owe(&self, (subject, state): (String, String), parcels: &[Parcel]) {
        if !self.loaded {
            // It would replace what the ledger knows and nobody has read yet; all of it is written after that.
            return;
        }
        let (state, messages) = (Some(state), parcels.iter().map(state::owed).collect());
        let _ = self.recorder.owe(Owed::Tell { subject, state, messages }).await;
    }

    pub(super) async fn write_again(&self) {
        for job in self.state.jobs.keys() {
            self.keep(job, &[]).await;
        }
        for backup in self.state.backups.keys() {
            self.keep_backup(backup, &[]).await;
        }
        for (key, sent) in &self.state.summaries {
            self.owe(state::summary_row(key, *sent), &[]).await;
        }
        for (probe, told) in &self.state.incidents {
            self.owe(incidents::row(probe, *told), &[]).await;
        }
        let kept: Vec<Parcel> = self.state.outbox.waiting().filter(|parcel| parcel.kept).cloned().collect();
        // A message belongs to the state that it follows from; here any will do.
        let of_job = self.state.jobs.iter().next().map(|(job, kept)| state::job_row(job, kept));
        let any =
            of_job.or_else(|| self.state.incidents.iter().next().map(|(p, told)| incidents::row(p, *told)));
        if let Some(row) = any.filter(|_| !kept.is_empty()) {
            self.owe(row, &kept).await;
        }
    }

    fn label(&self, target: &TargetKey) -> String {
        // One that is gone has just taken a last message, or not.
        self.state.target(target).map_or_else(|| "(gone)".to_owned(), |(at, view)| label(at, view))
    }
}

fn label(position: u16, view: &TargetView) -> String {
    format!("{} ({})", position + 1, view.label)
}

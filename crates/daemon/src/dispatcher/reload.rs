//! Taking a new configuration into force, or saying why not. The check runs as a task of its own while the loop goes
//! on; what it finds comes back as a message. A configuration that is refused changes nothing.

use super::{Dispatcher, Order, reply};
use crate::{
    accept::{self, Accepted, Refusal},
    notify::Fact,
    probes::Heard,
    recorder::Owed,
    tell::Told,
};
use jiff::Timestamp;
use mastmaint_config::settings::Job;
use mastmaint_control::words::Reply;
use mastmaint_words::{Digest, JobName};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What a check of the configuration found.
#[derive(Debug)]
pub struct ReloadDone(Result<Accepted, Refusal>);

/// Whether a check is under way, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Reload {
    pub(super) checking: bool,
    waiting: Vec<mpsc::Sender<Reply>>,
    /// Asked for while a check was under way: the file may have changed since that one read it.
    again: bool,
    waiting_for_again: Vec<mpsc::Sender<Reply>>,
}

impl Dispatcher {
    /// Begins a check; `client` hears how it ended.
    pub(super) fn begin_reload(&mut self, client: Option<mpsc::Sender<Reply>>) {
        if self.reload.checking {
            self.reload.again = true;
            self.reload.waiting_for_again.extend(client);
            return;
        }
        self.reload.checking = true;
        self.reload.waiting.extend(client);
        // Only for systemd's display; the reload goes on whether or not it hears of it.
        let _ = self.notifier.reloading();
        let (rooms, store, orders) = (self.outside.rooms.clone(), self.store.clone(), self.orders.clone());
        let in_use = self.ledger_known.then(|| self.digests_in_use());
        tokio::spawn(async move {
            let done = accept::accept(&rooms, &store, in_use).await;
            // The dispatcher is gone only when the daemon is.
            let _ = orders.send(Order::ReloadDone(ReloadDone(done))).await;
        });
    }

    /// Digests that must stay stored: the one in force and those that runs follow.
    pub(super) fn digests_in_use(&self) -> Vec<Digest> {
        let mut digests: BTreeSet<_> = self.runs.values().map(|active| active.spec.digest.clone()).collect();
        digests.insert(self.config.view.digest.clone());
        digests.into_iter().collect()
    }

    pub(super) async fn finish_reload(&mut self, ReloadDone(done): ReloadDone) {
        let answer = match done {
            Ok(accepted) => {
                let answer = Reply::Reloaded {
                    digest: accepted.view.digest.clone(),
                    warnings: accepted.warnings.clone(),
                };
                self.take_into_force(accepted).await;
                answer
            }
            Err(refusal) => {
                let mistakes = refusal.mistakes();
                self.config.refused.clone_from(&mistakes);
                self.config.refused_at = Some(Timestamp::now());
                self.outside.teller.of_daemon(Told::ConfigRefused { mistakes: mistakes.clone() });
                Reply::ReloadRefused { mistakes }
            }
        };
        self.reload.checking = false;
        self.sentence = self.sentence_now(Timestamp::now());
        let _ = self.notifier.ready(&self.sentence);
        for client in std::mem::take(&mut self.reload.waiting) {
            reply(&client, answer.clone()).await;
        }
        if std::mem::take(&mut self.reload.again) {
            self.reload.waiting = std::mem::take(&mut self.reload.waiting_for_again);
            self.begin_reload(None);
        }
    }

    async fn take_into_force(&mut self, accepted: Accepted) {
        let old = std::mem::replace(&mut self.config.view, accepted.view);
        self.config.warnings = accepted.warnings;
        self.config.refused.clear();
        let now = Timestamp::now();
        if old.digest != self.config.view.digest {
            self.config.since = now;
        }
        let view = self.config.view.clone();
        let changes = Changes::between(&old.jobs, &view.jobs);
        for gone in &changes.removed {
            self.drop_retry(gone).await;
            self.next.remove(gone);
            self.marks.remove(gone);
        }
        for new in changes.added.iter().chain(&changes.scheduled) {
            // It may have been here before: what came due while it was not is nobody's loss.
            self.begin_schedule_afresh(new).await;
        }
        self.outside.teller.of_daemon(Told::ConfigAccepted {
            digest: view.digest.clone(),
            warnings: self.config.warnings.clone(),
            changes: changes.sentence(),
        });
        self.watch(Heard::Config(Arc::clone(&view)));
        self.notify(Fact::Config(view));
        // Slots that came while the check ran are looked at with the marks of the old schedule where the schedule is
        // the same, and from now where it is not.
        self.look_at_slots().await;
    }

    /// Forgets that a job was to be tried again.
    pub(super) async fn drop_retry(&mut self, job: &JobName) {
        if self.retries.remove(job).is_some() {
            // What cannot be written now is written when it can.
            let _ = self.outside.recorder.owe(Owed::DropRetry { job: job.clone() }).await;
        }
    }
}

/// What differs between two configurations, for the journal.
struct Changes<'a> {
    added: Vec<&'a JobName>,
    changed: Vec<&'a JobName>,
    removed: Vec<JobName>,
    /// Jobs that were runbooks and have a schedule now.
    scheduled: Vec<&'a JobName>,
}

type Jobs = std::collections::BTreeMap<JobName, Job>;

impl<'a> Changes<'a> {
    fn between(old: &Jobs, new: &'a Jobs) -> Self {
        Self {
            added: new.keys().filter(|name| !old.contains_key(*name)).collect(),
            changed: new
                .iter()
                .filter(|(name, job)| old.get(*name).is_some_and(|o| o != *job))
                .map(|(n, _)| n)
                .collect(),
            scheduled: new
                .iter()
                .filter(|(name, job)| {
                    job.schedule.is_some() && old.get(*name).is_some_and(|o| o.schedule.is_none())
                })
                .map(|(name, _)| name)
                .collect(),
            removed: old.keys().filter(|name| !new.contains_key(*name)).cloned().collect(),
        }
    }

    fn sentence(&self) -> String {
        let list = |what: &str, names: &mut dyn Iterator<Item = &JobName>| {
            let names: Vec<_> = names.map(JobName::as_str).collect();
            (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
        };
        let parts: Vec<_> = [
            list("added", &mut self.added.iter().copied()),
            list("changed", &mut self.changed.iter().copied()),
            list("removed", &mut self.removed.iter()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() { "no job changed".to_owned() } else { parts.join("; ") }
    }
}

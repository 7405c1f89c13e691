//! The task: hears facts, writes down what follows from them, sends, and sleeps until something is due.

use super::{
    Fact, Seen,
    fresh::BackupState,
    policy::{Ack, JobState},
    send::{self, Answer},
    state::{self, State},
};
use crate::{
    recorder::{Owed, Recorder},
    room::Rooms,
    schedule::{clock::Awake, policy::Seed},
    tell::Teller,
};
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::accepted::DaemonView;
use mastmaint_control::words::OverdueBackup;
use mastmaint_words::{JobName, Occasion};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// Sleeps are cut to this: the clock may be set, and a host that sleeps takes the time along.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);
/// A start or a jump of the clock is given this long until every job has begun what it can.
const CALM: SignedDuration = SignedDuration::from_mins(10);
/// How soon a ledger that could not be read is tried again.
const LOAD_AGAIN: Duration = Duration::from_mins(1);

/// What the task needs.
#[derive(Debug)]
pub struct Needs {
    /// The way to the notify room.
    pub rooms: Rooms,
    /// Where what was told is kept.
    pub recorder: Recorder,
    /// Where it is said that somebody cannot be told.
    pub teller: Teller,
    /// What the random delays of this host are made of.
    pub seed: Seed,
    /// The configuration in force.
    pub view: Arc<DaemonView>,
}

/// The task and what it keeps.
pub(super) struct Task {
    pub(super) rooms: Rooms,
    pub(super) recorder: Recorder,
    pub(super) teller: Teller,
    pub(super) state: State,
    /// Whether the ledger has been read.
    pub(super) loaded: bool,
    /// The slots that jobs are behind with.
    pub(super) late: BTreeMap<JobName, Timestamp>,
    /// The backups that are not known to be fresh.
    pub(super) aged: Vec<OverdueBackup>,
    /// Until then nothing is called overdue: what came due while nobody was there is being caught up.
    pub(super) calm: Timestamp,
    /// Since when the clock goes evenly.
    pub(super) awake: Awake,
    /// When something is due next.
    pub(super) next: Option<Timestamp>,
    pub(super) answers: mpsc::UnboundedSender<Answer>,
}

/// Runs until nobody tells it anything any more.
pub(super) async fn run(needs: Needs, mut heard: mpsc::UnboundedReceiver<Fact>, shown: watch::Sender<Seen>) {
    let (answers, mut answered) = mpsc::unbounded_channel();
    let Needs { rooms, recorder, teller, seed, view } = needs;
    let state = State::new(view, seed);
    let (late, next) = (BTreeMap::new(), None);
    let calm = calm_from(Timestamp::now());
    let awake = Awake::new(Timestamp::now(), Instant::now());
    let aged = Vec::new();
    let mut task =
        Task { rooms, recorder, teller, state, loaded: false, late, aged, calm, awake, next, answers };
    loop {
        task.look(Timestamp::now()).await;
        task.show(&shown);
        tokio::select! {
            fact = heard.recv() => match fact {
                Some(fact) => task.hear(fact).await,
                None => return,
            },
            Some(answer) = answered.recv() => task.sent(answer).await,
            () = tokio::time::sleep(task.sleep(Timestamp::now())) => {}
        }
    }
}

fn calm_from(now: Timestamp) -> Timestamp {
    now.saturating_add(CALM).unwrap_or(now)
}

impl Task {
    fn sleep(&self, now: Timestamp) -> Duration {
        let longest = if self.loaded { LONGEST_SLEEP } else { LOAD_AGAIN };
        let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
        self.next.map_or(longest, |at| until(at).min(longest))
    }

    /// What the ledger knows comes first: without it somebody would be told again.
    pub(super) async fn load(&mut self, now: Timestamp) {
        let known = self.recorder.with(|ledger| Ok((ledger.tellings()?, ledger.owed_messages()?))).await;
        if let Ok((tellings, messages)) = known {
            self.state.take_in(tellings, messages);
            self.loaded = true;
            // All of it is written again below.
            self.state.cut(now);
            self.watch(now).await;
            self.let_go_of_targets(&self.labels()).await;
            self.write_again().await;
        } else {
            self.watch(now).await;
        }
    }

    async fn watch(&mut self, now: Timestamp) {
        let (changed, gone) = self.state.watch(now);
        for job in changed {
            self.keep(&job, &[]).await;
        }
        for job in gone.into_iter().filter(|_| self.loaded) {
            let (subject, _) = state::job_row(&job, &JobState::default());
            let _ = self.recorder.owe(Owed::Tell { subject, state: None, messages: Vec::new() }).await;
        }
        self.see_backups().await;
        let (new, gone) = self.state.watch_backups(now);
        for backup in new {
            self.keep_backup(&backup, &[]).await;
        }
        for backup in gone.into_iter().filter(|_| self.loaded) {
            let (subject, _) = state::backup_row(&backup, &BackupState::watched_from(now));
            let _ = self.recorder.owe(Owed::Tell { subject, state: None, messages: Vec::new() }).await;
        }
    }

    async fn hear(&mut self, fact: Fact) {
        let now = Timestamp::now();
        match fact {
            Fact::Config(view) => {
                let labels = self.labels();
                self.state.view = view;
                self.let_go_of_targets(&labels).await;
                self.state.outbox.try_again();
                self.watch(now).await;
            }
            Fact::Paused(paused) => {
                self.state.paused = paused;
                self.watch(now).await;
            }
            Fact::Began { job, run, at } => {
                if let Some(state) = self.state.jobs.get_mut(&job) {
                    state.begun(at);
                    self.keep(&job, &[]).await;
                }
                self.ping(&job, Occasion::Started, &run, None, now);
            }
            Fact::Ended(record) => {
                self.see_backups().await;
                self.ended(*record, now, false).await;
            }
            Fact::Remembered(record) => self.ended(*record, now, true).await,
            Fact::Incident(incident) => self.incident(*incident, now).await,
            Fact::Ack { job, until, uid, answer } => {
                let state = self.state.jobs.get_mut(&job);
                let wrong = state.is_some_and(|state| state.acknowledge(Ack { until, uid }));
                if wrong {
                    self.keep(&job, &[]).await;
                }
                // Whoever asked may be gone.
                let _ = answer.send(wrong);
            }
            Fact::FindingAcknowledged => self.findings_acknowledged(now).await,
            Fact::Test { target, answer } => {
                let around = self.state.around(now);
                let text = "mastmaintd sends this because somebody ran `mastmaintctl notify test`.\n";
                let notice = around.notice(Occasion::Test, &around.subject("this is a test"), text);
                let answers = send::test(self.rooms.clone(), Arc::clone(&self.state.view), target, notice);
                tokio::spawn(async move {
                    let _ = answer.send(answers.await);
                });
            }
            // Everything is looked at after every fact; the slots of the time that was skipped are being dealt with.
            Fact::ClockStepped => {
                self.calm = calm_from(now);
                for job in self.state.cut(now) {
                    self.keep(&job, &[]).await;
                }
                for (key, sent) in &self.state.summaries {
                    self.owe(state::summary_row(key, *sent), &[]).await;
                }
            }
            Fact::LedgerAnew => self.write_again().await,
        }
    }
}

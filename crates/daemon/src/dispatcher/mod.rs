//! The owner of the truth: what is planned, what waits, what runs. One task; everything else sends it messages and
//! gets messages back, nothing is shared. Each turn of its loop takes one message, changes the truth, and then does
//! what follows from it: admit runs, plan the next instants, say the sentence.

mod adopt;
mod approvals;
mod asks;
mod backups;
mod brackets;
mod clock;
mod ends;
mod holds;
mod left_behind;
mod listing;
mod looks;
mod marks;
mod probes;
mod reload;
mod requirements;
mod runs;
mod slots;
mod told;
mod waits;

use crate::{
    accept::Accepted,
    admission::Admission,
    control::Ask,
    notify::{Fact, Messenger},
    probes::{Heard, Watcher},
    recorder::LedgerNews,
    run::{Outside, RunHandle, RunNews, RunSpec},
    schedule::{
        clock::Awake,
        policy::{Mark, Seed},
        ticker::{Ticker, Wake},
    },
    tell::Told,
};
use jiff::Timestamp;
use mastmaint_config::accepted::DaemonView;
use mastmaint_control::words::{BracketLine, FollowEvent, Reply};
use mastmaint_health::Notifier;
use mastmaint_ledger::{Approval, HandHold, PlannedRetry, RunRecord, StepRecord};
use mastmaint_words::{Hold, HoldId, JobName, Numbers, RunId, StepIndex, Verdict};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Instant};
use tokio::sync::{mpsc, oneshot, watch};

pub use adopt::Known;
pub use left_behind::LeftBehind;
pub use reload::ReloadDone;

/// What the dispatcher is made of.
#[derive(Debug)]
pub struct Setup {
    /// Rooms, ledger, journal.
    pub outside: Outside,
    /// Root of the accepted configurations.
    pub store: PathBuf,
    /// The configuration file, for people.
    pub config_path: PathBuf,
    /// The configuration to begin with.
    pub accepted: Accepted,
    /// Who tells people; nobody with `--run`, whose invoker sees for themselves.
    pub messenger: Option<Messenger>,
    /// Who asks the instance how it is; nobody with `--run`.
    pub watcher: Option<Watcher>,
    /// systemd's ear.
    pub notifier: Arc<Notifier>,
    /// What tells the random delays of this host from those of others.
    pub seed: Seed,
    /// Whether jobs run by schedule; not with `--run`.
    pub scheduling: bool,
}

/// What the dispatcher hears.
#[derive(Debug)]
pub struct Ears {
    /// Clients.
    pub asks: mpsc::Receiver<Ask>,
    /// The ledger's thread.
    pub ledger: mpsc::UnboundedReceiver<LedgerNews>,
    /// The clock.
    pub wakes: mpsc::Receiver<Wake>,
    /// Signals, the watchdog, its own tasks.
    pub orders: mpsc::Receiver<Order>,
}

/// Orders from within the daemon.
#[derive(Debug)]
pub enum Order {
    /// Read the configuration again (SIGHUP).
    Reload,
    /// A check of the configuration is done.
    ReloadDone(ReloadDone),
    /// Answer: the loop turns.
    Beat(oneshot::Sender<()>),
    /// Run a job for `--run` and tell how it ended.
    RunOnce {
        /// Which.
        job: JobName,
        /// Its id at once, its verdict when it is over; dropped if there is no such job.
        ended: oneshot::Sender<Verdict>,
    },
    /// One more cancel of the run of `--run`.
    CancelOnce,
    /// The systemctl room has said what is stopped.
    Brackets(Vec<BracketLine>),
    /// The rooms have said what they keep.
    LeftBehind(Vec<LeftBehind>),
    /// End the loop; runs go on in their rooms.
    Stop,
}

/// The configuration in force.
#[derive(Debug)]
struct Config {
    view: Arc<DaemonView>,
    since: Timestamp,
    warnings: Vec<String>,
    refused: Vec<String>,
    refused_at: Option<Timestamp>,
}

/// A run that waits or runs.
#[derive(Debug)]
struct Active {
    spec: RunSpec,
    handle: RunHandle,
    started: Option<Timestamp>,
    /// The steps that have begun, in their order.
    steps: BTreeMap<StepIndex, StepRecord>,
    /// Whether its look has begun.
    looking: bool,
    /// What was in its way when it looked last.
    in_the_way: Option<requirements::InTheWay>,
    /// When it was seen last that nothing is.
    looked_at_host: Option<Instant>,
    /// Who asked for it and hears how its first look ended.
    asker: Option<oneshot::Sender<Reply>>,
    /// What its looks found to be too much, by step.
    needs: BTreeMap<StepIndex, (Numbers, String)>,
    /// Whether it was told that it waits.
    told_waiting: bool,
    /// It is skipped if it still waits then.
    waits_until: Instant,
    /// When somebody cancelled it.
    cancel_asked: Option<Timestamp>,
    once: Option<oneshot::Sender<Verdict>>,
}

/// The dispatcher.
pub struct Dispatcher {
    outside: Outside,
    store: PathBuf,
    config_path: PathBuf,
    notifier: Arc<Notifier>,
    messenger: Option<Messenger>,
    watcher: Option<Watcher>,
    seed: Seed,
    awake: Awake,
    /// When old runs were last forgotten.
    forgot: Option<Instant>,
    scheduling: bool,
    since: Timestamp,
    config: Config,
    marks: BTreeMap<JobName, Mark>,
    next: BTreeMap<JobName, Timestamp>,
    /// For which instant of a job its room was opened last.
    warmed: BTreeMap<JobName, Timestamp>,
    /// Paused jobs: since when, and by whom.
    paused: BTreeMap<JobName, (Timestamp, u32)>,
    retries: BTreeMap<JobName, PlannedRetry>,
    /// Holds that were set by hand.
    hand_holds: BTreeMap<HoldId, HandHold>,
    /// Holds that are on and were told of.
    holds_on: Vec<Hold>,
    /// Runs that wait for a person's approval or have got one, by the run that was skipped.
    approvals: BTreeMap<RunId, Approval>,
    last: BTreeMap<JobName, RunRecord>,
    admission: Admission,
    /// Nothing is started before the rooms have said what they keep.
    gate_open: bool,
    /// Whether the ledger has been read: until then nobody knows what an earlier daemon left.
    ledger_known: bool,
    runs: BTreeMap<RunId, Active>,
    /// What is stopped, as the systemctl room last said.
    brackets: Vec<BracketLine>,
    reload: reload::Reload,
    ticker: Option<Arc<Ticker>>,
    run_news: (mpsc::Sender<RunNews>, mpsc::Receiver<RunNews>),
    orders: mpsc::Sender<Order>,
    sentence: String,
}

impl Dispatcher {
    /// A dispatcher with nothing planned and nothing running. `orders` is the sending end of [`Ears::orders`].
    pub fn new(setup: Setup, ticker: Option<Arc<Ticker>>, orders: mpsc::Sender<Order>) -> Self {
        let now = Timestamp::now();
        Self {
            outside: setup.outside,
            store: setup.store,
            config_path: setup.config_path,
            notifier: setup.notifier,
            messenger: setup.messenger,
            watcher: setup.watcher,
            seed: setup.seed,
            awake: Awake::new(now, Instant::now()),
            forgot: None,
            scheduling: setup.scheduling,
            since: now,
            config: Config {
                view: setup.accepted.view,
                since: now,
                warnings: setup.accepted.warnings,
                refused: Vec::new(),
                refused_at: None,
            },
            marks: BTreeMap::new(),
            next: BTreeMap::new(),
            warmed: BTreeMap::new(),
            paused: BTreeMap::new(),
            retries: BTreeMap::new(),
            hand_holds: BTreeMap::new(),
            holds_on: Vec::new(),
            approvals: BTreeMap::new(),
            last: BTreeMap::new(),
            admission: Admission::default(),
            gate_open: false,
            ledger_known: false,
            runs: BTreeMap::new(),
            brackets: Vec::new(),
            reload: reload::Reload::default(),
            ticker,
            run_news: mpsc::channel(256),
            orders,
            sentence: String::new(),
        }
    }

    /// Turns until it is told to stop. Nothing is ended by its end: rooms keep what runs, the ledger what is owed.
    ///
    /// # Errors
    /// If it cannot go on honestly; a new daemon can.
    pub async fn run(mut self, mut ears: Ears) -> Result<(), String> {
        let mut told = self.messenger.as_ref().map(Messenger::watch);
        let mut watched = self.watcher.as_ref().map(Watcher::watch);
        // What an earlier daemon has stopped is stopped on purpose from the first question on.
        self.tell_watcher();
        loop {
            tokio::select! {
                Some(order) = ears.orders.recv() => match order {
                    Order::Stop => return Ok(()),
                    order => self.obey(order).await,
                },
                Some(news) = self.run_news.1.recv() => self.hear_run(news).await?,
                Some(wake) = ears.wakes.recv() => self.wake(wake).await,
                Some(ask) = ears.asks.recv() => self.answer(ask).await,
                Some(news) = ears.ledger.recv() => self.hear_ledger(news).await,
                () = changed(&mut told) => {}
                () = changed(&mut watched) => {}
                else => return Ok(()),
            }
            self.tell_watcher();
            self.say_sentence();
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Reload => self.begin_reload(None),
            Order::ReloadDone(done) => self.finish_reload(done).await,
            Order::Beat(answer) => {
                // The watchdog may have given up waiting.
                let _ = answer.send(());
            }
            Order::RunOnce { job, ended } => self.run_once(job, ended).await,
            Order::CancelOnce => {
                let once = self.runs.iter().find(|(_, active)| active.once.is_some());
                if let Some(id) = once.map(|(id, _)| id.clone()) {
                    self.cancel(&id).await;
                }
            }
            Order::Brackets(open) => self.take_in_brackets(open),
            Order::LeftBehind(left) => self.take_in(left).await,
            Order::Stop => {}
        }
    }

    async fn wake(&mut self, wake: Wake) {
        if wake == Wake::ClockStepped {
            self.outside.teller.of_daemon(Told::ClockStepped);
            self.notify(Fact::ClockStepped);
            self.cut_to_now(Timestamp::now()).await;
        }
        self.look_at_slots().await;
    }

    async fn hear_ledger(&mut self, news: LedgerNews) {
        let again = news == LedgerNews::RecordingAgain;
        let set_aside = matches!(news, LedgerNews::SetAside { .. });
        self.outside.teller.of_daemon(Told::Ledger(news));
        if again && !self.ledger_known {
            let known = Known::read(&self.outside.recorder).await;
            self.take_over(known).await;
            self.look_at_slots().await;
        }
        if set_aside {
            self.write_again().await;
            self.notify(Fact::LedgerAnew);
            self.watch(Heard::LedgerAnew);
        }
    }

    /// Says what happened to whoever tells people.
    fn notify(&self, fact: Fact) {
        if let Some(messenger) = &self.messenger {
            messenger.tell(fact);
        }
    }

    /// Says which jobs are paused.
    fn notify_paused(&self) {
        self.notify(Fact::Paused(self.paused.keys().cloned().collect()));
    }

    /// Tells systemd where things stand, if that has changed.
    fn say_sentence(&mut self) {
        let sentence = self.sentence_now(Timestamp::now());
        if sentence != self.sentence {
            // Whoever listens asks again in a moment; nobody else needs to know.
            let _ = self.notifier.status(&sentence);
            self.sentence = sentence;
        }
    }
}

/// Comes back when there is something new to see of telling people or of probes, which systemd's sentence may have to say.
async fn changed<T>(told: &mut Option<watch::Receiver<T>>) {
    if let Some(told) = told
        && told.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Sends a reply to a client that may be gone or too slow to matter.
async fn reply(replies: &mpsc::Sender<Reply>, reply: Reply) {
    // Its end of the connection tells it.
    let _ = replies.send(reply).await;
}

/// An event for followers, of whom there may be none.
fn follow(handle: &RunHandle, event: FollowEvent) {
    let _ = handle.follow.send(event);
}

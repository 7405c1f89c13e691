//! From the command line to the loop and back to an exit status. The order of the start is a promise: the lock on the
//! state directory, the ledger, the configuration, what an earlier daemon left, the schedule, the sockets, READY; only
//! then is anything new begun.

use crate::{
    accept::{self, Refusal},
    args::Args,
    control,
    dispatcher::{Dispatcher, Ears, Known, Order, Setup},
    notify::{Messenger, Needs},
    probes::{self, Watcher},
    recorder::Recorder,
    room::{ChildRooms, Rooms, Way},
    run::Outside,
    schedule::{
        policy::Seed,
        ticker::{Ticker, Wake},
    },
    state_dir::{StateDir, StateDirError, this_boot},
    tell::{Teller, Told},
    watchdog,
};
use mastmaint_config::zone;
use mastmaint_health::{Journal, JournalConfig, Level, Notifier};
use mastmaint_ledger::LedgerError;
use mastmaint_words::{JobName, Room, Verdict, exit};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

/// The last entries get this long to reach the journal; a stalled one does not hold up the end.
const FLUSH: Duration = Duration::from_secs(2);
/// The ledger gets this long to be closed.
const CLOSE: Duration = Duration::from_secs(5);
/// Where the package puts the runner.
const PACKAGED_RUNNER: &str = "/usr/lib/mastmaintd/mastmaint-runner";

/// Why the daemon did not start or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The state directory is not ours.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The ledger was written by a newer version.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The configuration is bad or cannot be looked at.
    #[error(transparent)]
    Config(#[from] Refusal),
    /// A control socket cannot be made.
    #[error("{}: the control sockets cannot be made: {source}; name another directory with --runtime-dir", .dir.display())]
    Sockets {
        /// Where.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The scheduler, a signal handler or the runtime does not start.
    #[error("the daemon cannot start: {0}")]
    Start(String),
    /// `--run` names no job.
    #[error("there is no job {0} in the configuration; see \"mastmaintctl config\"")]
    NoSuchJob(JobName),
    /// A task of the daemon ended that never ends.
    #[error(
        "the dispatcher ended unexpectedly: {0}; systemd starts the daemon again and steps go on meanwhile"
    )]
    Dispatcher(String),
}

impl BootError {
    const fn exit(&self) -> u8 {
        match self {
            Self::Config(Refusal::Mistakes(_)) => exit::BAD_CONFIG,
            Self::NoSuchJob(_) => exit::USAGE,
            _ => exit::NOT_FINE,
        }
    }
}

/// Runs the daemon to its end; the exit status.
pub fn main(args: Args) -> u8 {
    let logging = JournalConfig { identifier: "mastmaintd".into(), level: Level::Info, zone: zone::local() };
    // Without a single thread to be had there is nobody to tell, either.
    let Ok(journal) = Journal::start(&logging) else { return exit::NOT_FINE };
    tracing_subscriber::registry().with(journal.layer()).init();
    let teller = Teller::new(journal.clone());
    let built = tokio::runtime::Builder::new_multi_thread()
        // One worker: the daemon waits all day, and every thread costs memory.
        .worker_threads(1)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .map_err(|e| BootError::Start(e.to_string()));
    let status = match built.and_then(|runtime| {
        let ended = runtime.block_on(start(args, teller.clone()));
        // Tasks that wait for rooms would wait on; the rooms do not need them.
        runtime.shutdown_background();
        ended
    }) {
        Ok(status) => status,
        Err(error) => {
            teller.of_daemon(Told::CannotStart {
                why: error.to_string(),
                config: error.exit() == exit::BAD_CONFIG,
            });
            error.exit()
        }
    };
    journal.flush(FLUSH);
    status
}

async fn start(args: Args, teller: Teller) -> Result<u8, BootError> {
    let notifier = Arc::new(Notifier::from_environment().map_err(|e| BootError::Start(e.to_string()))?);
    let (config, state_path) = (absolute(&args.config), absolute(&args.state_dir));
    let scheduling = args.run.is_none();
    let (orders, orders_rx) = mpsc::channel(64);
    // First of all: a SIGHUP before READY asks for a reload and must not end the daemon.
    signals(&orders, scheduling)?;
    let state = StateDir::lock(&state_path)?;
    let (ledger_tx, ledger_news) = mpsc::unbounded_channel();
    let (rooms, store) = rooms(&args, &config, &state_path);
    // The room comes up while the ledger is opened; while it checks the configuration the ledger is read and the
    // scheduler started.
    let opening = tokio::spawn({
        let rooms = rooms.clone();
        async move { rooms.open(Room::Systemctl).await }
    });
    let recorder = Recorder::open(state.ledger(), ledger_tx)?;
    let (wakes_tx, wakes) = mpsc::channel(64);
    let (accepted, ticker, known) = tokio::join!(
        async {
            let room = opening.await.map_err(|e| BootError::Start(e.to_string()))?.map_err(Refusal::from)?;
            Ok::<_, BootError>(accept::accept_in(room, &store, open_digests(&recorder).await).await?)
        },
        start_ticker(scheduling, wakes_tx),
        Known::read(&recorder),
    );
    let (accepted, ticker) = (accepted?, ticker?);
    if let Some(job) = &args.run
        && !accepted.view.jobs.contains_key(job)
    {
        return Err(BootError::NoSuchJob(job.clone()));
    }
    let (asks_tx, asks) = mpsc::channel(64);
    let seed = host_seed();
    let messenger = scheduling.then(|| {
        Messenger::start(Needs {
            rooms: rooms.clone(),
            recorder: recorder.clone(),
            teller: teller.clone(),
            seed: seed.clone(),
            view: Arc::clone(&accepted.view),
        })
    });
    let watcher = messenger.clone().map(|messenger| {
        Watcher::start(probes::Needs {
            rooms: rooms.clone(),
            recorder: recorder.clone(),
            teller: teller.clone(),
            messenger,
            view: Arc::clone(&accepted.view),
        })
    });
    let setup = Setup {
        messenger,
        watcher,
        outside: Outside {
            rooms,
            recorder: recorder.clone(),
            teller: teller.clone(),
            same_boot: state.same_boot(this_boot().as_deref()),
        },
        store,
        config_path: config,
        accepted,
        notifier: Arc::clone(&notifier),
        seed,
        scheduling,
    };
    let mut dispatcher = Dispatcher::new(setup, ticker.clone(), orders.clone());
    dispatcher.take_over(known).await;
    dispatcher.ask_what_is_left();
    dispatcher.look_at_brackets();
    let sockets = if scheduling {
        let dir = absolute(&args.runtime_dir);
        Some(control::listen(&dir, &asks_tx).map_err(|source| BootError::Sockets { dir, source })?)
    } else {
        None
    };
    let sentence = dispatcher.begin().await;
    // Only systemd's view of us; a start that nobody hears of is a start all the same.
    let _ = notifier.ready(&sentence);
    if let Some(ticker) = ticker {
        watchdog::start(Arc::clone(&notifier), ticker, orders.clone());
    }
    // After READY: a check of every page must not hold up the start. What it finds, the recorder acts upon.
    recorder.check_in_background();
    let ears = Ears { asks, ledger: ledger_news, wakes, orders: orders_rx };
    let turning = tokio::spawn(dispatcher.run(ears));
    let status = match args.run {
        Some(job) => once(&orders, job).await?,
        None => exit::FINE,
    };
    if !scheduling {
        let _ = orders.send(Order::Stop).await;
    }
    turning.await.map_err(|e| BootError::Dispatcher(e.to_string()))?.map_err(BootError::Dispatcher)?;
    let _ = notifier.stopping("stopping");
    teller.of_daemon(Told::Stopping);
    drop(sockets);
    // Written back and closed, so that the file is whole without its log. A stuck disk is not waited for.
    if let Ok(lost @ 1..) = tokio::time::timeout(CLOSE, recorder.close()).await {
        teller.of_daemon(Told::LostAtTheEnd { entries: lost });
    }
    drop(state);
    Ok(status)
}

/// The scheduler, unless it is for `--run`.
async fn start_ticker(scheduling: bool, wakes: mpsc::Sender<Wake>) -> Result<Option<Arc<Ticker>>, BootError> {
    if !scheduling {
        return Ok(None);
    }
    let ticker = Ticker::start(wakes).await.map_err(|e| BootError::Start(e.to_string()))?;
    Ok(Some(Arc::new(ticker)))
}

/// Rooms are told paths and have a working directory of their own.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Runs one job to its end for `--run`.
async fn once(orders: &mpsc::Sender<Order>, job: JobName) -> Result<u8, BootError> {
    let (ended, verdict) = oneshot::channel::<Verdict>();
    let gone = || BootError::Dispatcher("it does not answer".into());
    orders.send(Order::RunOnce { job: job.clone(), ended }).await.map_err(|_| gone())?;
    let verdict = verdict.await.map_err(|_| BootError::NoSuchJob(job))?;
    Ok(exit::of(verdict.outcome))
}

/// Signals as orders. A daemon stops at once, for its steps go on without it; a `--run` cancels its run first, and a
/// second signal kills it.
fn signals(orders: &mpsc::Sender<Order>, scheduling: bool) -> Result<(), BootError> {
    for (kind, is_hangup) in
        [(SignalKind::hangup(), true), (SignalKind::terminate(), false), (SignalKind::interrupt(), false)]
    {
        let mut stream = signal(kind).map_err(|e| BootError::Start(e.to_string()))?;
        let orders = orders.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let order = match (is_hangup, scheduling) {
                    (true, true) => Order::Reload,
                    (false, true) => Order::Stop,
                    (_, false) => Order::CancelOnce,
                };
                if orders.send(order).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

/// The rooms, and where accepted configurations are.
fn rooms(args: &Args, config: &Path, state: &Path) -> (Rooms, PathBuf) {
    if let Some(dir) = &args.rooms {
        return (Rooms::new(Way::Sockets { dir: dir.clone() }), args.accepted.clone());
    }
    let accepted = state.join("accepted");
    let children = ChildRooms {
        runner: runner(),
        accepted: accepted.clone(),
        state: state.join("rooms"),
        spare: absolute(&args.runtime_dir).join("rooms"),
        config: config.to_owned(),
    };
    (Rooms::new(Way::Children(children)), accepted)
}

/// The runner beside this program (a build tree), else the packaged one.
fn runner() -> PathBuf {
    std::env::current_exe()
        .ok()
        .map(|exe| exe.with_file_name("mastmaint-runner"))
        .filter(|beside| beside.is_file())
        .unwrap_or_else(|| PathBuf::from(PACKAGED_RUNNER))
}

/// Configurations that runs of an earlier daemon follow: they must stay stored. `None` if that cannot be read.
async fn open_digests(recorder: &Recorder) -> Option<Vec<mastmaint_words::Digest>> {
    let open = recorder.with(|ledger| ledger.open_digests()).await;
    open.ok().map(|digests| digests.into_iter().collect())
}

/// What tells this host from others, for random delays.
fn host_seed() -> Seed {
    let bytes = std::fs::read("/etc/machine-id")
        .or_else(|_| {
            nix::unistd::gethostname().map(std::ffi::OsString::into_encoded_bytes).map_err(io::Error::from)
        })
        .unwrap_or_default();
    Seed::new(bytes)
}

//! Probes: the instance is asked how it is, on a short schedule of its own that knows nothing of jobs. A task asks the
//! probe room, takes the answers in ([`policy`]), keeps incidents in the ledger, and says them to the journal and to
//! whoever tells people. Without probes it sleeps.

mod ask;
mod policy;
mod quiet;
mod task;

pub use task::Needs;

use mastmaint_config::accepted::DaemonView;
use mastmaint_control::words::ProbeLine;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// What the task is told.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A configuration came into force.
    Config(Arc<DaemonView>),
    /// Whether services are stopped on purpose.
    Stopped(bool),
    /// Whether a guarded change is at work on the assets.
    Building(bool),
    /// The ledger began anew: what is open has to be written again.
    LedgerAnew,
}

/// The way to the task.
#[derive(Debug, Clone)]
pub struct Watcher {
    heard: mpsc::UnboundedSender<Heard>,
    seen: watch::Receiver<Vec<ProbeLine>>,
    /// Whether the task was told last that services are stopped.
    stopped: bool,
    /// Whether it was told last that assets are changed.
    building: bool,
}

impl Watcher {
    /// Starts the task.
    pub fn start(needs: Needs) -> Self {
        let (sender, heard) = mpsc::unbounded_channel();
        let (shown, seen) = watch::channel(Vec::new());
        tokio::spawn(task::run(needs, heard, shown));
        Self { heard: sender, seen, stopped: false, building: false }
    }

    /// Tells the task something. It is never waited for.
    pub(crate) fn tell(&self, heard: Heard) {
        // The task ends only with the daemon.
        let _ = self.heard.send(heard);
    }

    /// Tells the task whether services are stopped on purpose, if that has changed.
    pub(crate) fn services_are_stopped(&mut self, stopped: bool) {
        if stopped != self.stopped {
            self.stopped = stopped;
            self.tell(Heard::Stopped(stopped));
        }
    }

    /// Tells the task whether a guarded change is at work on the assets, if that has changed.
    pub(crate) fn assets_are_built(&mut self, building: bool) {
        if building != self.building {
            self.building = building;
            self.tell(Heard::Building(building));
        }
    }

    /// Where each probe stands.
    pub fn seen(&self) -> Vec<ProbeLine> {
        self.seen.borrow().clone()
    }

    /// A receiver that wakes when that changes.
    pub fn watch(&self) -> watch::Receiver<Vec<ProbeLine>> {
        self.seen.clone()
    }
}

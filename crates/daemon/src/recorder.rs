//! The ledger behind a thread of its own, so that a slow disk never holds up the dispatcher's loop longer than one
//! answer. When the ledger cannot be written, runs go on and every call says so; ends, marks and pauses are kept and
//! written as soon as it can be. Nothing else that was not recorded is made up later.

mod keeper;
mod owed;
#[cfg(test)]
mod tests;

pub use owed::Owed;

use keeper::{Keeper, Pace};
use mastmaint_control::words::LedgerStatus;
use mastmaint_ledger::{Ledger, LedgerError};
use std::{
    path::PathBuf,
    sync::mpsc::{RecvTimeoutError, Sender},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Something about the ledger that the admin should read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerNews {
    /// It cannot be written any more.
    NotRecording {
        /// Why and what to do.
        why: String,
    },
    /// It can be written again.
    RecordingAgain,
    /// A damaged one was set aside and a new one begun.
    SetAside {
        /// Where it is now.
        path: PathBuf,
    },
}

/// A call that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotRecorded {
    /// Stable code.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
    /// Whether it is kept, to be recorded as soon as that is possible: see [`Recorder::owe`].
    pub kept: bool,
}

impl From<&LedgerError> for NotRecorded {
    fn from(error: &LedgerError) -> Self {
        Self { code: error.code(), message: error.to_string(), kept: false }
    }
}

/// Handle to the ledger's thread.
#[derive(Debug, Clone)]
pub struct Recorder {
    work: Sender<Work>,
    status: watch::Receiver<LedgerStatus>,
}

type Work = Box<dyn FnOnce(&mut Keeper) + Send>;

impl Recorder {
    /// Opens the ledger and starts its thread. A ledger that cannot be written is no reason not to start.
    ///
    /// # Errors
    /// Only for one written by a newer mastmaintd: going on without its marks could run jobs twice.
    pub fn open(path: PathBuf, news: mpsc::UnboundedSender<LedgerNews>) -> Result<Self, LedgerError> {
        Self::open_at(Pace::default(), path, news)
    }

    fn open_at(
        pace: Pace,
        path: PathBuf,
        news: mpsc::UnboundedSender<LedgerNews>,
    ) -> Result<Self, LedgerError> {
        let (status_tx, status) = watch::channel(LedgerStatus::Recording);
        let mut keeper = Keeper::open(pace, path, status_tx, news)?;
        let (work, todo) = std::sync::mpsc::channel::<Work>();
        std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || {
                loop {
                    // A timer only while something is wrong: nothing wakes an idle daemon.
                    let next = match keeper.looks_again_after() {
                        None => todo.recv().map_err(|_| RecvTimeoutError::Disconnected),
                        Some(wait) => todo.recv_timeout(wait),
                    };
                    match next {
                        Ok(work) => work(&mut keeper),
                        Err(RecvTimeoutError::Timeout) => keeper.look_again(),
                        Err(RecvTimeoutError::Disconnected) => break,
                    }
                }
            })
            .map_err(|e| LedgerError::Other { path: PathBuf::from("(thread)"), what: e.to_string() })?;
        Ok(Self { work, status })
    }

    /// Whether runs are being recorded.
    pub fn status(&self) -> LedgerStatus {
        self.status.borrow().clone()
    }

    /// Writes what is owed if that can be, closes the ledger, and says how much of what is owed is lost with this
    /// process. A later call would open it again.
    pub async fn close(&self) -> usize {
        self.ask(Keeper::close).await.unwrap_or(0)
    }

    /// Does something with the ledger and waits for the answer.
    ///
    /// # Errors
    /// [`NotRecorded`], after which the ledger is as before the call.
    pub async fn with<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, NotRecorded> {
        self.ask(move |keeper| keeper.call(call)).await?
    }

    /// Records something that must be in the ledger sooner or later, with the time at which it happened. What cannot
    /// be written now is kept and written before anything else as soon as the ledger can be.
    ///
    /// # Errors
    /// [`NotRecorded`]; its `kept` says whether it will be written later or was refused for good.
    pub async fn owe(&self, owed: Owed) -> Result<(), NotRecorded> {
        self.ask(move |keeper| keeper.owe(owed)).await?
    }

    /// Reads the whole ledger in a thread of its own, while this one goes on. One that is damaged is set aside.
    pub fn check_in_background(&self) {
        let back = self.work.clone();
        // Without its thread there is no ledger to check.
        let _ = self.work.send(Box::new(move |keeper| keeper.check(back)));
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Keeper) -> T + Send + 'static,
    ) -> Result<T, NotRecorded> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |keeper| {
            // Whoever asked may be gone; the work is done all the same.
            let _ = answer.send(ask(keeper));
        });
        let stopped =
            || NotRecorded { code: "stopping", message: "the ledger's thread has ended".into(), kept: false };
        self.work.send(work).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())
    }
}

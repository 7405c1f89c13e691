//! The ledger behind a thread of its own, so that a slow disk never holds up the dispatcher's loop longer than one
//! answer. When the ledger cannot be written, runs go on and every call says so; it is opened again when that helps,
//! and nothing that was not recorded is made up later.

use jiff::Timestamp;
use mastmaint_control::words::LedgerStatus;
use mastmaint_ledger::{Ledger, LedgerError};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot, watch};

/// How long a ledger that could not be opened is left alone.
const REOPEN_AFTER: Duration = Duration::from_secs(10);

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
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct NotRecorded {
    /// Stable code.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
}

/// Handle to the ledger's thread.
#[derive(Debug, Clone)]
pub struct Recorder {
    work: std::sync::mpsc::Sender<Work>,
    status: watch::Receiver<LedgerStatus>,
}

type Work = Box<dyn FnOnce(&mut Keeper) + Send>;

impl Recorder {
    /// Opens the ledger and starts its thread. A ledger that cannot be written is no reason not to start.
    ///
    /// # Errors
    /// Only for one written by a newer mastmaintd: going on without its marks could run jobs twice.
    pub fn open(path: PathBuf, news: mpsc::UnboundedSender<LedgerNews>) -> Result<Self, LedgerError> {
        let (status_tx, status) = watch::channel(LedgerStatus::Recording);
        let mut keeper = Keeper { path, ledger: None, tried: None, status: status_tx, news };
        if let Err(error @ LedgerError::NewerSchema { .. }) = keeper.open() {
            return Err(error);
        }
        let (work, todo) = std::sync::mpsc::channel::<Work>();
        std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || {
                for work in todo {
                    work(&mut keeper);
                }
            })
            .map_err(|e| LedgerError::Other { path: PathBuf::from("(thread)"), what: e.to_string() })?;
        Ok(Self { work, status })
    }

    /// Whether runs are being recorded.
    pub fn status(&self) -> LedgerStatus {
        self.status.borrow().clone()
    }

    /// Closes the ledger; a later call would open it again.
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |keeper| {
            keeper.ledger = None;
            // Whoever asked has stopped waiting.
            let _ = answer.send(());
        });
        if self.work.send(work).is_ok() {
            let _ = answered.await;
        }
    }

    /// Does something with the ledger and waits for the answer.
    ///
    /// # Errors
    /// [`NotRecorded`], after which the ledger is as before the call.
    pub async fn with<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, NotRecorded> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |keeper| {
            // Whoever asked may be gone; the work is done all the same.
            let _ = answer.send(keeper.call(call));
        });
        let stopped = || NotRecorded { code: "stopping", message: "the ledger's thread has ended".into() };
        self.work.send(work).map_err(|_| stopped())?;
        answered
            .await
            .map_err(|_| stopped())?
            .map_err(|error| NotRecorded { code: error.code(), message: error.to_string() })
    }
}

/// What the thread keeps.
#[derive(Debug)]
struct Keeper {
    path: PathBuf,
    ledger: Option<Ledger>,
    tried: Option<Instant>,
    status: watch::Sender<LedgerStatus>,
    news: mpsc::UnboundedSender<LedgerNews>,
}

impl Keeper {
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        if self.ledger.is_none() {
            self.open()?;
        }
        let Some(ledger) = self.ledger.as_mut() else {
            return Err(LedgerError::Other { path: self.path.clone(), what: "not open".into() });
        };
        let result = call(ledger);
        match &result {
            Ok(_) => self.recording(),
            Err(error @ LedgerError::Corrupt { .. }) => {
                self.not_recording(error);
                self.set_aside();
            }
            Err(error) if error.stops_recording() => self.not_recording(error),
            Err(_) => {}
        }
        result
    }

    fn open(&mut self) -> Result<(), LedgerError> {
        if let (Some(tried), LedgerStatus::NotRecording { why }) = (self.tried, &*self.status.borrow())
            && tried.elapsed() < REOPEN_AFTER
        {
            return Err(LedgerError::ReadOnly { path: self.path.clone(), why: why.clone() });
        }
        self.tried = Some(Instant::now());
        match Ledger::open(&self.path, Timestamp::now()) {
            Ok(opened) => {
                self.ledger = Some(opened.ledger);
                if let Some(path) = opened.set_aside {
                    self.tell(LedgerNews::SetAside { path });
                }
                Ok(())
            }
            Err(error) => {
                self.not_recording(&error);
                Err(error)
            }
        }
    }

    fn set_aside(&mut self) {
        self.ledger = None;
        match mastmaint_ledger::set_aside(&self.path, Timestamp::now()) {
            Ok(path) => {
                self.tell(LedgerNews::SetAside { path });
                self.tried = None;
                if self.open().is_ok() {
                    self.recording();
                }
            }
            Err(error) => self.not_recording(&error),
        }
    }

    fn recording(&self) {
        if self.status.send_if_modified(|status| {
            let changed = *status != LedgerStatus::Recording;
            *status = LedgerStatus::Recording;
            changed
        }) {
            self.tell(LedgerNews::RecordingAgain);
        }
    }

    fn not_recording(&self, error: &LedgerError) {
        let why = error.to_string();
        let was_recording = *self.status.borrow() == LedgerStatus::Recording;
        self.status.send_replace(LedgerStatus::NotRecording { why: why.clone() });
        if was_recording {
            self.tell(LedgerNews::NotRecording { why });
        }
    }

    fn tell(&self, news: LedgerNews) {
        // The receiver ends with the daemon.
        let _ = self.news.send(news);
    }
}

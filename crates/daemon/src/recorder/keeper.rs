//! What the ledger's thread keeps: the ledger while it is open, what is owed to it, and when it is tried again.

use super::{
    LedgerNews, NotRecorded, Work,
    owed::{Owed, Queue},
};
use jiff::Timestamp;
use mastmaint_control::words::LedgerStatus;
use mastmaint_ledger::{Ledger, LedgerError};
use std::{
    path::PathBuf,
    sync::mpsc::Sender,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// How soon a ledger that cannot be written is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Without anybody asking.
    pub(super) unasked: Duration,
    /// When it was locked or could not be opened: each such try takes its time.
    pub(super) slow: Duration,
    /// When it was full or read-only: such a try fails at once.
    pub(super) quick: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            unasked: Duration::from_secs(30),
            slow: Duration::from_secs(10),
            quick: Duration::from_secs(1),
        }
    }
}

/// What the thread keeps.
#[derive(Debug)]
pub(super) struct Keeper {
    pace: Pace,
    path: PathBuf,
    ledger: Option<Ledger>,
    /// Grows with each ledger that is begun, so that a late finding is not held against the wrong one.
    begun: u64,
    owed: Queue,
    /// Why nothing can be written, until something could be.
    failing: Option<NotRecorded>,
    /// Nothing is written before this instant.
    again: Instant,
    /// Not even reading works until then.
    shut: bool,
    closed: bool,
    status: watch::Sender<LedgerStatus>,
    news: mpsc::UnboundedSender<LedgerNews>,
}

impl Keeper {
    pub(super) fn open(
        pace: Pace,
        path: PathBuf,
        status: watch::Sender<LedgerStatus>,
        news: mpsc::UnboundedSender<LedgerNews>,
    ) -> Result<Self, LedgerError> {
        let mut keeper = Self {
            pace,
            path,
            ledger: None,
            begun: 0,
            owed: Queue::default(),
            failing: None,
            again: Instant::now(),
            shut: false,
            closed: false,
            status,
            news,
        };
        match keeper.open_file() {
            Err(error @ LedgerError::NewerSchema { .. }) => return Err(error),
            Err(error) => drop(keeper.not_recording(&error)),
            Ok(()) => {}
        }
        Ok(keeper)
    }

    /// Does what is asked; while nothing can be written, only what reads.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, NotRecorded> {
        let writable = self.settle();
        let Some(ledger) = self.ledger.as_mut().filter(|_| !self.shut) else {
            return Err(writable.err().unwrap_or_else(|| self.not_open()));
        };
        let Err(why) = writable else { return call(ledger).map_err(|error| self.failed(&error)) };
        // What is owed comes before any other change, so none is made.
        let result = ledger.read_only(true).and_then(|()| {
            let result = call(ledger);
            ledger.read_only(false).and(result)
        });
        result.map_err(|error| match error {
            LedgerError::ReadOnly { .. } => why,
            LedgerError::Busy { .. } => {
                self.shut = true;
                self.failed(&error)
            }
            other => self.failed(&other),
        })
    }

    /// Records it now or keeps it.
    pub(super) fn owe(&mut self, owed: Owed) -> Result<(), NotRecorded> {
        let why = match self.settle() {
            Err(why) => why,
            Ok(()) => match self.ledger.as_mut().map(|ledger| owed.write(ledger)) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => {
                    let why = self.failed(&error);
                    if !error.stops_recording() {
                        return Err(why);
                    }
                    why
                }
                None => self.not_open(),
            },
        };
        self.owed.keep(owed);
        if self.failing.is_none() {
            // A new ledger was begun. If it cannot be written either, that is known by now.
            let _ = self.settle();
        }
        Err(NotRecorded { kept: true, ..why })
    }

    /// How long to wait for work before [`Keeper::look_again`]; without end while all is well.
    pub(super) fn looks_again_after(&self) -> Option<Duration> {
        let well = self.closed || (self.failing.is_none() && self.owed.is_empty());
        (!well).then_some(self.pace.unasked)
    }

    /// Tries without anybody asking.
    pub(super) fn look_again(&mut self) {
        // What it found is told.
        let _ = self.settle();
    }

    /// Says how much of what is owed could not be written.
    pub(super) fn close(&mut self) -> usize {
        if !self.owed.is_empty() {
            // The last chance: not a moment to wait.
            self.again = Instant::now();
            let _ = self.settle();
        }
        self.ledger = None;
        self.closed = true;
        self.owed.len()
    }

    /// Checks the file in a thread of its own, which hands what it finds back as work.
    pub(super) fn check(&mut self, back: Sender<Work>) {
        if self.ledger.is_none() {
            return;
        }
        let (path, begun) = (self.path.clone(), self.begun);
        let check = move || {
            if let Err(error @ LedgerError::Corrupt { .. }) = Ledger::check_file(&path) {
                // Nobody is there to hear it once the daemon ends; the next one checks again.
                let _ = back.send(Box::new(move |keeper| {
                    if keeper.begun == begun {
                        keeper.failed(&error);
                    }
                }));
            }
        };
        // Without a thread there is no check; damage is found when it is met.
        let _ = std::thread::Builder::new().name("ledger-check".into()).spawn(check);
    }

    /// Makes sure that the ledger is open and, after a failure, can be written, and writes what is owed.
    fn settle(&mut self) -> Result<(), NotRecorded> {
        self.closed = false;
        if let Some(failing) = &self.failing
            && Instant::now() < self.again
        {
            return Err(failing.clone());
        }
        self.shut = false;
        if self.ledger.is_none()
            && let Err(error) = self.open_file()
        {
            return Err(self.not_recording(&error));
        }
        if self.failing.is_none() && self.owed.is_empty() {
            return Ok(());
        }
        match self.pay() {
            Ok(()) => {
                self.recording();
                Ok(())
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Writes all that is owed, or something else if nothing is: what counts is whether it can be written.
    fn pay(&mut self) -> Result<(), LedgerError> {
        let Some(ledger) = self.ledger.as_mut() else { return Ok(()) };
        if self.owed.is_empty() {
            return ledger.probe();
        }
        while let Some(first) = self.owed.first() {
            match first.write(ledger) {
                Err(error @ LedgerError::Other { .. }) => {
                    // One that can never be written must not keep the others from it.
                    if ledger.probe().is_err() {
                        return Err(error);
                    }
                }
                Err(error) if error.stops_recording() => return Err(error),
                // A run that is not in the ledger is not made up.
                Ok(()) | Err(_) => {}
            }
            self.owed.drop_first();
        }
        Ok(())
    }

    fn open_file(&mut self) -> Result<(), LedgerError> {
        let opened = Ledger::open(&self.path, Timestamp::now())?;
        self.ledger = Some(opened.ledger);
        self.begun += 1;
        if let Some(path) = opened.set_aside {
            self.tell(LedgerNews::SetAside { path });
        }
        Ok(())
    }

    /// Takes note of a failure and does about it what can be done.
    fn failed(&mut self, error: &LedgerError) -> NotRecorded {
        if !error.stops_recording() {
            return error.into();
        }
        let why = self.not_recording(error);
        if matches!(error, LedgerError::Corrupt { .. }) {
            self.set_aside();
        }
        why
    }

    fn set_aside(&mut self) {
        self.ledger = None;
        let begun = mastmaint_ledger::set_aside(&self.path, Timestamp::now()).and_then(|path| {
            self.tell(LedgerNews::SetAside { path });
            self.open_file()?;
            self.ledger.as_mut().map_or(Ok(()), Ledger::probe)
        });
        match begun {
            Ok(()) => self.recording(),
            Err(error) => drop(self.not_recording(&error)),
        }
    }

    fn recording(&mut self) {
        if self.failing.take().is_some() {
            self.status.send_replace(LedgerStatus::Recording);
            self.tell(LedgerNews::RecordingAgain);
        }
    }

    fn not_recording(&mut self, error: &LedgerError) -> NotRecorded {
        let why = NotRecorded::from(error);
        let slow = self.ledger.is_none() || matches!(error, LedgerError::Busy { .. });
        self.again = Instant::now() + if slow { self.pace.slow } else { self.pace.quick };
        self.status.send_replace(LedgerStatus::NotRecording { why: why.message.clone() });
        if self.failing.replace(why.clone()).is_none() {
            self.tell(LedgerNews::NotRecording { why: why.message.clone() });
        }
        why
    }

    fn not_open(&self) -> NotRecorded {
        (&LedgerError::Other { path: self.path.clone(), what: "not open".into() }).into()
    }

    fn tell(&self, news: LedgerNews) {
        // The receiver ends with the daemon.
        let _ = self.news.send(news);
    }
}

//! What a running step has said so far, and who listens. Each client has a place in one bounded log and is served by
//! threads of its own; the step only appends, so a client that stalls costs a thread and delays nobody.

use crate::codec;
use crate::protocol::{EventKind, StepReport};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most clients at once.
const MOST_CLIENTS: usize = 16;
/// Most bytes of events that are kept; the executor's bounded share is far below it.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// Most answers that wait for one client.
const MOST_REPLIES: usize = 64;

/// A line as it goes over the socket.
pub(super) type Frame = Arc<[u8]>;

/// The log of a step and its clients.
#[derive(Debug, Default)]
pub(super) struct Hub {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<Entry>,
    last_seq: u64,
    bytes: usize,
    left_out: u64,
    progress: Option<(u64, Frame)>,
    seats: BTreeMap<u64, Seat>,
    last_seat: u64,
    finished: bool,
    forget: Option<u64>,
    stopping: bool,
    closing: bool,
}

#[derive(Debug)]
struct Entry {
    seq: u64,
    frame: Frame,
}

#[derive(Debug, Default)]
struct Seat {
    /// Place in the log of what it gets next; `None` while it does not follow the step.
    next: Option<usize>,
    replies: VecDeque<Frame>,
    progress: u64,
    /// It asks nothing more.
    silent: bool,
}

/// How the time after the end of a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Linger {
    /// This client asked to forget the step.
    Forget(u64),
    /// Nobody did.
    Over,
}

impl Hub {
    /// Appends an event, numbered if it is one that later clients may leave out.
    pub(super) fn publish(&self, kind: EventKind) {
        self.take_in(&mut self.lock(), kind);
    }

    fn take_in(&self, state: &mut State, kind: EventKind) {
        if state.left_out > 0 && !matches!(kind, EventKind::Line { .. } | EventKind::Progress(_)) {
            let lines = std::mem::take(&mut state.left_out);
            state.append(EventKind::Omitted { lines });
        }
        match kind {
            EventKind::Progress(_) => {
                if let Ok(line) = codec::encode_event(0, kind) {
                    let version = state.progress.as_ref().map_or(1, |(version, _)| version + 1);
                    state.progress = Some((version, line.into()));
                }
            }
            EventKind::Line { .. } if state.bytes > MOST_BYTES => state.left_out += 1,
            other => state.append(other),
        }
        self.changed.notify_all();
    }

    /// Says how it ended.
    pub(super) fn finish(&self, report: StepReport) {
        let mut state = self.lock();
        // In one go: who has seen the end may ask to forget at once.
        state.finished = true;
        self.take_in(&mut state, EventKind::Finished { report: Box::new(report) });
    }

    /// The numbered events, one a line.
    pub(super) fn recorded(&self) -> Vec<u8> {
        let state = self.lock();
        state.log.iter().filter(|entry| entry.seq > 0).flat_map(|entry| entry.frame.iter().copied()).collect()
    }

    /// A seat for another client; `None` if all are taken.
    pub(super) fn join(&self) -> Option<u64> {
        let mut state = self.lock();
        if state.seats.len() >= MOST_CLIENTS || state.closing {
            return None;
        }
        state.last_seat += 1;
        let id = state.last_seat;
        state.seats.insert(id, Seat::default());
        Some(id)
    }

    /// The client is gone.
    pub(super) fn leave(&self, id: u64) {
        self.lock().seats.remove(&id);
        self.changed.notify_all();
    }

    /// The client gets everything after the event `after`, and what comes.
    pub(super) fn follow(&self, id: u64, after: u64) {
        let mut state = self.lock();
        let place = state.log.iter().position(|entry| entry.seq == 0 || entry.seq > after);
        let place = place.unwrap_or(state.log.len());
        if let Some(seat) = state.seats.get_mut(&id) {
            seat.next = Some(place);
        }
        self.changed.notify_all();
    }

    /// Answers one client.
    pub(super) fn reply(&self, id: u64, kind: EventKind) {
        let mut state = self.lock();
        let Ok(line) = codec::encode_event(0, kind) else { return };
        let Some(seat) = state.seats.get_mut(&id) else { return };
        if seat.replies.len() < MOST_REPLIES {
            seat.replies.push_back(line.into());
        } else {
            // It asks and never reads.
            state.seats.remove(&id);
        }
        self.changed.notify_all();
    }

    /// The client sent what is no request: it gets this answer as its last.
    pub(super) fn dismiss(&self, id: u64, kind: EventKind) {
        self.reply(id, kind);
        if let Some(seat) = self.lock().seats.get_mut(&id) {
            seat.next = None;
            seat.silent = true;
        }
        self.changed.notify_all();
    }

    /// The client asks nothing more; it may still read.
    pub(super) fn falls_silent(&self, id: u64) {
        if let Some(seat) = self.lock().seats.get_mut(&id) {
            seat.silent = true;
        }
        self.changed.notify_all();
    }

    /// What to send to a client next; waits for it. `None` when there will be nothing more.
    pub(super) fn next(&self, id: u64) -> Option<Vec<Frame>> {
        let mut state = self.lock();
        loop {
            let frames = state.take(id)?;
            if !frames.is_empty() {
                return Some(frames);
            }
            if state.closing
                || state.seats.get(&id).is_some_and(|s| s.silent && (s.next.is_none() || state.finished))
            {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the step is over.
    pub(super) fn is_finished(&self) -> bool {
        self.lock().finished
    }

    /// A client asks to forget the step.
    pub(super) fn ask_to_forget(&self, id: u64) {
        self.lock().forget = Some(id);
        self.changed.notify_all();
    }

    /// The room is being stopped: nobody is waited for.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Whether the room is being stopped.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// After the end: waits until somebody asks to forget the step, everybody is gone, the room is stopped, or
    /// `patience` is over.
    pub(super) fn linger(&self, patience: Duration) -> Linger {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            if let Some(id) = state.forget.take() {
                return Linger::Forget(id);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.seats.is_empty() || state.stopping || left.is_zero() {
                return Linger::Over;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets every client have what is written so far, at most for `patience`, and ends.
    pub(super) fn close(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        state.closing = true;
        self.changed.notify_all();
        while !state.seats.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, kind: EventKind) {
        // A copy and the end are sent in full to every client, so they carry no number.
        let numbered = !matches!(kind, EventKind::Copy { .. } | EventKind::Finished { .. });
        let seq = if numbered { self.last_seq + 1 } else { 0 };
        if let Ok(line) = codec::encode_event(seq, kind) {
            self.last_seq = self.last_seq.max(seq);
            self.bytes += line.len();
            self.log.push(Entry { seq, frame: line.into() });
        }
    }

    /// What is ready for a client, a handful at a time; `None` if it has no seat.
    fn take(&mut self, id: u64) -> Option<Vec<Frame>> {
        const HANDFUL: usize = 64;
        let seat = self.seats.get_mut(&id)?;
        let mut frames: Vec<Frame> = seat.replies.drain(..).collect();
        if let Some(next) = &mut seat.next {
            let end = self.log.len().min(*next + HANDFUL);
            frames.extend(self.log[*next..end].iter().map(|entry| Arc::clone(&entry.frame)));
            *next = end;
            if let Some((version, frame)) = &self.progress
                && end == self.log.len()
                && !self.finished
                && seat.progress < *version
            {
                seat.progress = *version;
                frames.push(Arc::clone(frame));
            }
        }
        Some(frames)
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;

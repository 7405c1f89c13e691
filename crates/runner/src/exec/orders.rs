//! Orders to a running step. They travel through a pipe, so that the step's one poll loop sees them like output.

use crate::protocol::EndingCause;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

/// Gives orders to a running step, from any thread. The first cancel means TERM, grace, KILL; a second kills at once,
/// unless it is a gentle one.
#[derive(Debug, Clone)]
pub struct Orders(Arc<PipeWriter>);

/// An order that was heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) cause: EndingCause,
    /// It means nothing to a step that is being ended already.
    pub(super) gently: bool,
}

/// A cancel that is a gentle one.
const GENTLY: u8 = b'g';

/// The step's end of the orders.
#[derive(Debug)]
pub struct OrderReceiver(PipeReader);

impl Orders {
    /// A new pair.
    pub fn new() -> io::Result<(Self, OrderReceiver)> {
        let (reader, writer) = io::pipe()?;
        Ok((Self(Arc::new(writer)), OrderReceiver(reader)))
    }

    /// Ends the step. Does nothing if it has ended already.
    pub fn cancel(&self, cause: EndingCause) {
        let word = match cause {
            EndingCause::StepTimeout => b's',
            EndingCause::JobTimeout => b'j',
            EndingCause::Cancel => b'c',
            EndingCause::QuietLimit => b'q',
            EndingCause::RoomStopped => b'r',
        };
        self.say(word);
    }

    /// Ends the step, unless it is being ended already.
    pub fn cancel_gently(&self) {
        self.say(GENTLY);
    }

    fn say(&self, word: u8) {
        // The only failure is a reader that is gone: the step has ended.
        let _ = (&*self.0).write_all(&[word]);
    }
}

impl OrderReceiver {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Waits for an order to end, for so long. For what is done after the step's process.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<EndingCause> {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) | Err(_) => None,
            Ok(_) => self.next().map(|order| order.cause),
        }
    }

    /// The next order, or `None` when nobody can give one any more. Blocks unless the descriptor is readable.
    pub(super) fn next(&mut self) -> Option<Order> {
        let mut word = [0];
        loop {
            match self.0.read(&mut word) {
                Ok(1) => {
                    let cause = match word[0] {
                        b's' => EndingCause::StepTimeout,
                        b'j' => EndingCause::JobTimeout,
                        b'q' => EndingCause::QuietLimit,
                        b'r' => EndingCause::RoomStopped,
                        _ => EndingCause::Cancel,
                    };
                    return Some(Order { cause, gently: word[0] == GENTLY });
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => return None,
            }
        }
    }
}

//! One client before a step is involved: it is greeted, its requests are read with a cap on size and time, and what
//! cannot be read is refused in one line.

use crate::codec::{self, FrameError};
use crate::protocol::{EventKind, MAX_FRAME, Op};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A client that takes nothing for this long is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// A client.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    pub(super) reader: BufReader<Timed>,
}

/// What came from a client.
#[derive(Debug)]
pub enum Asked {
    /// A request.
    For(Op),
    /// Something that is refused; the connection ends with it.
    Nonsense(EventKind),
    /// No request in time.
    Nothing,
    /// The client is gone.
    Gone,
}

/// A stream whose reads end at a deadline, however slowly bytes trickle in.
#[derive(Debug)]
pub(super) struct Timed {
    stream: UnixStream,
    deadline: Option<Instant>,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
        }
        self.stream.read(buffer)
    }
}

impl Connection {
    /// A client that has not been greeted yet.
    ///
    /// # Errors
    /// If the stream cannot be used.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE_PATIENCE))?;
        let reader = BufReader::new(Timed { stream: stream.try_clone()?, deadline: None });
        Ok(Self { stream, reader })
    }

    /// Says something that is not numbered.
    ///
    /// # Errors
    /// If the client is gone or takes nothing.
    pub fn say(&mut self, kind: EventKind) -> io::Result<()> {
        self.say_numbered(0, kind)
    }

    pub(super) fn say_numbered(&mut self, seq: u64, kind: EventKind) -> io::Result<()> {
        let line = codec::encode_event(seq, kind).map_err(io::Error::other)?;
        self.stream.write_all(&line)
    }

    /// The next request; waits at most `patience` for the whole of it.
    pub fn ask(&mut self, patience: Option<Duration>) -> Asked {
        let timed = self.reader.get_mut();
        timed.deadline = patience.map(|p| Instant::now() + p);
        if timed.deadline.is_none() && timed.stream.set_read_timeout(None).is_err() {
            return Asked::Gone;
        }
        match codec::read_frame(&mut self.reader, MAX_FRAME) {
            Ok(Some(line)) => match codec::decode_request(&line) {
                Ok(request) => Asked::For(request.op),
                Err(error) => Asked::Nonsense(refused(error.code(), error.to_string())),
            },
            Err(error @ FrameError::TooLong) => Asked::Nonsense(refused("too-large", error.to_string())),
            Err(FrameError::Io(error))
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                Asked::Nothing
            }
            Ok(None) | Err(FrameError::Io(_)) => Asked::Gone,
            Err(error) => Asked::Nonsense(refused("bad-request", error.to_string())),
        }
    }

    pub(super) const fn stream(&self) -> &UnixStream {
        &self.stream
    }

    pub(super) fn into_parts(self) -> (UnixStream, BufReader<Timed>) {
        (self.stream, self.reader)
    }

    pub(super) const fn from_parts(stream: UnixStream, reader: BufReader<Timed>) -> Self {
        Self { stream, reader }
    }
}

/// A request is not obeyed.
pub fn refused(code: &str, message: impl Into<String>) -> EventKind {
    EventKind::Refused { code: code.to_owned(), message: message.into() }
}

/// Whether the other side has closed altogether, and not only its sending half.
pub(super) fn has_hung_up(stream: &UnixStream) -> bool {
    let mut descriptors = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    let polled = poll(&mut descriptors, PollTimeout::ZERO);
    polled.is_err()
        || descriptors[0].revents().is_some_and(|r| r.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_trickles_is_refused_at_the_deadline() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut connection = Connection::new(ours).unwrap();
        let trickle = std::thread::spawn(move || {
            while theirs.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let begin = Instant::now();
        let asked = connection.ask(Some(Duration::from_millis(200)));
        assert!(matches!(asked, Asked::Nothing), "{asked:?}");
        assert!(begin.elapsed() < Duration::from_secs(20));
        drop(connection);
        trickle.join().unwrap();
    }

    #[test]
    fn a_half_closed_client_has_not_hung_up() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(!has_hung_up(&ours));
        drop(theirs);
        assert!(has_hung_up(&ours));
    }
}

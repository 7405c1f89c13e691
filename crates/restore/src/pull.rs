//! A backup of another host is pulled: who reaches that host writes what it sends into a pipe of ours, and says by the
//! socket how it ended. Here nothing is known of networks and keys.

use crate::{
    error::RestoreError,
    patient::{PATIENCE, widen},
};
use mastmaint_verify::wire;
use mastmaint_words::restore::{Fetch, Fetched};
use rustix::event::{PollFd, PollFlags, poll};
use std::{
    io::{self, BufRead as _, BufReader, PipeReader, Read},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

/// Who has seen ssh end says so at once.
const TOLD_WITHIN: Duration = Duration::from_mins(1);
/// A longer answer is none of ours.
const LONGEST: u64 = 64 * 1024;

/// How who reaches other hosts is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// Behind this socket.
    Socket(PathBuf),
    /// As a process of our own.
    Program {
        /// `mastmaint-fetch`.
        program: PathBuf,
        /// The accepted configurations.
        accepted: PathBuf,
    },
}

impl Door {
    fn open(&self) -> io::Result<(UnixStream, Option<Child>)> {
        match self {
            Self::Socket(path) => Ok((UnixStream::connect(path)?, None)),
            Self::Program { program, accepted } => {
                let (ours, theirs) = UnixStream::pair()?;
                let mut command = Command::new(program);
                command.arg("--accepted").arg(accepted).stdin(OwnedFd::from(theirs));
                let child = command.spawn()?;
                Ok((ours, Some(child)))
            }
        }
    }
}

/// What another host sends, as it comes.
pub(crate) struct Pull {
    from: PipeReader,
    // Nobody at the other end of the socket goes on when this one is closed, so it goes before the child is waited for.
    room: Option<UnixStream>,
    program: Option<Child>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Comes,
    Ended,
    Stalled,
}

impl Pull {
    /// Asks for it.
    pub(crate) fn begin(door: &Door, fetch: &Fetch) -> Result<Self, RestoreError> {
        let (room, program) = door.open().map_err(RestoreError::fetch_room)?;
        let (from, into) = io::pipe().map_err(RestoreError::fetch_room)?;
        widen(&from);
        let pull = Self { from, room: Some(room), program, state: State::Comes };
        let asked = pull.room.as_ref().map(|room| wire::send(room, fetch, &[into.as_fd()]));
        asked.transpose().map_err(RestoreError::fetch_room)?;
        Ok(pull)
    }

    /// Why it came to nothing: the other side's word where what came ended before its end.
    pub(crate) fn why(self, error: RestoreError) -> RestoreError {
        match self.state {
            State::Comes => error,
            State::Stalled => RestoreError::Fetch {
                code: "stalled".to_owned(),
                why: "the other host is there and sends nothing any more; see what it is doing and try again"
                    .to_owned(),
            },
            State::Ended => match self.answer() {
                Ok(Fetched::Failed { code, why }) => RestoreError::Fetch { code, why },
                Ok(Fetched::Sent) => error,
                Err(source) => RestoreError::fetch_room(source),
            },
        }
    }

    fn answer(&self) -> io::Result<Fetched> {
        let room = self.room.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        room.set_read_timeout(Some(TOLD_WITHIN))?;
        let mut line = Vec::new();
        BufReader::new(room.take(LONGEST)).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_slice(&line)?)
    }
}

impl Read for Pull {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut look = [PollFd::new(&self.from, PollFlags::IN)];
        if poll(&mut look, Some(&PATIENCE))? == 0 {
            self.state = State::Stalled;
            return Err(io::ErrorKind::TimedOut.into());
        }
        let count = self.from.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.state = State::Ended;
        }
        Ok(count)
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        drop(self.room.take());
        if let Some(mut program) = self.program.take() {
            let _ = program.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, io::Write as _, thread};

    fn fetch() -> Fetch {
        Fetch {
            digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            backup: "offsite".parse().unwrap(),
            generation: None,
            with_media: false,
            unproved: false,
        }
    }

    /// What comes of it when the room does this with the connection and the pipe.
    fn pulled(room: impl FnOnce(UnixStream, File) + Send + 'static) -> (Vec<u8>, RestoreError) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("fetch.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let at_work = thread::spawn(move || {
            let (connection, _) = listener.accept().unwrap();
            let (asked, files): (Fetch, _) = wire::receive(&connection).unwrap();
            assert_eq!(asked, fetch());
            room(connection, files.into_iter().next().unwrap());
        });
        let mut pull = Pull::begin(&Door::Socket(path), &fetch()).unwrap();
        let mut came = Vec::new();
        pull.read_to_end(&mut came).unwrap();
        let why = pull.why(RestoreError::Broken {
            name: "what came".to_owned(),
            source: io::ErrorKind::UnexpectedEof.into(),
        });
        at_work.join().unwrap();
        (came, why)
    }

    fn say(mut connection: &UnixStream, fetched: &Fetched) {
        let mut line = serde_json::to_vec(fetched).unwrap();
        line.push(b'\n');
        connection.write_all(&line).unwrap();
    }

    #[test]
    fn what_ended_too_soon_is_explained_by_who_saw_it_end() {
        let (came, why) = pulled(|connection, mut pipe| {
            pipe.write_all(b"half").unwrap();
            drop(pipe);
            say(&connection, &Fetched::Failed { code: "no-answer".into(), why: "it is down".into() });
        });
        assert_eq!(
            (came.as_slice(), why.code(), why.to_string().as_str()),
            (&b"half"[..], "no-answer", "it is down")
        );
        let (_, why) = pulled(|connection, pipe| {
            drop(pipe);
            say(&connection, &Fetched::Sent);
        });
        assert_eq!(why.code(), "cut-short", "the other host says that it sent all of it");
        let (_, why) = pulled(|connection, pipe| drop((connection, pipe)));
        assert_eq!(why.code(), "no-fetch-room");
    }

    #[test]
    fn without_anybody_who_fetches_that_is_said() {
        let gone = Door::Socket("/nonexistent/fetch.sock".into());
        let why = Pull::begin(&gone, &fetch()).err().unwrap();
        assert_eq!(why.code(), "no-fetch-room");
    }
}

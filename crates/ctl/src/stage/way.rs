//! Connections to a staged Mastodon: made by who may reach its socket, and handed to who speaks HTTP and may not.

use super::door::Door;
use mastmaint_verify::wire;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Mutex, PoisonError},
};

/// The only thing that is said by who wants one.
const ONE_MORE: [u8; 1] = *b"c";

/// The end that wants connections.
#[derive(Debug)]
pub(super) struct Way {
    keeper: UnixStream,
    /// One asks at a time: an answer belongs to the question before it.
    turn: Mutex<()>,
}

impl Way {
    /// By who keeps the door.
    pub(super) const fn by(keeper: UnixStream) -> Self {
        Self { keeper, turn: Mutex::new(()) }
    }

    /// A connection of its own to Mastodon.
    pub(super) fn connect(&self) -> io::Result<UnixStream> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keeper = &self.keeper;
        keeper.write_all(&ONE_MORE)?;
        let (_, handed): (bool, _) = wire::receive(keeper)?;
        let connection = handed.into_iter().next().ok_or_else(|| io::Error::other("nobody takes it"))?;
        Ok(UnixStream::from(OwnedFd::from(connection)))
    }

    /// Whether nobody keeps the door any more: then it is over.
    pub(super) fn is_closed(&self) -> bool {
        let mut look = [PollFd::new(self.keeper.as_fd(), PollFlags::empty())];
        poll(&mut look, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

/// Keeps the door until nobody asks any more. Nothing that a browser has sent comes by here.
pub(super) fn keep(door: &Door, asking: &UnixStream) {
    let (mut from, mut asked) = (asking, [0; 1]);
    while from.read_exact(&mut asked).is_ok() && asked == ONE_MORE {
        let connected = door.connect().ok();
        let handed: Vec<_> = connected.iter().map(UnixStream::as_fd).collect();
        if wire::send(asking, &connected.is_some(), &handed).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::geteuid;
    use std::{fs, os::unix::net::UnixListener, thread};

    #[test]
    fn connections_are_handed_out_while_the_door_is_kept() {
        let at = tempfile::tempdir().unwrap();
        fs::create_dir(at.path().join("scratch")).unwrap();
        let door = Door::open(at.path(), geteuid()).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let ending = ours.try_clone().unwrap();
        let way = Way::by(theirs);
        let keeping = thread::spawn(move || keep(&door, &ours));
        assert!(way.connect().is_err(), "nobody listens");
        let listening = UnixListener::bind(at.path().join("scratch/puma.sock")).unwrap();
        for byte in [b"a", b"b"] {
            way.connect().unwrap().write_all(byte).unwrap();
            let mut came = [0];
            listening.accept().unwrap().0.read_exact(&mut came).unwrap();
            assert_eq!(&came, byte);
        }
        assert!(!way.is_closed());
        ending.shutdown(std::net::Shutdown::Both).unwrap();
        keeping.join().unwrap();
        assert!(way.is_closed() && way.connect().is_err());
    }
}

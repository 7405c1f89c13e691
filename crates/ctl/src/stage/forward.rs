//! The port at which a staged Mastodon is reached: on this host's loopback and nowhere else. Who listens here reads nothing
//! of what comes; the process apart does.

use super::{StageError, door::Door, way::keep};
use crate::error::CtlError;
use std::{
    io,
    net::{Ipv4Addr, Shutdown, TcpListener},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// It ends within seconds of being let go of.
const ENDING: Duration = Duration::from_secs(20);

/// A port that nobody is let in by yet.
#[derive(Debug)]
pub(super) struct Port {
    listener: TcpListener,
    pub(super) number: u16,
}

impl Port {
    /// This one, or any.
    pub(super) fn take(wanted: Option<u16>) -> Result<Self, StageError> {
        let port = wanted.unwrap_or(0);
        let of = |source| StageError::Port { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(of)?;
        listener.set_nonblocking(true).map_err(of)?;
        let number = listener.local_addr().map_err(of)?.port();
        Ok(Self { listener, number })
    }

    /// Has browsers let in by the process that this command starts, until what comes back is dropped.
    pub(super) fn open(self, door: Door, mut apart: Command) -> Result<Forward, CtlError> {
        let failed = |source: io::Error| CtlError::System { what: "cannot let browsers in", source };
        let (asking, theirs) = UnixStream::pair().map_err(failed)?;
        // In a group of its own: Ctrl-C is for us, who let go of it in order.
        apart.process_group(0).stdin(OwnedFd::from(self.listener)).stdout(OwnedFd::from(theirs));
        let child = apart.spawn().map_err(failed)?;
        // It has its ends of both now, and we have none of them.
        drop(apart);
        let asks = asking.try_clone().map_err(failed);
        let mut forward = Forward { child, asking, keeping: None };
        let asks = asks?;
        let keeping = thread::Builder::new().spawn(move || keep(&door, &asks)).map_err(failed)?;
        forward.keeping = Some(keeping);
        Ok(forward)
    }
}

/// An open port.
#[derive(Debug)]
pub(super) struct Forward {
    child: Child,
    asking: UnixStream,
    keeping: Option<JoinHandle<()>>,
}

impl Forward {
    /// Whether nobody lets browsers in any more, which nobody has asked for.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        // That is how both hear of it.
        let _ = self.asking.shutdown(Shutdown::Both);
        let begun = Instant::now();
        while !self.has_ended() && begun.elapsed() < ENDING {
            thread::sleep(LOOK_EVERY);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(keeping) = self.keeping.take() {
            let _ = keeping.join();
        }
    }
}

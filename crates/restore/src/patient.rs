//! A stream that another host writes: who sends nothing for long has gone, and must not keep others from restoring.

use nix::fcntl::{FcntlArg, fcntl};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{self, Read},
    os::fd::AsFd,
};

/// The other host lists all of its names before it sends the first byte; nobody needs longer for tens of millions.
pub(crate) const PATIENCE: Timespec = Timespec { tv_sec: 30 * 60, tv_nsec: 0 };
/// So much is on its way at once.
const PIPE: i32 = 1024 * 1024;

/// Makes a pipe hold more, so that who writes into it need not wait for each file that is made here.
pub(crate) fn widen(pipe: impl AsFd) {
    // What is no pipe, and a smaller one, does, too.
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(PIPE));
}

/// Reads what comes, as long as something does.
#[derive(Debug)]
pub struct Patient<T>(T);

impl<T: AsFd> Patient<T> {
    /// Begins with what comes in here.
    pub fn of(stream: T) -> Self {
        widen(&stream);
        Self(stream)
    }
}

impl<T: Read + AsFd> Read for Patient<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut look = [PollFd::new(&self.0, PollFlags::IN)];
        if poll(&mut look, Some(&PATIENCE))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing has come for half an hour"));
        }
        self.0.read(buffer)
    }
}

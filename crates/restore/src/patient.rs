//! A stream that another host writes: who sends nothing for long has gone, and must not keep others from restoring.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{self, Read},
    os::fd::AsFd,
};

/// The other host lists all of its names before it sends the first byte; nobody needs longer for tens of millions.
pub(crate) const PATIENCE: Timespec = Timespec { tv_sec: 30 * 60, tv_nsec: 0 };

/// Reads what comes, as long as something does.
#[derive(Debug)]
pub struct Patient<T>(pub T);

impl<T: Read + AsFd> Read for Patient<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut look = [PollFd::new(&self.0, PollFlags::IN)];
        if poll(&mut look, Some(&PATIENCE))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing has come for half an hour"));
        }
        self.0.read(buffer)
    }
}

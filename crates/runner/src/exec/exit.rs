//! How the step's loop learns that the main process has ended.

use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::Pid,
};
use std::{
    io::{self, PipeReader},
    os::fd::{AsFd, BorrowedFd},
    thread,
};

/// How the end of the main process is learnt.
#[derive(Debug)]
pub(super) enum Exit {
    /// A thread waits for it and lets go of the other end.
    Told(PipeReader),
    /// There was no room for a thread: it has to be asked.
    Asked(Pid),
    /// It has ended.
    Over,
}

impl Exit {
    /// Readable when the news are there.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Told(pipe) => Some(pipe.as_fd()),
            Self::Asked(_) | Self::Over => None,
        }
    }

    /// Starts to wait for a child. It is left in place, so that its number stays taken until the tree is swept.
    pub(super) fn learn(pid: Pid) -> Self {
        let Ok((reader, writer)) = io::pipe() else { return Self::Asked(pid) };
        let waiter = thread::Builder::new().name("wait".into()).stack_size(64 * 1024).spawn(move || {
            while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
            drop(writer);
        });
        if waiter.is_ok() { Self::Told(reader) } else { Self::Asked(pid) }
    }

    /// Takes the news, if there are any.
    pub(super) fn update(&mut self, is_told: bool) {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        let is_over = match self {
            Self::Told(_) => is_told,
            Self::Asked(pid) => {
                !matches!(waitid(Id::Pid(*pid), flags), Ok(WaitStatus::StillAlive) | Err(Errno::EINTR))
            }
            Self::Over => true,
        };
        if is_over {
            *self = Self::Over;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{process::Command, time::Duration};

    #[test]
    fn an_end_is_learnt_by_asking_too() {
        let mut child = Command::new("sleep").arg("0.2").spawn().unwrap();
        let mut exit = Exit::Asked(Pid::from_raw(i32::try_from(child.id()).unwrap()));
        exit.update(false);
        assert!(matches!(exit, Exit::Asked(_)) && exit.fd().is_none());
        while !matches!(exit, Exit::Over) {
            thread::sleep(Duration::from_millis(10));
            exit.update(false);
        }
        child.wait().unwrap();
    }
}

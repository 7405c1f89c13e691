//! Between who may read backups and who brings them to life: the order, an open dump and a stream of files go one way
//! over a Unix socket, what is said and what came of it the other. Whoever drills needs no right to any file.

use super::{Drilled, Handed, Host, Order, drill};
use crate::{error::VerifyError, prove::Tell};
use mastmaint_words::stage::Up;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    net::Shutdown,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// A longer message is none of ours.
const LONGEST: u64 = 4 * 1024 * 1024;
/// How often who waits looks whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Taking everything down takes some seconds.
const TAKEN_DOWN: Duration = Duration::from_mins(2);
/// Who does not read for so long does not listen any more.
const DEAF: Duration = Duration::from_mins(1);

/// What comes back, one a line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Said(String),
    Up(Up),
    Drilled(Box<Drilled>),
    Failed(String),
}

/// Has a dump brought to life by who is at the other end. What is handed over is the dump, then the files of Mastodon
/// where it shall be started.
pub fn ask(
    room: UnixStream,
    order: &Order,
    handed: &[BorrowedFd<'_>],
    tell: &dyn Tell,
) -> Result<Drilled, VerifyError> {
    send(&room, order, handed).map_err(VerifyError::room)?;
    room.set_read_timeout(Some(LOOK_EVERY)).map_err(VerifyError::room)?;
    let mut from = BufReader::new(room.take(LONGEST));
    let mut line = Vec::new();
    let mut leaving: Option<Instant> = None;
    loop {
        match from.read_until(b'\n', &mut line) {
            Ok(_) if line.last() != Some(&b'\n') => {
                return Err(VerifyError::room(ErrorKind::UnexpectedEof.into()));
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                if !tell.is_cancelled() {
                    continue;
                }
                // The other end sees that nobody waits any more.
                let is_over = leaving.is_some_and(|since| since.elapsed() > TAKEN_DOWN);
                if order.stage.is_none() || is_over {
                    return Err(VerifyError::Cancelled);
                }
                if leaving.is_none() {
                    // A person wants to know when nothing is left.
                    from.get_ref().get_ref().shutdown(Shutdown::Write).map_err(VerifyError::room)?;
                    leaving = Some(Instant::now());
                }
                continue;
            }
            Err(error) => return Err(VerifyError::room(error)),
        }
        match serde_json::from_slice(&line).map_err(|e| VerifyError::room(e.into()))? {
            Answer::Said(text) => tell.say(&text),
            Answer::Up(up) => tell.up(&up),
            Answer::Drilled(drilled) => return Ok(*drilled),
            Answer::Failed(_) if leaving.is_some() => return Err(VerifyError::Cancelled),
            Answer::Failed(text) => return Err(VerifyError::room(io::Error::other(text))),
        }
        line.clear();
    }
}

/// The other end: receives one order, does it, answers. An error is told to who asked, too.
pub fn answer(
    from: &UnixStream,
    place: &Path,
    host: &Host,
    is_cancelled: &AtomicBool,
) -> Result<Drilled, VerifyError> {
    let (order, handed) = receive(from).map_err(VerifyError::room)?;
    from.set_write_timeout(Some(DEAF)).map_err(VerifyError::room)?;
    let hangup = Hangup::new(from, is_cancelled);
    let drilled = drill(&order, handed, place, host, &hangup);
    let told = match &drilled {
        Ok(drilled) => hangup.tell(&Answer::Drilled(Box::new(drilled.clone()))),
        Err(error) => hangup.tell(&Answer::Failed(error.to_string())),
    };
    let drilled = drilled?;
    told.map_err(VerifyError::room)?;
    Ok(drilled)
}

/// Ends a drill when who asked for it is gone, or when we are told to end.
#[derive(Debug)]
pub(super) struct Hangup<'a> {
    from: &'a UnixStream,
    is_cancelled: &'a AtomicBool,
    /// A line did not come through as a whole: nothing that is said after it would be understood.
    is_deaf: AtomicBool,
}

impl<'a> Hangup<'a> {
    const fn new(from: &'a UnixStream, is_cancelled: &'a AtomicBool) -> Self {
        Self { from, is_cancelled, is_deaf: AtomicBool::new(false) }
    }

    fn tell(&self, answer: &Answer) -> io::Result<()> {
        if self.is_deaf.load(Ordering::Relaxed) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        let mut to = self.from;
        to.write_all(&line).inspect_err(|_| self.is_deaf.store(true, Ordering::Relaxed))
    }
}

impl Tell for Hangup<'_> {
    fn say(&self, text: &str) {
        // Who does not listen any more is seen by `is_cancelled`.
        let _ = self.tell(&Answer::Said(text.to_owned()));
    }

    fn up(&self, up: &Up) {
        let _ = self.tell(&Answer::Up(up.clone()));
    }

    fn is_cancelled(&self) -> bool {
        // Nothing is sent after the order: what can be read is the end.
        let mut look = [PollFd::new(self.from, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_told = [self.is_cancelled, &self.is_deaf].iter().any(|flag| flag.load(Ordering::Relaxed));
        is_told || poll(&mut look, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

fn send(to: &UnixStream, order: &Order, handed: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // The room for two may hold a third, by the way it is aligned.
    if handed.len() > 2 || !control.push(SendAncillaryMessage::ScmRights(handed)) {
        return Err(io::Error::other("there is more to hand over than the dump and the files"));
    }
    sendmsg(to, &[IoSlice::new(b"d")], &mut control, SendFlags::NOSIGNAL)?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    let mut to = to;
    to.write_all(&line)
}

fn receive(from: &UnixStream) -> io::Result<(Order, Handed)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut handed = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(handed) => handed.map(File::from).collect(),
        _ => Vec::new(),
    });
    let dump = handed.next().ok_or_else(|| io::Error::other("no dump came with the order"))?;
    let files = handed.next();
    drop(handed);
    let mut line = Vec::new();
    BufReader::new(from.take(LONGEST)).read_until(b'\n', &mut line)?;
    let order: Order = serde_json::from_slice(&line)?;
    if order.boot.is_some() && files.is_none() {
        return Err(io::Error::other("no files of Mastodon came with the order"));
    }
    Ok((order, Handed { dump, files }))
}

#[cfg(test)]
mod tests;

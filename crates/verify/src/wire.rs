//! Between who may read backups and who brings them to life: an order and open files go one way over a Unix socket,
//! what is said and what came of it the other. Whoever brings something to life needs no right to any file.

use crate::prove::Tell;
use mastmaint_words::stage::Up;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    net::Shutdown,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// A longer message is none of ours.
const LONGEST: u64 = 4 * 1024 * 1024;
/// How often who waits looks whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Taking everything down takes some seconds.
const TAKEN_DOWN: Duration = Duration::from_mins(2);

/// What comes back, one a line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer<T> {
    Said(String),
    /// What it is brought to life for can be used.
    Up(Up),
    /// The word is from when nothing but drills was asked for.
    #[serde(rename = "drilled")]
    Done(T),
    Failed(String),
}

/// Why nothing came of asking.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Who asks was told to end.
    #[error("ended before it was done")]
    Cancelled,
    /// The other end does not answer as it should.
    #[error(transparent)]
    Room(#[from] io::Error),
}

/// Until when an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until who asks is told to end.
    WhileWanted,
    /// Beyond that, until everything is taken down: a person wants to know when nothing is left.
    UntilNothingIsLeft,
}

/// Has something done by who is at the other end.
pub fn ask<O: Serialize, T: DeserializeOwned>(
    room: UnixStream,
    order: &O,
    handed: &[BorrowedFd<'_>],
    wait: Wait,
    tell: &dyn Tell,
) -> Result<T, Unanswered> {
    send(&room, order, handed)?;
    room.set_read_timeout(Some(LOOK_EVERY))?;
    let mut from = BufReader::new(room.take(LONGEST));
    let mut line = Vec::new();
    let mut leaving: Option<Instant> = None;
    loop {
        match from.read_until(b'\n', &mut line) {
            Ok(_) if line.last() != Some(&b'\n') => {
                return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                if !tell.is_cancelled() {
                    continue;
                }
                // The other end sees that nobody waits any more.
                let is_over = leaving.is_some_and(|since| since.elapsed() > TAKEN_DOWN);
                if wait == Wait::WhileWanted || is_over {
                    return Err(Unanswered::Cancelled);
                }
                if leaving.is_none() {
                    from.get_ref().get_ref().shutdown(Shutdown::Write)?;
                    leaving = Some(Instant::now());
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        match serde_json::from_slice(&line).map_err(io::Error::from)? {
            Answer::Said(text) => tell.say(&text),
            Answer::Up(up) => tell.up(&up),
            Answer::Done(done) => return Ok(done),
            Answer::Failed(_) if leaving.is_some() => return Err(Unanswered::Cancelled),
            Answer::Failed(text) => return Err(io::Error::other(text).into()),
        }
        line.clear();
    }
}

/// The other end; it ends what it does when who asked is gone, or when it is told to end.
#[derive(Debug)]
pub struct Hangup<'a> {
    from: &'a UnixStream,
    is_cancelled: &'a AtomicBool,
    /// A line did not come through as a whole: nothing that is said after it would be understood.
    is_deaf: AtomicBool,
}

impl<'a> Hangup<'a> {
    /// Of a connection over which the order has come.
    pub const fn new(from: &'a UnixStream, is_cancelled: &'a AtomicBool) -> Self {
        Self { from, is_cancelled, is_deaf: AtomicBool::new(false) }
    }

    /// What came of it.
    pub fn done<T: Serialize>(&self, done: &T) -> io::Result<()> {
        self.tell(&Answer::Done(done))
    }

    /// Why nothing came of it.
    pub fn failed(&self, why: &str) -> io::Result<()> {
        self.tell(&Answer::<()>::Failed(why.to_owned()))
    }

    fn tell<T: Serialize>(&self, answer: &Answer<T>) -> io::Result<()> {
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
        let _ = self.tell(&Answer::<()>::Said(text.to_owned()));
    }

    fn up(&self, up: &Up) {
        let _ = self.tell(&Answer::<()>::Up(up.clone()));
    }

    fn is_cancelled(&self) -> bool {
        // Nothing is sent after the order: what can be read is the end.
        let mut look = [PollFd::new(self.from, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_told = [self.is_cancelled, &self.is_deaf].iter().any(|flag| flag.load(Ordering::Relaxed));
        is_told || poll(&mut look, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

/// Sends an order with what is handed over.
pub fn send(to: &UnixStream, order: &impl Serialize, handed: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // The room for two may hold a third, by the way it is aligned.
    if handed.len() > 2 || !control.push(SendAncillaryMessage::ScmRights(handed)) {
        return Err(io::Error::other("there are more than two files to hand over"));
    }
    sendmsg(to, &[IoSlice::new(b"d")], &mut control, SendFlags::NOSIGNAL)?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    let mut to = to;
    to.write_all(&line)
}

/// Receives an order and what comes with it.
pub fn receive<O: DeserializeOwned>(from: &UnixStream) -> io::Result<(O, Vec<File>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let handed = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(handed) => handed.map(File::from).collect(),
        _ => Vec::new(),
    });
    let handed = handed.collect();
    let mut line = Vec::new();
    BufReader::new(from.take(LONGEST)).read_until(b'\n', &mut line)?;
    Ok((serde_json::from_slice(&line)?, handed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Seek as _, thread};

    static NEVER: AtomicBool = AtomicBool::new(false);

    struct Impatient;

    impl Tell for Impatient {
        fn is_cancelled(&self) -> bool {
            true
        }
    }

    #[test]
    fn an_order_arrives_with_what_is_handed_over() {
        let (a, b) = UnixStream::pair().unwrap();
        let mut dump = tempfile::tempfile().unwrap();
        dump.write_all(b"content").unwrap();
        let (files, mut stream) = io::pipe().unwrap();
        for count in [1, 2] {
            dump.rewind().unwrap();
            let both = [dump.as_fd(), files.as_fd()];
            send(&a, &count, &both[..count]).unwrap();
            let (received, mut got): (usize, _) = receive(&b).unwrap();
            assert_eq!((received, got.len()), (count, count));
            let mut text = String::new();
            got[0].read_to_string(&mut text).unwrap();
            assert_eq!(text, "content");
            if let Some(got) = got.get_mut(1) {
                stream.write_all(b"files").unwrap();
                let mut word = [0; 5];
                got.read_exact(&mut word).unwrap();
                assert_eq!(&word, b"files");
            }
        }
        assert!(send(&a, &1, &[dump.as_fd(); 3]).is_err());
    }

    #[test]
    fn who_hangs_up_ends_it_and_who_says_nothing_is_left() {
        let (a, b) = UnixStream::pair().unwrap();
        let dump = tempfile::tempfile().unwrap();
        let asking =
            thread::spawn(move || ask::<_, u8>(a, &1, &[dump.as_fd()], Wait::WhileWanted, &Impatient));
        let (_, _file): (u8, _) = receive(&b).unwrap();
        let hangup = Hangup::new(&b, &NEVER);
        assert!(matches!(asking.join().unwrap(), Err(Unanswered::Cancelled)));
        assert!(hangup.is_cancelled());
        let (a, b) = UnixStream::pair().unwrap();
        let hangup = Hangup::new(&b, &NEVER);
        assert!(!hangup.is_cancelled());
        drop(a);
        assert!(hangup.is_cancelled());
        let (a, b) = UnixStream::pair().unwrap();
        let dump = tempfile::tempfile().unwrap();
        let answering = thread::spawn(move || receive::<u8>(&b).map(drop));
        let died = ask::<_, u8>(a, &1, &[dump.as_fd()], Wait::WhileWanted, &Impatient);
        answering.join().unwrap().unwrap();
        assert!(matches!(died, Err(Unanswered::Room(_) | Unanswered::Cancelled)), "{died:?}");
    }

    #[test]
    fn what_is_said_and_what_came_of_it_comes_back() {
        struct Listens(std::sync::Mutex<Vec<String>>);
        impl Tell for Listens {
            fn say(&self, text: &str) {
                self.0.lock().unwrap().push(text.to_owned());
            }
        }
        let (a, b) = UnixStream::pair().unwrap();
        let answering = thread::spawn(move || {
            let (order, _): (u32, _) = receive(&b).unwrap();
            let hangup = Hangup::new(&b, &NEVER);
            hangup.say("at work");
            hangup.done(&(order + 1)).unwrap();
        });
        let dump = tempfile::tempfile().unwrap();
        let heard = Listens(std::sync::Mutex::default());
        assert_eq!(ask::<_, u32>(a, &1, &[dump.as_fd()], Wait::WhileWanted, &heard).unwrap(), 2);
        answering.join().unwrap();
        assert_eq!(heard.0.into_inner().unwrap(), ["at work"]);
    }

    #[test]
    fn who_waits_until_nothing_is_left_hangs_up_and_hears_of_it() {
        let ends_with = |answer: &[u8]| {
            let (a, b) = UnixStream::pair().unwrap();
            let dump = tempfile::tempfile().unwrap();
            let asking = thread::spawn(move || {
                ask::<_, u32>(a, &1, &[dump.as_fd()], Wait::UntilNothingIsLeft, &Impatient)
            });
            let _: (u32, _) = receive(&b).unwrap();
            let hangup = Hangup::new(&b, &NEVER);
            while !hangup.is_cancelled() {
                thread::sleep(Duration::from_millis(10));
            }
            let mut to = &b;
            to.write_all(answer).unwrap();
            drop(b);
            asking.join().unwrap()
        };
        assert_eq!(ends_with(b"{\"drilled\":7}\n").unwrap(), 7);
        let failed = ends_with(b"{\"failed\":\"ended before it was done\"}\n");
        assert!(matches!(failed, Err(Unanswered::Cancelled)), "{failed:?}");
    }

    #[test]
    fn who_does_not_listen_has_hung_up() {
        let (a, b) = UnixStream::pair().unwrap();
        b.set_write_timeout(Some(Duration::from_millis(10))).unwrap();
        let hangup = Hangup::new(&b, &NEVER);
        let line = "x".repeat(64 * 1024);
        for _ in 0..100 {
            hangup.say(&line);
        }
        assert!(hangup.is_cancelled(), "nothing that is said now would be understood");
        drop(a);
    }
}

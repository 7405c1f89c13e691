//! Between who may read backups and who brings them to life: the order, an open dump and a stream of files go one way
//! over a Unix socket, what is said and what came of it the other. Whoever drills needs no right to any file.

use super::{Drilled, Handed, Host, Order, drill};
use crate::{
    error::VerifyError,
    handed::{self, LONGEST},
    prove::Tell,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    os::{fd::BorrowedFd, unix::net::UnixStream},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How often who waits looks whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What comes back, one a line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Said(String),
    Drilled(Box<Drilled>),
    Failed(String),
}

/// Has a dump brought to life by who is at the other end. What is handed over is the dump, then the files of Mastodon
/// where it shall be started.
pub fn ask(
    room: UnixStream,
    order: &Order,
    files: &[BorrowedFd<'_>],
    tell: &dyn Tell,
) -> Result<Drilled, VerifyError> {
    handed::send(&room, order, files).map_err(VerifyError::room)?;
    room.set_read_timeout(Some(LOOK_EVERY)).map_err(VerifyError::room)?;
    let mut from = BufReader::new(room.take(LONGEST));
    let mut line = Vec::new();
    loop {
        match from.read_until(b'\n', &mut line) {
            Ok(_) if line.last() != Some(&b'\n') => {
                return Err(VerifyError::room(ErrorKind::UnexpectedEof.into()));
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                if tell.is_cancelled() {
                    // The other end sees that nobody waits any more.
                    return Err(VerifyError::Cancelled);
                }
                continue;
            }
            Err(error) => return Err(VerifyError::room(error)),
        }
        match serde_json::from_slice(&line).map_err(|e| VerifyError::room(e.into()))? {
            Answer::Said(text) => tell.say(&text),
            Answer::Drilled(drilled) => return Ok(*drilled),
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
    let hangup = Hangup { from, is_cancelled };
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
}

impl Hangup<'_> {
    fn tell(&self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        let mut to = self.from;
        to.write_all(&line)
    }
}

impl Tell for Hangup<'_> {
    fn say(&self, text: &str) {
        // Who does not listen any more is seen by `is_cancelled`.
        let _ = self.tell(&Answer::Said(text.to_owned()));
    }

    fn is_cancelled(&self) -> bool {
        // Nothing is sent after the order: what can be read is the end.
        let mut look = [PollFd::new(self.from, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        self.is_cancelled.load(Ordering::Relaxed) || poll(&mut look, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

fn receive(from: &UnixStream) -> io::Result<(Order, Handed)> {
    let (order, files) = handed::receive::<Order>(from)?;
    let mut files = files.into_iter();
    let dump = files.next().ok_or_else(|| io::Error::other("no dump came with the order"))?;
    let files = files.next();
    if order.boot.is_some() && files.is_none() {
        return Err(io::Error::other("no files of Mastodon came with the order"));
    }
    Ok((order, Handed { dump, files }))
}

#[cfg(test)]
mod tests {
    use super::{handed::send, *};
    use crate::drill::{Files, Shape};
    use std::{io::Seek as _, os::fd::AsFd as _, thread};

    struct Impatient;

    impl Tell for Impatient {
        fn is_cancelled(&self) -> bool {
            true
        }
    }

    fn order() -> Order {
        Order {
            dump: "x.dump".to_owned(),
            shape: Shape::Archive(1, 16),
            size: 5,
            domain: Some("mast.test".to_owned()),
            code: [1, 2].into(),
            before: None,
            assertions: vec!["SELECT true".to_owned()],
            reserve: 7,
            boot: None,
        }
    }

    #[test]
    fn an_order_arrives_with_its_dump() {
        let (a, b) = UnixStream::pair().unwrap();
        let mut dump = tempfile::tempfile().unwrap();
        dump.write_all(b"content").unwrap();
        dump.rewind().unwrap();
        let (files, mut stream) = io::pipe().unwrap();
        for with_files in [false, true] {
            dump.rewind().unwrap();
            let both = [dump.as_fd(), files.as_fd()];
            let files = Files { name: "daily.0".to_owned(), bytes: 9, ruby: None };
            let order = Order { boot: with_files.then_some(files), ..order() };
            send(&a, &order, if with_files { &both } else { &both[..1] }).unwrap();
            let (received, mut got) = receive(&b).unwrap();
            let mut text = String::new();
            got.dump.read_to_string(&mut text).unwrap();
            assert_eq!((&received, text.as_str()), (&order, "content"));
            assert_eq!(got.files.is_some(), with_files);
            if let Some(mut got) = got.files {
                stream.write_all(b"files").unwrap();
                let mut word = [0; 5];
                got.read_exact(&mut word).unwrap();
                assert_eq!(&word, b"files");
            }
        }
        assert!(send(&a, &order(), &[dump.as_fd(); 3]).is_err());
        let files = Files { name: "daily.0".to_owned(), bytes: 9, ruby: None };
        send(&a, &Order { boot: Some(files), ..order() }, &[dump.as_fd()]).unwrap();
        assert!(receive(&b).is_err(), "a boot without its files");
    }

    #[test]
    fn who_hangs_up_ends_it_and_who_says_nothing_is_left() {
        let (a, b) = UnixStream::pair().unwrap();
        let dump = tempfile::tempfile().unwrap();
        let asking = thread::spawn(move || ask(a, &order(), &[dump.as_fd()], &Impatient));
        let (_, _file) = receive(&b).unwrap();
        let hangup = Hangup { from: &b, is_cancelled: &AtomicBool::new(false) };
        assert!(matches!(asking.join().unwrap(), Err(VerifyError::Cancelled)));
        assert!(hangup.is_cancelled());
        let (a, b) = UnixStream::pair().unwrap();
        let hangup = Hangup { from: &b, is_cancelled: &AtomicBool::new(false) };
        assert!(!hangup.is_cancelled());
        drop(a);
        assert!(hangup.is_cancelled());
        let (a, b) = UnixStream::pair().unwrap();
        let dump = tempfile::tempfile().unwrap();
        let answering = thread::spawn(move || receive(&b).map(drop));
        let died = ask(a, &order(), &[dump.as_fd()], &Impatient);
        answering.join().unwrap().unwrap();
        assert!(matches!(died, Err(VerifyError::Room(_) | VerifyError::Cancelled)), "{died:?}");
    }
}

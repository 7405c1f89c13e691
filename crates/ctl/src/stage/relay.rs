//! One connection of a browser: one request to the staged Mastodon and its answer back. Nothing of a body is kept.

use super::{
    fields::{LONGEST, end_of},
    reply::reply,
    request::{Refused, request},
    way::Way,
};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// How often who waits looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The head of a request comes at once.
const ASKING: Duration = Duration::from_secs(20);
/// Mastodon may think about an answer, and each part of it may take a while.
const ANSWERING: Duration = Duration::from_mins(2);
/// What was sent to somebody whom we refuse is read away, else the kernel takes the refusal back.
const READ_AWAY: u64 = 256 * 1024;
const FAREWELL: Duration = Duration::from_secs(2);

/// Where requests go, and until when.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) way: Way,
    /// The name by which Mastodon is asked.
    pub(super) host: String,
    pub(super) is_over: AtomicBool,
}

/// Passes one request on. What goes wrong is told to the browser as far as it still listens.
pub(super) fn relay(browser: &TcpStream, site: &Site) {
    let told = prepared(browser).and_then(|()| pass_on(browser, site));
    if let Err(error) = told
        && let Some(refused) = refused(&error)
    {
        refuse(browser, refused);
    }
}

/// Tells a browser that it gets nothing.
pub(super) fn refuse(browser: &TcpStream, refused: Refused) {
    let (status, words) = refused.words();
    let length = words.len() + 1;
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{words}\n"
    );
    // Who does not listen is not told.
    let _ = say_last(browser, text.as_bytes());
}

fn say_last(mut browser: &TcpStream, words: &[u8]) -> io::Result<()> {
    browser.set_nonblocking(false)?;
    browser.set_write_timeout(Some(FAREWELL))?;
    browser.set_read_timeout(Some(FAREWELL))?;
    browser.write_all(words)?;
    browser.shutdown(Shutdown::Write)?;
    io::copy(&mut browser.take(READ_AWAY), &mut io::sink()).map(drop)
}

/// Short, so that who waits sees that it is over.
fn prepared(browser: &TcpStream) -> io::Result<()> {
    browser.set_nonblocking(false)?;
    browser.set_nodelay(true)?;
    browser.set_read_timeout(Some(LOOK_EVERY))?;
    browser.set_write_timeout(Some(LOOK_EVERY))
}

fn pass_on(browser: &TcpStream, site: &Site) -> io::Result<()> {
    let mut from = Patient { stream: browser, patience: ASKING, site };
    let (head, rest) = head_of(&mut from, &BROWSER)?;
    let asked = request(&head, &site.host).map_err(as_error)?;
    let room: UnixStream = site.way.connect().map_err(|_| as_error(Refused::NoAnswer))?;
    room.set_read_timeout(Some(LOOK_EVERY))?;
    room.set_write_timeout(Some(LOOK_EVERY))?;
    let mut to_room = Patient { stream: &room, patience: ANSWERING, site };
    let mut body = rest.chain(&mut from).take(asked.body);
    // Who has heard enough answers and reads no further, be it in the middle of the head.
    let _ = to_room.write_all(&asked.head).and_then(|()| io::copy(&mut body, &mut to_room));

    let mut from_room = Patient { stream: &room, patience: ANSWERING, site };
    let (head, rest) = head_of(&mut from_room, &ROOM)?;
    let head = reply(&head, &site.host, &asked.here).ok_or_else(|| as_error(Refused::NoAnswer))?;
    let mut to = Patient { stream: browser, patience: ANSWERING, site };
    // From here on the browser has its answer, whole or not.
    let passed = to.write_all(&head).and_then(|()| io::copy(&mut rest.chain(&mut from_room), &mut to));
    let _ = passed.and_then(|_| browser.shutdown(Shutdown::Write));
    Ok(())
}

/// What a browser hears when a head does not come as it should.
struct Lacks {
    too_long: Refused,
    no_end: Refused,
    nothing: Option<Refused>,
}

/// Browsers open connections that they only may need.
const BROWSER: Lacks = Lacks { too_long: Refused::HeadTooLong, no_end: Refused::TooSlow, nothing: None };
const ROOM: Lacks =
    Lacks { too_long: Refused::NoAnswer, no_end: Refused::NoAnswer, nothing: Some(Refused::NoAnswer) };

/// A head, and what came with it.
fn head_of(from: &mut impl Read, lacks: &Lacks) -> io::Result<(Vec<u8>, io::Cursor<Vec<u8>>)> {
    let begun = Instant::now();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8 * 1024]);
    loop {
        // Whatever it was that went wrong: nothing more comes.
        let count = from.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(end) = end_of(&bytes).filter(|end| *end <= LONGEST) {
            let rest = bytes.split_off(end);
            return Ok((bytes, io::Cursor::new(rest)));
        }
        if bytes.len() > LONGEST {
            return Err(as_error(lacks.too_long));
        }
        if bytes.is_empty() {
            return Err(lacks.nothing.map_or_else(|| ErrorKind::UnexpectedEof.into(), as_error));
        }
        if count == 0 || begun.elapsed() > ANSWERING {
            return Err(as_error(lacks.no_end));
        }
    }
}

fn as_error(refused: Refused) -> io::Error {
    io::Error::other(Told(refused))
}

fn refused(error: &io::Error) -> Option<Refused> {
    error.get_ref()?.downcast_ref::<Told>().map(|told| told.0)
}

/// A refusal on its way to who tells it.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Told(Refused);

/// Waits for the other side, but not for ever, and not when it is over.
struct Patient<'a, S> {
    stream: &'a S,
    patience: Duration,
    site: &'a Site,
}

impl<S> Patient<'_, S> {
    fn wait<T>(&self, mut once: impl FnMut(&S) -> io::Result<T>) -> io::Result<T> {
        let begun = Instant::now();
        loop {
            match once(self.stream) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if begun.elapsed() > self.patience || self.site.is_over.load(Ordering::Relaxed) {
                        return Err(error);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

impl<S> Read for Patient<'_, S>
where
    for<'s> &'s S: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait(|mut stream| stream.read(buffer))
    }
}

impl<S> Write for Patient<'_, S>
where
    for<'s> &'s S: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(|mut stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{door::Door, way::keep},
        *,
    };
    use mastmaint_verify::wire;
    use nix::unistd::geteuid;
    use std::{
        fs,
        net::TcpListener,
        os::{fd::AsFd as _, unix::net::UnixListener},
        thread,
    };

    /// What a browser gets by this way from a staged Mastodon.
    fn browsed(site: &Site) -> String {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut browser = TcpStream::connect(port.local_addr().unwrap()).unwrap();
        browser.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let ours = port.accept().unwrap().0;
        thread::scope(|scope| {
            scope.spawn(move || relay(&ours, site));
            let mut answer = Vec::new();
            browser.read_to_end(&mut answer).unwrap();
            drop(browser);
            String::from_utf8_lossy(&answer).into_owned()
        })
    }

    fn site(way: UnixStream) -> Site {
        Site { way: Way::by(way), host: "mast.test".to_owned(), is_over: AtomicBool::new(false) }
    }

    /// What a browser gets from a room that does this with its connection; `is_over` is set once the room has it.
    fn got(ends: bool, room: impl FnOnce(UnixStream) + Send + 'static) -> String {
        let at = tempfile::tempdir().unwrap();
        fs::create_dir(at.path().join("scratch")).unwrap();
        let listening = UnixListener::bind(at.path().join("scratch/puma.sock")).unwrap();
        let door = Door::open(at.path(), geteuid()).unwrap();
        let (asking, theirs) = UnixStream::pair().unwrap();
        let letting_go = asking.try_clone().unwrap();
        let keeping = thread::spawn(move || keep(&door, &asking));
        let site = site(theirs);
        let answer = thread::scope(|scope| {
            scope.spawn(|| {
                let (connection, _) = listening.accept().unwrap();
                site.is_over.store(ends, Ordering::Relaxed);
                room(connection);
            });
            browsed(&site)
        });
        letting_go.shutdown(Shutdown::Both).unwrap();
        keeping.join().unwrap();
        answer
    }

    fn says(words: &'static [u8]) -> impl FnOnce(UnixStream) + Send + 'static {
        move |mut room| {
            // It reads no more than it likes.
            drop(room.write_all(words));
        }
    }

    #[test]
    fn an_answer_goes_through_to_its_end() {
        let answer = got(false, says(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\r\n\r\nmore"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\nA: b\r\n") && head.ends_with("\r\nConnection: close"),
            "{head}"
        );
        assert_eq!(body, "body\r\n\r\nmore");
    }

    #[test]
    fn who_answers_before_it_is_asked_is_heard() {
        let (asking, theirs) = UnixStream::pair().unwrap();
        let (mut room, handed) = UnixStream::pair().unwrap();
        room.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\nfull").unwrap();
        drop(room);
        wire::send(&asking, &true, &[handed.as_fd()]).unwrap();
        let answer = browsed(&site(theirs));
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("full"), "{answer}");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for rubbish in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: x\r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
        ] {
            let answer = got(false, says(rubbish));
            assert!(answer.starts_with("HTTP/1.1 502 "), "{rubbish:?}: {answer}");
        }
    }

    #[test]
    fn a_room_that_floods_or_hangs_holds_nobody() {
        let answer = got(false, |mut room| {
            room.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
            while room.write_all(&[b'x'; 4096]).is_ok() {}
        });
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        // It says nothing for ever; the stage ends.
        let answer = got(true, |mut room| drop(room.read_to_end(&mut Vec::new())));
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    }
}

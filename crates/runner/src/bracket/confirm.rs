//! Whether a service answers is asked by the probe room, which has the instance's user and network; the systemctl room
//! has neither. Without walls it is asked here.

use crate::{
    codec,
    probe::{self, Prober},
    protocol::{EventKind, MAX_FRAME, Op, Request, VERSION},
};
use jiff::Timestamp;
use mastmaint_words::{Digest, Room, UnitName};
use std::{
    io::{self, BufReader, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

pub use crate::probe::Said;

/// A service that takes this long has not answered; the probe itself gives up sooner.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a room that does not open is tried.
const OPENING: Duration = Duration::from_secs(5);

/// Who asks services whether they work.
pub trait Asker {
    /// Asks one; `since` is when it was started, so that an older sign of life does not count.
    fn ask(&mut self, digest: &Digest, unit: &UnitName, since: Timestamp) -> Said;
}

/// Asks the probe room.
#[derive(Debug)]
pub struct ProbeRoom {
    socket: PathBuf,
    open: Option<BufReader<UnixStream>>,
}

impl ProbeRoom {
    /// The room whose socket is in this directory.
    pub fn new(rooms: &std::path::Path) -> Self {
        Self { socket: rooms.join(format!("{}.sock", Room::Probe)), open: None }
    }

    fn say(&mut self, op: Op) -> io::Result<EventKind> {
        if self.open.is_none() {
            let stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            let mut reader = BufReader::new(stream);
            hear(&mut reader)?;
            self.open = Some(reader);
        }
        let answer = self.open.as_mut().map_or(Err(io::ErrorKind::NotConnected.into()), |reader| {
            let line = codec::encode(&Request { v: VERSION, op }).map_err(io::Error::other)?;
            reader.get_mut().write_all(&line)?;
            hear(reader)
        });
        if answer.is_err() {
            self.open = None;
        }
        answer
    }
}

fn hear(reader: &mut BufReader<UnixStream>) -> io::Result<EventKind> {
    let line = codec::read_frame(reader, MAX_FRAME).map_err(io::Error::other)?;
    let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
    codec::decode::<crate::protocol::Event>(&line).map(|event| event.kind).map_err(io::Error::other)
}

impl Asker for ProbeRoom {
    fn ask(&mut self, digest: &Digest, unit: &UnitName, since: Timestamp) -> Said {
        let op = Op::Probe { digest: digest.clone(), unit: unit.clone(), since };
        let begin = Instant::now();
        loop {
            // A room that idled is closed by its runner: the next try opens a fresh one.
            match self.say(op.clone()) {
                Ok(EventKind::Probed { said }) => return said,
                Ok(EventKind::Refused { message, .. }) => return Said::NotAsked { why: message },
                Ok(_) => return Said::NotAsked { why: "the probe room speaks another language".to_owned() },
                Err(_) if begin.elapsed() < OPENING => sleep(Duration::from_millis(200)),
                Err(error) => {
                    let why = format!(
                        "the probe room cannot be asked: {error}; see systemctl status mastmaintd-probe.socket"
                    );
                    return Said::NotAsked { why };
                }
            }
        }
    }
}

/// Asks from here, without walls.
#[derive(Debug)]
pub struct Here(pub Prober);

impl Asker for Here {
    fn ask(&mut self, digest: &Digest, unit: &UnitName, since: Timestamp) -> Said {
        probe::probe(&self.0, digest, unit, since).unwrap_or_else(|why| Said::NotAsked { why })
    }
}

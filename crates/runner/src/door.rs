//! A room asked without an executor: one connection that is opened when it is needed and again when it was closed.

use crate::{
    codec,
    protocol::{Event, EventKind, MAX_FRAME, Op, Request, VERSION},
};
use mastmaint_words::Room;
use std::{
    io::{self, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// The way to a room behind systemd's sockets.
#[derive(Debug)]
pub struct Door {
    socket: PathBuf,
    patience: Duration,
    open: Option<BufReader<UnixStream>>,
}

impl Door {
    /// The room whose socket is in this directory; an answer may take this long.
    pub fn of(rooms: &Path, room: Room, patience: Duration) -> Self {
        Self { socket: rooms.join(format!("{room}.sock")), patience, open: None }
    }

    /// Asks something that has one answer.
    ///
    /// # Errors
    /// If the room cannot be opened, or says nothing that is understood in time.
    pub fn ask(&mut self, op: Op) -> io::Result<EventKind> {
        if self.open.is_none() {
            let stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(self.patience))?;
            stream.set_write_timeout(Some(self.patience))?;
            let mut reader = BufReader::new(stream);
            // Its hello.
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
    codec::decode::<Event>(&line).map(|event| event.kind).map_err(io::Error::other)
}

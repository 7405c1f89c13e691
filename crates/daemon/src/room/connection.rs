//! One connection to a room: requests out, events in, each a capped line of JSON. A room that says nothing, says
//! rubbish or says too much is an error here and costs at most one frame of memory.

use mastmaint_runner::protocol::{Event, EventKind, MAX_FRAME, OLDEST_VERSION, Op, Request, VERSION};
use mastmaint_words::Room;
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A loaded host starts a sandboxed unit in some 40 ms; one that takes this long will not do it.
const HELLO_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a room did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// It cannot be opened. Nothing was asked of it yet.
    #[error("the {room} room cannot be opened ({why}); {remedy}")]
    Unavailable {
        /// Which.
        room: Room,
        /// What the system said.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The connection ended before the answer. Whatever was asked may be going on.
    #[error("the {room} room closed the connection")]
    Lost {
        /// Which.
        room: Room,
    },
    /// It says something that this version does not understand.
    #[error("the {room} room does not speak our protocol ({why}); restart mastmaintd after an upgrade")]
    Protocol {
        /// Which.
        room: Room,
        /// What was wrong.
        why: String,
    },
    /// It refused.
    #[error("the {room} room refused: {message}")]
    Refused {
        /// Which.
        room: Room,
        /// Its stable code.
        code: String,
        /// Its words.
        message: String,
    },
}

impl RoomError {
    pub(super) fn unavailable(room: Room, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unavailable { room, why: why.into(), remedy: remedy.into() }
    }
}

/// An open room.
#[derive(Debug)]
pub struct Connection {
    room: Room,
    reader: BufReader<OwnedReadHalf>,
    /// What was read of the line under way: kept here so that dropping [`Connection::event`] loses nothing.
    line: Vec<u8>,
    writer: OwnedWriteHalf,
}

impl Connection {
    /// Waits for the hello. An end of the connection before it means that the unit could not be started.
    pub(super) async fn greet(stream: UnixStream, room: Room, remedy: String) -> Result<Self, RoomError> {
        let (reader, writer) = stream.into_split();
        let mut connection = Self { room, reader: BufReader::new(reader), line: Vec::new(), writer };
        let unavailable = |why: &str| RoomError::unavailable(room, why, remedy);
        match tokio::time::timeout(HELLO_TIMEOUT, connection.event()).await {
            Err(_) => Err(unavailable("it says nothing")),
            Ok(Err(RoomError::Lost { .. })) => Err(unavailable("its unit does not start")),
            Ok(Err(error)) => Err(error),
            Ok(Ok(event)) => {
                match event.kind {
                    EventKind::Hello { room: there, oldest, .. } if there == room && oldest <= VERSION => {
                        Ok(connection)
                    }
                    EventKind::Hello { room: there, .. } if there != room => {
                        Err(connection.protocol(format!("it says it is the {there} room")))
                    }
                    EventKind::Hello { oldest, .. } => Err(connection
                        .protocol(format!("it speaks version {oldest} and newer, we speak {VERSION}"))),
                    EventKind::Refused { code, message } => Err(RoomError::Refused { room, code, message }),
                    other => Err(connection.protocol(format!("no hello but {other:?}"))),
                }
            }
        }
    }

    /// Sends a request.
    pub async fn ask(&mut self, op: Op) -> Result<(), RoomError> {
        let mut line =
            serde_json::to_vec(&Request { v: VERSION, op }).map_err(|e| self.protocol(e.to_string()))?;
        line.push(b'\n');
        self.writer.write_all(&line).await.map_err(|_| RoomError::Lost { room: self.room })
    }

    /// Waits for the next thing that the room says. Can be dropped and called again.
    pub async fn event(&mut self) -> Result<Event, RoomError> {
        let room_left = MAX_FRAME.saturating_sub(self.line.len());
        let cap = u64::try_from(room_left).unwrap_or(u64::MAX);
        let read = (&mut self.reader).take(cap).read_until(b'\n', &mut self.line).await;
        if read.is_err() || !self.line.ends_with(b"\n") {
            return Err(if self.line.len() >= MAX_FRAME {
                self.protocol(format!("a line of more than {MAX_FRAME} bytes"))
            } else {
                RoomError::Lost { room: self.room }
            });
        }
        let line = std::mem::take(&mut self.line);
        let event: Event = serde_json::from_slice(&line).map_err(|e| self.protocol(e.to_string()))?;
        if event.v < OLDEST_VERSION {
            return Err(self.protocol(format!("version {} is too old", event.v)));
        }
        Ok(event)
    }

    /// Sends a request that has one answer, and waits for it.
    pub async fn ask_once(&mut self, op: Op) -> Result<EventKind, RoomError> {
        self.ask(op).await?;
        match self.event().await?.kind {
            EventKind::Refused { code, message } => {
                Err(RoomError::Refused { room: self.room, code, message })
            }
            kind => Ok(kind),
        }
    }

    fn protocol(&self, why: String) -> RoomError {
        RoomError::Protocol { room: self.room, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    async fn greet(says: &[u8], close: bool) -> Result<Connection, RoomError> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let says = says.to_vec();
        let speaker = tokio::spawn(async move {
            let _ = theirs.write_all(&says).await;
            (!close).then_some(theirs)
        });
        let greeted = Connection::greet(ours, Room::Tootctl, "look at it".into()).await;
        drop(speaker.await.unwrap());
        greeted
    }

    #[tokio::test]
    async fn a_room_that_does_not_start_says_what_to_do() {
        let error = greet(b"", true).await.unwrap_err().to_string();
        assert_eq!(error, "the tootctl room cannot be opened (its unit does not start); look at it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_that_says_nothing_is_given_up() {
        let error = greet(b"", false).await.unwrap_err().to_string();
        assert!(error.contains("says nothing"), "{error}");
    }

    #[tokio::test]
    async fn rubbish_and_endless_lines_are_errors() {
        assert!(matches!(greet(b"rubbish\n", false).await, Err(RoomError::Protocol { .. })));
        assert!(matches!(greet(&vec![b'x'; MAX_FRAME * 2], false).await, Err(RoomError::Protocol { .. })));
        let other = br#"{"v":1,"event":"hello","room":"run","program":"x","oldest":1}"#;
        let error = greet(&[other.as_slice(), b"\n"].concat(), false).await.unwrap_err();
        assert!(error.to_string().contains("it says it is the run room"), "{error}");
    }

    #[tokio::test]
    async fn a_newer_room_is_understood_if_it_understands_us() {
        let hello =
            br#"{"v":2,"event":"hello","room":"tootctl","program":"0.2","oldest":1,"new_field":true}"#;
        assert!(greet(&[hello.as_slice(), b"\n"].concat(), false).await.is_ok());
        let hello = br#"{"v":3,"event":"hello","room":"tootctl","program":"0.3","oldest":2}"#;
        assert!(greet(&[hello.as_slice(), b"\n"].concat(), false).await.is_err());
    }
}

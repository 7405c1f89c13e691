//! The asking side, blocking: what mastmaintctl uses. A connection asks one thing after the other.

use crate::{
    wire,
    words::{MAX_REPLY, Reply, Request},
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

/// Why the daemon did not answer. An answer of its own, be it a refusal, is a [`Reply`].
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens. Exit status 4.
    #[error("mastmaintd does not answer at {}: {why}; see `systemctl status mastmaintd`", .path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The socket is not for this user: the daemon is there, but not for them. Exit status 1.
    #[error("no permission for {}: {}", .path.display(), if *.doing {
        "only root may run, cancel, pause, resume, reload, ack and notify; use sudo"
    } else {
        "use sudo, or join the group mastmaintd to look"
    })]
    PermissionDenied {
        /// The socket.
        path: PathBuf,
        /// Whether it is the one for doing.
        doing: bool,
    },
    /// What came is no reply. Exit status 4.
    #[error("{} speaks another language: {why}; are mastmaintd and mastmaintctl of the same version?", .path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Client {
    /// Connects. `timeout` bounds each wait for an answer; `None` waits for as long as it takes, as following a run
    /// does.
    ///
    /// # Errors
    /// If nobody listens there or this user may not knock.
    pub fn connect(path: &Path, timeout: Option<Duration>) -> Result<Self, ClientError> {
        let of = |e: io::Error| ClientError::from_io(path, &e);
        let stream = UnixStream::connect(path).map_err(of)?;
        stream.set_read_timeout(timeout).map_err(of)?;
        stream.set_write_timeout(timeout).map_err(of)?;
        Ok(Self { path: path.to_owned(), stream: BufReader::new(stream) })
    }

    /// Asks one thing and waits for its one answer.
    ///
    /// # Errors
    /// If no answer came.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.send(request)?;
        match self.receive()? {
            Some(reply) => Ok(reply),
            None => Err(self.unreachable("it closed the connection without an answer")),
        }
    }

    /// Asks a thing that is answered piece by piece, up to [`Reply::Done`], an error, or the end of a followed run.
    ///
    /// # Errors
    /// If it could not be asked.
    pub fn stream(&mut self, request: &Request) -> Result<Replies<'_>, ClientError> {
        self.send(request)?;
        Ok(Replies { client: self, over: false })
    }

    fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        let line = wire::encode_request(request)
            .map_err(|why| ClientError::Protocol { path: self.path.clone(), why })?;
        match self.stream.get_mut().write_all(&line) {
            // Whoever hung up before it was asked may have said why: that is read next.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|e| ClientError::from_io(&self.path, &e)),
        }
    }

    fn receive(&mut self) -> Result<Option<Reply>, ClientError> {
        let mut line = Vec::new();
        // One byte more than allowed: a line that fills it is too long.
        let limit = u64::try_from(MAX_REPLY).unwrap_or(u64::MAX).saturating_add(1);
        self.stream
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(|e| ClientError::from_io(&self.path, &e))?;
        if line.is_empty() {
            return Ok(None);
        }
        let protocol = |why: String| ClientError::Protocol { path: self.path.clone(), why };
        if line.len() > MAX_REPLY {
            return Err(protocol(format!("a reply of more than {MAX_REPLY} bytes")));
        }
        if line.last() != Some(&b'\n') {
            return Err(self.unreachable("it ended in the middle of an answer"));
        }
        serde_json::from_slice(&line).map(Some).map_err(|e| protocol(e.to_string()))
    }

    fn unreachable(&self, why: &str) -> ClientError {
        ClientError::Unreachable { path: self.path.clone(), why: why.to_owned() }
    }
}

/// The pieces of an answer. Ends after the last one; a connection that breaks before is an error.
#[derive(Debug)]
pub struct Replies<'a> {
    client: &'a mut Client,
    over: bool,
}

impl Iterator for Replies<'_> {
    type Item = Result<Reply, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = match self.client.receive() {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(self.client.unreachable("it closed the connection before the end")),
            Err(e) => Err(e),
        };
        self.over = next.as_ref().map_or(true, Reply::is_last);
        Some(next)
    }
}

impl ClientError {
    fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let doing = path.file_name().is_some_and(|name| name == "control.sock");
                Self::PermissionDenied { path, doing }
            }
            io::ErrorKind::NotFound => Self::Unreachable { path, why: "there is no such socket".to_owned() },
            io::ErrorKind::ConnectionRefused => Self::Unreachable { path, why: "nobody listens".to_owned() },
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Self::Unreachable { path, why: "no answer in time".to_owned() }
            }
            _ => Self::Unreachable { path, why: error.to_string() },
        }
    }
}

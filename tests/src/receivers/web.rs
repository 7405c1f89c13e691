//! A web server that answers every request with one status, and keeps what it was asked.

use super::Identity;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
};

/// More of a body is not read.
const MOST_BODY: u64 = 1024 * 1024;

/// A web server that answers every request with one status.
#[derive(Debug)]
pub struct WebServer {
    scheme: &'static str,
    address: SocketAddr,
    status: Arc<AtomicU16>,
    requests: Arc<Mutex<Vec<WebRequest>>>,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct WebRequest {
    /// What was asked for: `/start`.
    pub path: String,
    /// The lines of its head.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl WebServer {
    /// Listens on a port of its own and says 200 to everything.
    pub fn start() -> io::Result<Self> {
        Self::listen(None)
    }

    /// The same behind TLS.
    pub fn start_as(identity: &Identity) -> io::Result<Self> {
        Self::listen(Some(identity.clone()))
    }

    fn listen(identity: Option<Identity>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (status, requests) = (Arc::new(AtomicU16::new(200)), Arc::<Mutex<Vec<WebRequest>>>::default());
        let scheme = if identity.is_some() { "https" } else { "http" };
        let server = Self { scheme, address: listener.local_addr()?, status, requests };
        let (status, requests) = (Arc::clone(&server.status), Arc::clone(&server.requests));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away in the middle has asked nothing.
                let status = status.load(Ordering::SeqCst);
                let _gone = match &identity {
                    None => answer(&stream, &requests, status),
                    Some(identity) => identity.behind_tls(stream).and_then(|s| answer(s, &requests, status)),
                };
            }
        });
        Ok(server)
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}/{path}", self.scheme, self.address)
    }

    /// What it says from now on.
    pub fn says(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What came in so far.
    pub fn requests(&self) -> Vec<WebRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(stream: impl Read + Write, requests: &Mutex<Vec<WebRequest>>, status: u16) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        head.push_str(&line);
    }
    let mut body = Vec::new();
    reader.by_ref().take(length.min(MOST_BODY)).read_to_end(&mut body)?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = String::from_utf8_lossy(&body).into_owned();
    requests.lock().unwrap_or_else(PoisonError::into_inner).push(WebRequest { path, head, body });
    let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(text.as_bytes())?;
    reader.get_mut().flush()
}

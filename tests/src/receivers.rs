//! Those who are told: a mail server and a web server that keep what they get. Each is a thread for as long as the test
//! process runs.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
};

/// More of a body is not read.
const MOST_BODY: u64 = 1024 * 1024;

/// A mail server that takes every mail.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    mails: Arc<Mutex<Vec<Mail>>>,
}

/// A mail as it came in.
#[derive(Debug, Clone)]
pub struct Mail {
    /// To whom its envelope says.
    pub to: String,
    /// Headers and body.
    pub text: String,
}

impl Mail {
    /// The subject, on one line.
    pub fn subject(&self) -> &str {
        self.text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default()
    }
}

impl MailServer {
    /// Listens on a port of its own.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = Self { address: listener.local_addr()?, mails: Arc::default() };
        let mails = Arc::clone(&server.mails);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mails = Arc::clone(&mails);
                // A client that goes away in the middle has sent no mail.
                thread::spawn(move || drop(converse(&stream, &mails)));
            }
        });
        Ok(server)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What came in so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn converse(stream: &TcpStream, mails: &Mutex<Vec<Mail>>) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let mut to = String::new();
    writer.write_all(b"220 test ESMTP\r\n")?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let word = line.split([' ', '\r', '\n', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match word.as_str() {
            "RCPT" => {
                line.trim_end().clone_into(&mut to);
                b"250 ok\r\n"
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n")?;
                let text = data(&mut reader)?;
                let mail = Mail { to: to.clone(), text };
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                b"250 2.0.0 queued as TEST\r\n"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        writer.write_all(answer)?;
        line.clear();
    }
    Ok(())
}

fn data(reader: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "." => return Ok(text),
            other => text.extend([other.strip_prefix("..").map_or(other, |_| &other[1..]), "\n"]),
        }
    }
}

/// A web server that answers every request with one status.
#[derive(Debug)]
pub struct WebServer {
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
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (status, requests) = (Arc::new(AtomicU16::new(200)), Arc::<Mutex<Vec<WebRequest>>>::default());
        let server = Self { address: listener.local_addr()?, status, requests };
        let (status, requests) = (Arc::clone(&server.status), Arc::clone(&server.requests));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away in the middle has asked nothing.
                let _gone = answer(&stream, &requests, status.load(Ordering::SeqCst));
            }
        });
        Ok(server)
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
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

fn answer(mut stream: &TcpStream, requests: &Mutex<Vec<WebRequest>>, status: u16) -> io::Result<()> {
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
    reader.take(length.min(MOST_BODY)).read_to_end(&mut body)?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = String::from_utf8_lossy(&body).into_owned();
    requests.lock().unwrap_or_else(PoisonError::into_inner).push(WebRequest { path, head, body });
    let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(text.as_bytes())
}

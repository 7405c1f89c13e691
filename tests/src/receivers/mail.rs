//! A mail server that takes every mail: in the clear, after STARTTLS or behind TLS, from everybody or after a login.

use super::Identity;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// What stands between the client and the mail.
#[derive(Debug, Clone)]
pub enum Walls {
    /// Nothing.
    None,
    /// The connection is behind TLS once the client asks for it.
    Starttls(Identity),
    /// It is from the first byte.
    Tls(Identity),
}

/// Who may send.
#[derive(Debug, Clone)]
pub enum Login {
    /// Everybody.
    Nobody,
    /// Whoever says this by `AUTH PLAIN` (base64 of NUL, user, NUL, password).
    Plain(&'static str),
}

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
        Self::start_behind(Walls::None, Login::Nobody)
    }

    /// The same behind walls.
    pub fn start_behind(walls: Walls, login: Login) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = Self { address: listener.local_addr()?, mails: Arc::default() };
        let mails = Arc::clone(&server.mails);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mails, walls, login) = (Arc::clone(&mails), walls.clone(), login.clone());
                // A client that goes away in the middle has sent no mail.
                thread::spawn(move || drop(admit(stream, &walls, &login, &mails)));
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

fn admit(stream: TcpStream, walls: &Walls, login: &Login, mails: &Mutex<Vec<Mail>>) -> io::Result<()> {
    match walls {
        Walls::None => greet(&stream).and_then(|()| converse(&stream, login, None, mails)).map(drop),
        Walls::Tls(identity) => {
            let mut stream = identity.behind_tls(stream)?;
            greet(&mut stream)?;
            converse(stream, login, None, mails).map(drop)
        }
        Walls::Starttls(identity) => {
            greet(&stream)?;
            match converse(&stream, login, Some("250-STARTTLS\r\n"), mails)? {
                Then::Bye => Ok(()),
                Then::Starttls => converse(identity.behind_tls(stream)?, login, None, mails).map(drop),
            }
        }
    }
}

/// How a conversation ended.
enum Then {
    Bye,
    Starttls,
}

fn greet(mut stream: impl Write) -> io::Result<()> {
    stream.write_all(b"220 test ESMTP\r\n")?;
    stream.flush()
}

/// `offer` is what is offered before anybody may log in or send.
fn converse(
    stream: impl Read + Write,
    login: &Login,
    offer: Option<&str>,
    mails: &Mutex<Vec<Mail>>,
) -> io::Result<Then> {
    let mut stream = BufReader::new(stream);
    let mut to = String::new();
    let mut is_known = matches!(login, Login::Nobody);
    let mut line = String::new();
    while stream.read_line(&mut line)? > 0 {
        let word = line.split([' ', '\r', '\n', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let mut then = None;
        let answer = match word.as_str() {
            "EHLO" => format!("250-test\r\n{}250 AUTH PLAIN\r\n", offer.unwrap_or_default()),
            "STARTTLS" if offer.is_some() => {
                then = Some(Then::Starttls);
                "220 go on\r\n".to_owned()
            }
            _ if offer.is_some() => "530 5.7.0 first STARTTLS\r\n".to_owned(),
            "AUTH" => {
                let said = line.trim_end().rsplit(' ').next().unwrap_or_default();
                is_known |= matches!(login, Login::Plain(expected) if *expected == said);
                (if is_known { "235 2.7.0 welcome\r\n" } else { "535 5.7.8 wrong password\r\n" }).to_owned()
            }
            "QUIT" => {
                then = Some(Then::Bye);
                "221 bye\r\n".to_owned()
            }
            "MAIL" if !is_known => "530 5.7.0 who are you\r\n".to_owned(),
            "RCPT" => {
                line.trim_end().clone_into(&mut to);
                "250 ok\r\n".to_owned()
            }
            "DATA" => {
                say(&mut stream, "354 go on\r\n")?;
                let text = data(&mut stream)?;
                let mail = Mail { to: to.clone(), text };
                mails.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                "250 2.0.0 queued as TEST\r\n".to_owned()
            }
            _ => "250 ok\r\n".to_owned(),
        };
        say(&mut stream, &answer)?;
        if let Some(then) = then {
            return Ok(then);
        }
        line.clear();
    }
    Ok(Then::Bye)
}

fn say(stream: &mut BufReader<impl Read + Write>, text: &str) -> io::Result<()> {
    stream.get_mut().write_all(text.as_bytes())?;
    stream.get_mut().flush()
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

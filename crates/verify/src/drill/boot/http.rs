//! One question in HTTP over a Unix socket.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

/// A page of Mastodon has some 100 kB.
const LONGEST: u64 = 8 * 1024 * 1024;

/// How often who waits looks whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Asks as the web server in front of Mastodon does. Version 1.0: the answer ends with the connection.
pub(super) fn get(
    socket: &Path,
    path: &str,
    host: &str,
    patience: Duration,
    is_cancelled: &dyn Fn() -> bool,
) -> io::Result<Answer> {
    let begun = Instant::now();
    let mut connection = UnixStream::connect(socket)?;
    connection.set_read_timeout(Some(LOOK_EVERY))?;
    connection.set_write_timeout(Some(patience))?;
    let question = format!(
        "GET {path} HTTP/1.0\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 127.0.0.1\r\n\
         User-Agent: mastmaintd\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    let mut connection = connection.take(LONGEST);
    // What was read before a look stays read.
    while let Err(error) = connection.read_to_end(&mut answer) {
        let is_late = begun.elapsed() > patience || is_cancelled();
        if is_late || !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            return Err(error);
        }
    }
    read(&answer)
}

fn read(answer: &[u8]) -> io::Result<Answer> {
    let text = String::from_utf8_lossy(answer);
    let none = || io::Error::new(io::ErrorKind::InvalidData, "that is no answer in HTTP");
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(none)?;
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.get(..3)?.parse().ok());
    Ok(Answer { status: status.ok_or_else(none)?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_left() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join("socket");
        let listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let ask = |patience, is_cancelled| get(&socket, "/", "mast.test", patience, &|| is_cancelled);
        assert!(ask(Duration::from_millis(1), false).is_err());
        assert!(ask(Duration::MAX, true).is_err());
        drop(listening);
    }

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>\r\n\r\n</html>";
        assert_eq!(read(text).unwrap(), Answer { status: 200, body: "<html>\r\n\r\n</html>".to_owned() });
        assert_eq!(read(b"HTTP/1.0 500 \r\n\r\n").unwrap(), Answer { status: 500, body: String::new() });
        for rubbish in ["", "200 OK\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n"]
        {
            assert!(read(rubbish.as_bytes()).is_err(), "{rubbish:?}");
        }
    }
}

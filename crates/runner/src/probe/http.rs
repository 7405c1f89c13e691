//! One question over HTTP: a GET, of whose answer the status line counts. Behind a proxy is where the services believe
//! themselves, so they are asked as their proxy asks them.

use super::{Said, wire};
use mastmaint_instance::Listening;
use std::io::{self, Read, Write};

/// A status line is short; what follows it is not read.
const STATUS_LINE: u64 = 256;

/// Asks for a page that must be there.
pub(super) fn get(at: &Listening, host: &str, page: &str) -> Said {
    match status(at, host, page) {
        Ok(200) => Said::Answers { what: format!("{page} at {at} answers 200") },
        Ok(status) => Said::Silent { why: format!("{page} at {at} answers {status}") },
        Err(error) => Said::Silent { why: format!("{page} at {at}: {error}") },
    }
}

fn status(at: &Listening, host: &str, page: &str) -> io::Result<u16> {
    let mut stream = wire::connect(at)?;
    // Without these two Rails answers 403 or 301.
    let request = format!(
        "GET {page} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\nUser-Agent: mastmaintd\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    let mut byte = [0];
    let mut answer = stream.take(STATUS_LINE);
    while answer.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    parse(&String::from_utf8_lossy(&line))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what answers there does not speak HTTP"))
}

fn parse(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader},
        net::TcpListener,
        os::unix::net::UnixListener,
        thread,
    };

    fn answering(
        mut stream: impl Read + Write + Send + 'static,
        answer: &'static str,
    ) -> thread::JoinHandle<String> {
        thread::spawn(move || {
            let mut asked = String::new();
            let mut reader = BufReader::new(&mut stream);
            while reader.read_line(&mut asked).unwrap() > 2 {}
            stream.write_all(answer.as_bytes()).unwrap();
            asked
        })
    }

    #[test]
    fn only_200_counts_and_it_is_asked_as_a_proxy_asks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("puma.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let at = Listening::Unix(path);
        let asking = thread::spawn(move || get(&at, "social.example", "/about"));
        let asked = answering(listener.accept().unwrap().0, "HTTP/1.1 200 OK\r\n\r\n").join().unwrap();
        assert!(
            asked.starts_with("GET /about HTTP/1.1\r\nHost: social.example\r\nX-Forwarded-Proto: https\r\n")
        );
        assert!(matches!(asking.join().unwrap(), Said::Answers { .. }));
        for answer in
            ["HTTP/1.1 500 Internal Server Error\r\n\r\n", "HTTP/1.1 301 Moved\r\n\r\n", "SSH-2.0-x\r\n", ""]
        {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let at = Listening::Tcp { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
            let asking = thread::spawn(move || get(&at, "social.example", "/about"));
            answering(listener.accept().unwrap().0, answer).join().unwrap();
            assert!(matches!(asking.join().unwrap(), Said::Silent { .. }), "{answer}");
        }
    }

    #[test]
    fn nobody_there_is_silent_and_says_where() {
        let said = get(&Listening::Unix("/nowhere/puma.sock".into()), "social.example", "/about");
        assert!(matches!(said, Said::Silent { why } if why.contains("/nowhere/puma.sock")));
    }
}

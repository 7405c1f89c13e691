//! A small object store: keeps names of objects, answers HEAD, DELETE and a listing, and refuses deletions or listings
//! as stores do.

use std::{
    collections::BTreeSet,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// A running store. Its thread ends with the process.
#[derive(Debug, Clone)]
pub struct Bucket {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// What it keeps and how it answers.
#[derive(Debug, Default)]
pub struct State {
    /// Keys of its objects.
    pub objects: BTreeSet<String>,
    /// Status of the answer to every deletion, which is then not done.
    pub refuses_deletions: Option<u16>,
    /// Status of the answer to every HEAD.
    pub refuses_looks: Option<u16>,
    /// Requests that came without a signature.
    pub unsigned: usize,
    /// Requests so far: method and key.
    pub seen: Vec<(String, String)>,
}

impl Bucket {
    /// A store with these objects in the bucket `media`.
    ///
    /// # Errors
    /// If there is no port for it.
    pub fn start(objects: impl IntoIterator<Item = String>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let state = State { objects: objects.into_iter().collect(), ..State::default() };
        let bucket = Self { address: listener.local_addr()?, state: Arc::new(Mutex::new(state)) };
        let serving = bucket.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bucket = serving.clone();
                // A client that breaks off is its own affair.
                thread::spawn(move || drop(bucket.serve(&stream)));
            }
        });
        Ok(bucket)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its state, to be looked at and changed.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first)? == 0 {
                return Ok(());
            }
            let mut signed = false;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                signed |=
                    line.to_ascii_lowercase().starts_with("authorization: aws4-hmac-sha256 credential=");
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut words = first.split_whitespace();
            let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (status, body) = self.answer(method, target, signed);
            let length = body.len();
            let mut stream = stream;
            write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}")?;
        }
    }

    fn answer(&self, method: &str, target: &str, signed: bool) -> (u16, String) {
        let mut state = self.state();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let key = path.trim_start_matches("/media").trim_start_matches('/').to_owned();
        state.unsigned += usize::from(!signed && method != "DELETE");
        state.seen.push((method.to_owned(), key.clone()));
        match method {
            "HEAD" => match state.refuses_looks {
                Some(status) => (status, String::new()),
                None => (if state.objects.contains(&key) { 200 } else { 404 }, String::new()),
            },
            "DELETE" => {
                let refused = state.refuses_deletions;
                if refused.is_none() {
                    state.objects.remove(&key);
                }
                (refused.unwrap_or(204), String::new())
            }
            "GET" => (200, list(&state.objects, query)),
            _ => (405, String::new()),
        }
    }
}

/// The first keys with the prefix that come after `start-after`.
fn list(objects: &BTreeSet<String>, query: &str) -> String {
    let value = |name: &str| {
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.unwrap_or_default().replace("%2F", "/").replace("%7E", "~")
    };
    let (prefix, after) = (value("prefix"), value("start-after"));
    let most = value("max-keys").parse().unwrap_or(1000);
    let keys =
        objects.iter().filter(|key| key.starts_with(&prefix) && key.as_str() > after.as_str()).take(most);
    let listed =
        keys.map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect::<Vec<_>>().concat();
    format!("<?xml version=\"1.0\"?><ListBucketResult>{listed}</ListBucketResult>")
}

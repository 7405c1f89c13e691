//! Whether a Sidekiq lives: its unit being active says nothing, its heartbeat in Redis does. Each process writes one
//! every ten seconds under `HOST:PID:NONCE`. That of another process (another unit, another host) says nothing of this
//! one; one from before the start belongs to the process that was stopped.

use super::{
    Said,
    resp::{self, Value},
    wire::{self, Stream},
};
use jiff::Timestamp;
use mastmaint_instance::Redis;
use std::{
    collections::BTreeSet,
    io::{self, BufRead, BufReader, Read, Write},
};

/// Older than this, and Sidekiq itself counts a process as dead.
const FRESH_SECONDS: f64 = 60.0;
/// Heartbeats that are read of one unit: a number may have been used by processes that are long gone.
const MOST_BEATS: usize = 50;

/// The processes that a unit has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Processes {
    /// What they take the host's name to be.
    pub(super) host: String,
    /// Their numbers.
    pub(super) pids: BTreeSet<u32>,
}

/// Whether a Sidekiq process of a unit has given a sign of life since it was started.
pub(super) fn heartbeat(redis: &Redis, of: &Processes, since: Timestamp, now: Timestamp) -> Said {
    match beats(redis, of) {
        Ok(beats) => judge(&beats, of, since, now, redis),
        Err(error) => Said::Silent { why: format!("Redis at {}: {error}", redis.at) },
    }
}

/// What Redis says of a unit's processes.
#[derive(Debug, Clone, Default, PartialEq)]
struct Beats {
    /// When each gave a sign of life, in seconds since 1970.
    own: Vec<f64>,
    /// A process of somebody else's.
    other: Option<String>,
}

fn judge(beats: &Beats, of: &Processes, since: Timestamp, now: Timestamp, redis: &Redis) -> Said {
    let seconds = |at: Timestamp| at.as_duration().as_secs_f64();
    let newest = beats.own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let age = seconds(now) - newest;
    if newest >= seconds(since) && age < FRESH_SECONDS {
        return Said::Answers {
            what: format!("its heartbeat in Redis at {} is {:.0} s old", redis.at, age.max(0.0)),
        };
    }
    if !beats.own.is_empty() {
        let how = if newest < seconds(since) {
            "from before the start".to_owned()
        } else {
            format!("{age:.0} s old")
        };
        return Said::Silent { why: format!("its heartbeat in Redis at {} is {how}", redis.at) };
    }
    let pids: Vec<String> = of.pids.iter().map(ToString::to_string).collect();
    let others = match &beats.other {
        Some(other) => format!(", only of others ({other})"),
        None => String::new(),
    };
    let why = format!(
        "there is no heartbeat of its process {}:{} in Redis at {}{others}",
        of.host,
        pids.join("|"),
        redis.at
    );
    Said::Silent { why }
}

/// An open Redis, as the instance's Sidekiq opens it.
pub struct Conversation {
    stream: Buffered,
    namespace: Option<String>,
}

impl Conversation {
    /// Opens it.
    ///
    /// # Errors
    /// If it is not there or does not let us in.
    pub fn open(redis: &Redis) -> io::Result<Self> {
        let stream = Buffered(BufReader::new(wire::connect(&redis.at)?));
        let mut open = Self { stream, namespace: redis.namespace.clone() };
        if let Some(password) = &redis.password {
            match &redis.user {
                Some(user) => open.ask(&["AUTH", user, password])?,
                None => open.ask(&["AUTH", password])?,
            };
        }
        if redis.database > 0 {
            open.ask(&["SELECT", &redis.database.to_string()])?;
        }
        Ok(open)
    }

    /// Asks one thing.
    ///
    /// # Errors
    /// With what it says where it refuses.
    pub fn ask(&mut self, words: &[&str]) -> io::Result<Value> {
        resp::ask(&mut self.stream, words)
    }

    /// The name of a key of Sidekiq's.
    pub fn key(&self, name: &str) -> String {
        self.namespace.as_ref().map_or_else(|| name.to_owned(), |space| format!("{space}:{name}"))
    }
}

fn beats(redis: &Redis, of: &Processes) -> io::Result<Beats> {
    let mut open = Conversation::open(redis)?;
    let processes = open.key("processes");
    let Value::Many(processes) = open.ask(&["SMEMBERS", &processes])? else {
        return Ok(Beats::default());
    };
    let names = processes.into_iter().filter_map(|process| match process {
        Value::Text(name) => Some(name),
        Value::Nothing | Value::Many(_) => None,
    });
    let (own, others): (Vec<String>, Vec<String>) = names.partition(|name| of.has(name));
    let mut beats = Beats { own: Vec::new(), other: others.into_iter().next() };
    for process in own.iter().take(MOST_BEATS) {
        let key = open.key(process);
        if let Value::Text(beat) = open.ask(&["HGET", &key, "beat"])? {
            beats.own.extend(beat.parse::<f64>());
        }
    }
    Ok(beats)
}

impl Processes {
    /// Whether `HOST:PID:NONCE` is one of them.
    fn has(&self, identity: &str) -> bool {
        let mut parts = identity.rsplitn(3, ':');
        let (_, pid, host) = (parts.next(), parts.next(), parts.next());
        let pid = pid.and_then(|pid| pid.parse().ok());
        host == Some(&self.host) && pid.is_some_and(|pid| self.pids.contains(&pid))
    }
}

/// A buffered reader that can be written through.
struct Buffered(BufReader<Box<dyn Stream>>);

impl Read for Buffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Buffered {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_instance::Listening;
    use std::{net::TcpListener, thread};

    fn redis(port: u16) -> Redis {
        Redis {
            at: Listening::Tcp { host: "127.0.0.1".into(), port },
            user: None,
            password: Some("x".into()),
            database: 1,
            namespace: Some("m".into()),
        }
    }

    fn processes(pids: &[u32]) -> Processes {
        Processes { host: "web1".into(), pids: pids.iter().copied().collect() }
    }

    #[test]
    fn only_a_beat_after_the_start_is_a_sign_of_life() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let judged = |own: &[f64], now| {
            let beats = Beats { own: own.to_vec(), other: Some("web2:7:a".into()) };
            judge(&beats, &processes(&[7]), at(1000), at(now), &redis(1))
        };
        assert!(matches!(judged(&[1005.2], 1010), Said::Answers { .. }));
        assert!(matches!(judged(&[990.0, 1005.2], 1010), Said::Answers { .. }));
        assert!(matches!(judged(&[999.0], 1010), Said::Silent { why } if why.contains("before the start")));
        assert!(matches!(judged(&[1005.2], 1100), Said::Silent { why } if why.ends_with("is 95 s old")));
        let nobody = judged(&[], 1010);
        assert!(
            matches!(&nobody, Said::Silent { why } if why.contains("process web1:7 in") && why.contains("web2:7:a")),
            "{nobody:?}"
        );
    }

    #[test]
    fn the_heartbeat_of_another_unit_or_host_is_not_its_own() {
        let own = processes(&[7, 8]);
        assert!(own.has("web1:7:0123456789ab") && own.has("web1:8:x"));
        for other in ["web1:9:x", "web2:7:x", "web1:7", "7:x", "", "x.web1:7:x"] {
            assert!(!own.has(other), "{other}");
        }
    }

    #[test]
    fn it_is_asked_with_password_database_and_namespace() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            for answer in ["+OK\r\n", "+OK\r\n", "*2\r\n$5\r\nh:1:a\r\n$6\r\nh2:1:b\r\n", "$6\r\n1005.5\r\n"]
            {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let words: usize = line.trim().trim_start_matches('*').parse().unwrap();
                let mut command = Vec::new();
                for _ in 0..words {
                    reader.read_line(&mut String::new()).unwrap();
                    let mut word = String::new();
                    reader.read_line(&mut word).unwrap();
                    command.push(word.trim().to_owned());
                }
                asked.push(command.join(" "));
                stream.write_all(answer.as_bytes()).unwrap();
            }
            asked
        });
        let of = Processes { host: "h".into(), pids: [1].into() };
        let read = beats(&redis(port), &of).unwrap();
        assert_eq!(read, Beats { own: vec![1005.5], other: Some("h2:1:b".into()) });
        assert_eq!(
            server.join().unwrap(),
            ["AUTH x", "SELECT 1", "SMEMBERS m:processes", "HGET m:h:1:a beat"]
        );
    }
}

//! Whether a Sidekiq lives: its unit being active says nothing, its heartbeat in Redis does. Each process writes one
//! every ten seconds; one from before the start belongs to the process that was stopped.

use super::{
    Said,
    resp::{self, Value},
    wire::{self, Stream},
};
use jiff::Timestamp;
use mastmaint_instance::Redis;
use std::io::{self, BufRead, BufReader, Read, Write};

/// Older than this, and Sidekiq itself counts a process as dead.
const FRESH_SECONDS: f64 = 60.0;
/// Processes that are looked at.
const MOST_PROCESSES: usize = 200;

/// Whether a Sidekiq has given a sign of life since it was started.
pub(super) fn heartbeat(redis: &Redis, since: Timestamp, now: Timestamp) -> Said {
    match beats(redis) {
        Ok(beats) => judge(&beats, since, now, redis),
        Err(error) => Said::Silent { why: format!("Redis at {}: {error}", redis.at) },
    }
}

fn judge(beats: &[f64], since: Timestamp, now: Timestamp, redis: &Redis) -> Said {
    let seconds = |at: Timestamp| at.as_duration().as_secs_f64();
    let newest = beats.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let age = seconds(now) - newest;
    if newest >= seconds(since) && age < FRESH_SECONDS {
        Said::Answers { what: format!("its heartbeat in Redis at {} is {:.0} s old", redis.at, age.max(0.0)) }
    } else if beats.is_empty() {
        Said::Silent { why: format!("there is no heartbeat in Redis at {}", redis.at) }
    } else if newest >= seconds(since) {
        Said::Silent { why: format!("its newest heartbeat in Redis at {} is {age:.0} s old", redis.at) }
    } else {
        Said::Silent { why: format!("its heartbeat in Redis at {} is from before the start", redis.at) }
    }
}

fn beats(redis: &Redis) -> io::Result<Vec<f64>> {
    let mut stream = Buffered(BufReader::new(wire::connect(&redis.at)?));
    if let Some(password) = &redis.password {
        match &redis.user {
            Some(user) => resp::ask(&mut stream, &["AUTH", user, password])?,
            None => resp::ask(&mut stream, &["AUTH", password])?,
        };
    }
    if redis.database > 0 {
        resp::ask(&mut stream, &["SELECT", &redis.database.to_string()])?;
    }
    let key = |name: &str| {
        redis.namespace.as_ref().map_or_else(|| name.to_owned(), |space| format!("{space}:{name}"))
    };
    let Value::Many(processes) = resp::ask(&mut stream, &["SMEMBERS", &key("processes")])? else {
        return Ok(Vec::new());
    };
    let mut beats = Vec::new();
    for process in processes.into_iter().take(MOST_PROCESSES) {
        let Value::Text(process) = process else { continue };
        if let Value::Text(beat) = resp::ask(&mut stream, &["HGET", &key(&process), "beat"])? {
            beats.extend(beat.parse::<f64>());
        }
    }
    Ok(beats)
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

    #[test]
    fn only_a_beat_after_the_start_is_a_sign_of_life() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let judged = |beats: &[f64], now| judge(beats, at(1000), at(now), &redis(1));
        assert!(matches!(judged(&[1005.2], 1010), Said::Answers { .. }));
        assert!(matches!(judged(&[990.0, 1005.2], 1010), Said::Answers { .. }));
        assert!(matches!(judged(&[999.0], 1010), Said::Silent { why } if why.contains("before the start")));
        assert!(matches!(judged(&[1005.2], 1100), Said::Silent { why } if why.ends_with("is 95 s old")));
        assert!(matches!(judged(&[], 1010), Said::Silent { why } if why.contains("no heartbeat")));
    }

    #[test]
    fn it_is_asked_with_password_database_and_namespace() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            for answer in ["+OK\r\n", "+OK\r\n", "*1\r\n$3\r\nh:1\r\n", "$6\r\n1005.5\r\n"] {
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
        assert_eq!(beats(&redis(port)).unwrap(), [1005.5]);
        assert_eq!(server.join().unwrap(), ["AUTH x", "SELECT 1", "SMEMBERS m:processes", "HGET m:h:1 beat"]);
    }
}

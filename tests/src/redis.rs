//! A stand-in for Redis: answers what probes ask, and can be shut.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What it says of itself.
const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nloading:0\r\nused_memory:1000\r\nmaxmemory:0\r\n\
                    maxmemory_policy:noeviction\r\nrdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\n";

/// A stand-in for Redis.
#[derive(Debug)]
pub struct Redis {
    address: SocketAddr,
    shut: Arc<AtomicBool>,
}

impl Redis {
    /// Listens on a port of its own.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let redis = Self { address: listener.local_addr()?, shut: Arc::default() };
        let shut = Arc::clone(&redis.shut);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // One that is stopped hangs up on everybody.
                if !shut.load(Ordering::SeqCst) {
                    thread::spawn(move || {
                        let _gone = serve(stream);
                    });
                }
            }
        });
        Ok(redis)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on it is stopped, or runs.
    pub fn is_shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
    }
}

fn serve(stream: impl Read + Write) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let words: usize = line.trim().trim_start_matches('*').parse().map_err(io::Error::other)?;
        let mut command = Vec::new();
        for _ in 0..words {
            let mut word = String::new();
            // Its length comes first.
            reader.read_line(&mut String::new())?;
            reader.read_line(&mut word)?;
            command.push(word.trim_end().to_owned());
        }
        let answer = match command.first().map(String::as_str) {
            Some("PING") => "+PONG\r\n".to_owned(),
            Some("INFO") => format!("${}\r\n{INFO}\r\n", INFO.len()),
            Some("AUTH" | "SELECT") => "+OK\r\n".to_owned(),
            _ => "$-1\r\n".to_owned(),
        };
        reader.get_mut().write_all(answer.as_bytes())?;
    }
}

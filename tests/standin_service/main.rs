//! A stand-in for Mastodon's services, for tests only: web and streaming answer over HTTP as the real ones do, Sidekiq
//! plays the Redis that holds its heartbeat as well. `/run/standin/NAME`, or `config/ails-NAME` of the tree in which it
//! runs, says what ails one: `crash` (it ends at once), `500` (it answers so), `deaf` (it listens to nobody).
#![expect(clippy::print_stderr, reason = "standard error is where a service speaks")]

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{self, ExitCode, exit},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const DOMAIN: &str = "social.example";
const PAGE: &str =
    "<!DOCTYPE html><html><head><link rel=\"stylesheet\" href=\"/packs/default.css\"></head></html>";

fn main() -> ExitCode {
    let name = env::args().nth(1).unwrap_or_default();
    match serve(&name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standin-service {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(name: &str) -> io::Result<()> {
    match ailment(name).as_str() {
        "crash" => exit(1),
        "deaf" => loop {
            thread::park();
        },
        _ => {}
    }
    let usual = match name {
        "web" => 3000,
        "streaming" => 4000,
        "sidekiq" => 6379,
        _ => return Err(io::Error::other("it is web, streaming or sidekiq")),
    };
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(usual);
    for stream in TcpListener::bind(("127.0.0.1", port))?.incoming() {
        let mut stream = stream?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let answered = if name == "sidekiq" { redis(&mut stream) } else { page(name, &mut stream) };
        // A client that goes away is no reason to end.
        if let Err(error) = answered {
            eprintln!("standin-service {name}: {error}");
        }
    }
    Ok(())
}

/// What ails the service now.
fn ailment(name: &str) -> String {
    let places = [format!("/run/standin/{name}"), format!("/home/mastodon/live/config/ails-{name}")];
    let said = places.iter().filter_map(|place| fs::read_to_string(place).ok());
    said.map(|text| text.trim().to_owned()).find(|text| !text.is_empty()).unwrap_or_default()
}

/// As Rails: without the right host it is forbidden, without https it is moved.
fn page(name: &str, stream: &mut TcpStream) -> io::Result<()> {
    let mut lines = Vec::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        lines.push(line.to_ascii_lowercase());
    }
    let has = |header: &str| lines.iter().any(|line| line == header);
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let there = if name == "web" { "/about" } else { "/api/v1/streaming/health" };
    let status = match () {
        () if ailment(name) == "500" => "500 Internal Server Error",
        () if name == "web" && !has(&format!("host: {DOMAIN}")) => "403 Forbidden",
        () if name == "web" && !has("x-forwarded-proto: https") => "301 Moved Permanently",
        () if name == "web" && is_unbuilt(path) => "500 Internal Server Error",
        () if path.split('?').next() == Some(there) => "200 OK",
        () => "404 Not Found",
    };
    let body = if name == "web" && status == "200 OK" { PAGE } else { "" };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Whether a page is asked for by somebody whose theme (`?theme=NAME`) is listed and was not built: the anonymous page is
/// fine meanwhile.
fn is_unbuilt(path: &str) -> bool {
    let Some((_, theme)) = path.split_once("?theme=") else { return false };
    let read = |file: &str| fs::read_to_string(format!("/home/mastodon/live/{file}")).unwrap_or_default();
    let listed = read("config/themes.yml").lines().any(|line| line.starts_with(&format!("{theme}:")));
    listed && !read("public/packs/.vite/manifest-lookup.json").contains(&format!("\"themes/{theme}\""))
}

fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// The two questions that tell whether a Sidekiq lives.
fn redis(stream: &mut TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let words: usize = line.trim().trim_start_matches('*').parse().unwrap_or(0);
        let mut command = Vec::new();
        for _ in 0..words {
            reader.read_line(&mut String::new())?;
            let mut word = String::new();
            reader.read_line(&mut word)?;
            command.push(word.trim().to_owned());
        }
        match command.first().map(String::as_str) {
            Some("SMEMBERS") => {
                let identity = format!("{}:{}:a", hostname(), process::id());
                write!(stream, "*1\r\n${}\r\n{identity}\r\n", identity.len())?;
            }
            Some("HGET") => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                let beat = format!("{now:.3}");
                write!(stream, "${}\r\n{beat}\r\n", beat.len())?;
            }
            _ => stream.write_all(b"+OK\r\n")?,
        }
    }
}

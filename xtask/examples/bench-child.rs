//! What the benchmarks let mastmaintd run, and the knock on a room's door. Knows nothing of mastmaintd: what it
//! measures it measures from outside.
//!
//! `stamp FILE` appends the wall clock's time, taken first of all. `print LINES` prints lines of 80 bytes.
//! `knock SOCKET TIMES` connects to a room and prints in microseconds how long each first line took.

use std::{
    env,
    error::Error,
    fs::OpenOptions,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    time::{Instant, SystemTime},
};

/// 79 characters and a newline.
const LINE: &str = "Processing 117663464916054119 of remote.example, 0123456789 abcdefghijklmnopqrs\n";
/// What one write takes.
const BLOCK: usize = 800;

fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now();
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: stamp FILE | print LINES | knock SOCKET TIMES");
    match next()?.as_str() {
        "stamp" => {
            let since = now.duration_since(SystemTime::UNIX_EPOCH)?;
            let line = format!("{}.{:09}\n", since.as_secs(), since.subsec_nanos());
            OpenOptions::new().append(true).create(true).open(next()?)?.write_all(line.as_bytes())?;
        }
        "print" => print(next()?.parse()?)?,
        "knock" => knock(&next()?, next()?.parse()?)?,
        other => return Err(format!("unknown word {other}").into()),
    }
    Ok(())
}

fn print(lines: usize) -> std::io::Result<()> {
    let block = LINE.repeat(BLOCK);
    let mut out = std::io::stdout().lock();
    for _ in 0..lines / BLOCK {
        out.write_all(block.as_bytes())?;
    }
    out.write_all(LINE.repeat(lines % BLOCK).as_bytes())
}

fn knock(socket: &str, times: u32) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for _ in 0..times {
        let begin = Instant::now();
        let mut line = String::new();
        BufReader::new(UnixStream::connect(socket)?).read_line(&mut line)?;
        writeln!(out, "{}", begin.elapsed().as_micros())?;
    }
    Ok(())
}

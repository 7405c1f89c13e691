//! Things that no recording shows but a runner must stand: long output, long lines, deaf processes, secrets, the
//! network.

use crate::weather::Extras;
use nix::sys::signal::{SigSet, Signal};
use std::{
    fs,
    io::{self, BufWriter, Read as _, Write},
    net::TcpStream,
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    thread::sleep,
    time::Duration,
};

/// The argument that makes this program the process that is left behind.
pub(crate) const GRANDCHILD: &str = "--standin-grandchild";

/// Does what the weather asks for beyond a recording.
pub(crate) fn run(extras: &Extras, live: &Path) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    if extras.leave_grandchild {
        Command::new(std::env::current_exe()?).arg(GRANDCHILD).arg(live).spawn()?;
    }
    if extras.print_env {
        print_env(&mut out)?;
    }
    if extras.print_secret {
        for (name, value) in secrets(live)? {
            writeln!(out, "the value of {name} is {value}, is it not?")?;
            writeln!(out, "signs in with {value}")?;
        }
    }
    for n in 0..extras.print_lines {
        writeln!(out, "line {n:010} of many that busy commands print, eighty bytes in each of them.")?;
    }
    if extras.long_line > 0 {
        io::copy(&mut io::repeat(b'x').take(extras.long_line), &mut out)?;
        writeln!(out)?;
    }
    if let Some(url) = &extras.fetch {
        writeln!(out, "fetched {url}: {}", fetch(url)?)?;
    }
    if let Some(span) = extras.sleep {
        progress(&mut out, span.get())?;
    }
    out.flush()
}

/// The process that is left behind: it has a session of its own, lets SIGTERM pass by, holds the pipes and stays for
/// ten minutes.
pub(crate) fn stay_behind(live: &Path) -> io::Result<()> {
    nix::unistd::setsid()?;
    let deaf: SigSet = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT].into_iter().collect();
    deaf.thread_block()?;
    fs::write(live.join("log/standin-grandchild.pid"), std::process::id().to_string())?;
    sleep(Duration::from_mins(10));
    Ok(())
}

fn print_env(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "cwd {}", std::env::current_dir()?.display())?;
    writeln!(out, "uid {} gid {}", nix::unistd::getuid(), nix::unistd::getgid())?;
    writeln!(out, "stdin {}", fs::read_link("/proc/self/fd/0")?.display())?;
    for line in fs::read_to_string("/proc/self/status")?.lines() {
        if ["SigBlk", "SigIgn", "Umask", "NoNewPrivs"].iter().any(|name| line.starts_with(name)) {
            writeln!(out, "{line}")?;
        }
    }
    for (name, value) in std::env::vars_os() {
        writeln!(out, "env {}={}", name.to_string_lossy(), value.to_string_lossy())?;
    }
    Ok(())
}

fn secrets(live: &Path) -> io::Result<Vec<(String, String)>> {
    let text = fs::read_to_string(live.join(".env.production"))?;
    let lines = text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('='));
    Ok(lines.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
}

/// The first line of the answer and the length of all of it.
fn fetch(url: &str) -> io::Result<String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| io::Error::other("only http:// can be fetched"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // In one piece: a server that answers after the first of several and closes resets the connection.
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    Ok(format!("{} ({} bytes)", text.lines().next().unwrap_or_default(), answer.len()))
}

fn progress(out: &mut impl Write, all: Duration) -> io::Result<()> {
    const WIDTH: u32 = 68;
    write!(out, "\nProgress: |")?;
    out.flush()?;
    for _ in 0..WIDTH {
        sleep(all / WIDTH);
        write!(out, "=")?;
        out.flush()?;
    }
    writeln!(out, "|")
}

/// Dies of SIGPIPE, which this language's runtime ignores: a program started by it does not.
pub(crate) fn die_of_sigpipe() -> io::Error {
    Command::new("/bin/sh").args(["-c", "kill -PIPE $$"]).exec()
}

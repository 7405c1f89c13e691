//! A program that is given a time, and ended at it or when nobody waits any more.

use std::{
    io::{self, Read},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(10);
/// No answer of ours is longer.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Runs it to its end. One that takes longer is ended; so is one for which nobody waits.
pub(crate) fn run(
    mut command: Command,
    limit: Duration,
    is_cancelled: &dyn Fn() -> bool,
) -> io::Result<Output> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let reading = |from: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(from) = from {
                let _ = from.take(LONGEST).read_to_end(&mut text);
            }
            text
        })
    };
    let out = reading(child.stdout.take().map(|from| Box::new(from) as Box<dyn Read + Send>));
    let err = reading(child.stderr.take().map(|from| Box::new(from) as Box<dyn Read + Send>));
    let ended = loop {
        match child.try_wait()? {
            Some(status) => break Ok(status),
            None if is_cancelled() => break Err(io::ErrorKind::Interrupted.into()),
            None if begun.elapsed() > limit => break Err(io::Error::from(io::ErrorKind::TimedOut)),
            None => thread::sleep(LOOK_EVERY),
        }
    };
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (stdout, stderr) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    Ok(Output { status: ended?, stdout, stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn it_is_given_its_time_and_no_more() {
        let done = run(sh("echo a; echo b >&2; exit 3"), Duration::from_mins(1), &|| false).unwrap();
        assert_eq!((done.stdout, done.stderr, done.status.code()), (b"a\n".into(), b"b\n".into(), Some(3)));
        let late = run(sh("exec sleep 60"), Duration::from_millis(50), &|| false).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let left = run(sh("exec sleep 60"), Duration::from_mins(1), &|| true).unwrap_err();
        assert_eq!(left.kind(), io::ErrorKind::Interrupted);
    }
}

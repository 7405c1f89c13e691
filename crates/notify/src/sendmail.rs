//! Mail through a program that takes it on standard input. In the room it runs without setuid and setgid
//! (`NoNewPrivileges`), so only one that hands the mail to a server, like msmtp, works there.

use crate::error::SendError;
use lettre::Message;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    io::{self, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);
/// So much of what it says is read.
const MOST_SAID: u64 = 2000;

pub(crate) fn deliver(program: &Path, message: &Message) -> Result<String, SendError> {
    let failed = |why: String| SendError::Sendmail { program: program.to_owned(), why };
    let envelope = message.envelope();
    let mut command = Command::new(program);
    // -i: a line with a single dot does not end the mail.
    command.arg("-i");
    if let Some(from) = envelope.from() {
        command.arg("-f").arg(from);
    }
    command.arg("--").args(envelope.to().iter().map(ToString::to_string));
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&message.formatted()));
    let ended = wait(&mut child).map_err(|error| failed(error.to_string()))?;
    let said = child.stderr.take().map(first_line).unwrap_or_default();
    match (ended, written) {
        (None, _) => Err(failed(format!("it did not end within {} s", PATIENCE.as_secs()))),
        (Some(status), Ok(())) if status.success() => Ok("taken".to_owned()),
        (Some(status), _) if said.is_empty() => Err(failed(status.to_string())),
        (Some(status), _) => Err(failed(format!("{status}: {said}"))),
    }
}

/// Waits for its end; one that takes too long is killed with all that it started.
fn wait(child: &mut Child) -> io::Result<Option<std::process::ExitStatus>> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(20));
    }
    if let Ok(pid) = i32::try_from(child.id()) {
        // It may have ended just now.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    child.wait().map(|_| None)
}

fn first_line(stderr: impl io::Read) -> String {
    let mut said = Vec::new();
    // What it said is for people only; the status has told how it went.
    let _ = stderr.take(MOST_SAID).read_to_end(&mut said);
    String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned()
}

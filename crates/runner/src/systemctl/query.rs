//! `systemctl show` as a short question: little output, little time.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// systemd answers at once or not at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long a program that has ended may take to hand over its complaints.
const DREGS: Duration = Duration::from_secs(1);
/// Far more than the few properties that are asked for.
const MOST_BYTES: u64 = 256 * 1024;

/// Properties of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Properties(BTreeMap<String, String>);

impl Properties {
    /// The value; empty if it was not shown.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// The properties of each unit that the arguments name, in their order, or why they are not known.
pub(super) fn show(
    program: &Path,
    args: &[String],
    environment: &BTreeMap<String, String>,
) -> Result<Vec<Properties>, String> {
    output(program, args, environment, PATIENCE).map(|text| parse(&text))
}

/// What systemctl prints, or why it did not do what it was asked.
pub(super) fn output(
    program: &Path,
    args: &[String],
    environment: &BTreeMap<String, String>,
    patience: Duration,
) -> Result<String, String> {
    let verb = args.iter().find(|arg| !arg.starts_with('-')).map_or("", String::as_str);
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
    let said = read_aside(child.stdout.take());
    let complained = read_aside(child.stderr.take());
    let answer = said.recv_timeout(patience);
    // After its output is complete, or when it is given up; nothing is left to wait for but its end.
    let status = if answer.is_ok() { child.wait() } else { child.kill().and_then(|()| child.wait()) };
    match (answer, status) {
        (Ok(Ok(text)), Ok(status)) if status.success() => Ok(text),
        (Ok(Ok(_)), Ok(status)) => {
            let complaint = complained.recv_timeout(DREGS).ok().and_then(Result::ok).unwrap_or_default();
            let complaint = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let colon = if complaint.is_empty() { "" } else { ": " };
            Err(format!("systemctl {verb} ended with {status}{colon}{}", complaint.trim()))
        }
        (Ok(Err(error)), _) | (Ok(Ok(_)), Err(error)) => {
            Err(format!("systemctl {verb} could not be read: {error}"))
        }
        (Err(_), _) => Err(format!("systemctl {verb} gave no answer within {} s", patience.as_secs())),
    }
}

/// Reads a pipe to its end in a thread of its own.
fn read_aside(pipe: Option<impl Read + Send + 'static>) -> Receiver<io::Result<String>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = pipe.map_or(Ok(0), |pipe| pipe.take(MOST_BYTES).read_to_end(&mut text));
        // Nobody listens any more if it took too long.
        let _ = sender.send(read.map(|_| String::from_utf8_lossy(&text).into_owned()));
    });
    receiver
}

/// Blocks of `NAME=VALUE` lines with blank lines between them.
pub(super) fn parse(text: &str) -> Vec<Properties> {
    text.split("\n\n")
        .map(|block| block.lines().filter_map(|line| line.split_once('=')))
        .map(|pairs| Properties(pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).collect()))
        .filter(|properties| !properties.0.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_units() {
        let units = parse("Id=a.service\nResult=x=y\n\nId=b.service\nResult=\n");
        assert_eq!((units.len(), units[0].get("Result"), units[1].get("Id")), (2, "x=y", "b.service"));
        assert_eq!(units[1].get("NRestarts"), "");
    }

    #[test]
    fn a_missing_program_is_said() {
        let error = show(Path::new("/nowhere/systemctl"), &[], &BTreeMap::new()).unwrap_err();
        assert!(error.contains("/nowhere/systemctl"), "{error}");
    }
}

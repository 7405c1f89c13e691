//! `systemctl show` as a short question: little output, little time.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// systemd answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(30);
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
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(environment)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", program.display()))?;
    let pipe = child.stdout.take().map(|pipe| pipe.take(MOST_BYTES));
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut text));
        // Nobody listens any more if it took too long.
        let _ = sender.send(read.map(|_| text));
    });
    let answer = receiver.recv_timeout(PATIENCE);
    // After its output is complete, or when it is given up; nothing is left to wait for but its end.
    let status = if answer.is_ok() { child.wait() } else { child.kill().and_then(|()| child.wait()) };
    match (answer, status) {
        (Ok(Ok(text)), Ok(status)) if status.success() => Ok(parse(&String::from_utf8_lossy(&text))),
        (Ok(Ok(_)), Ok(status)) => Err(format!("systemctl show ended with {status}")),
        (Ok(Err(error)), _) | (Ok(Ok(_)), Err(error)) => {
            Err(format!("systemctl show could not be read: {error}"))
        }
        (Err(_), _) => Err(format!("systemctl show gave no answer within {} s", PATIENCE.as_secs())),
    }
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

//! Asks `mastmaint-prove`, a program of its own beside the runner: a client of PostgreSQL and of object stores in the
//! runner would cost every step its size.

use mastmaint_words::{Looked, Sample};
use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// More than a sample of the largest size takes.
const MOST: u64 = 4 * 1024 * 1024;

/// The prover of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Prover {
    pub(crate) program: PathBuf,
    pub(crate) live: PathBuf,
    /// The environment of the command that it looks after.
    pub(crate) environment: BTreeMap<String, String>,
}

impl Prover {
    /// The one that is installed beside this program.
    pub(crate) fn beside_me(live: PathBuf, environment: BTreeMap<String, String>) -> io::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("mastmaint-prove");
        Ok(Self { program, live, environment })
    }

    /// Takes a sample of what the command must remove.
    pub(crate) fn before(&self, rows: u16, args: &[String], limit: Duration) -> Result<Looked, String> {
        let mut words = vec!["before".to_owned(), rows.to_string()];
        words.extend(args.iter().cloned());
        self.ask(&words, None, limit)
    }

    /// Looks at a sample again.
    pub(crate) fn after(&self, sample: &Sample, limit: Duration) -> Result<Looked, String> {
        self.ask(&["after".to_owned()], Some(sample), limit)
    }

    /// Looks whether database and files are one state.
    pub(crate) fn together(&self, limit: Duration) -> Result<Looked, String> {
        self.ask(&["together".to_owned()], None, limit)
    }

    /// Looks at what there is of a build of the assets.
    pub(crate) fn assets(&self, limit: Duration) -> Result<Looked, String> {
        self.ask(&["assets".to_owned()], None, limit)
    }

    /// Asks the database which migrations it has seen.
    pub(crate) fn migrations(&self, limit: Duration) -> Result<Looked, String> {
        self.ask(&["migrations".to_owned()], None, limit)
    }

    fn ask(&self, words: &[String], input: Option<&Sample>, limit: Duration) -> Result<Looked, String> {
        let name = self.program.display();
        let mut child = Command::new(&self.program)
            .arg("--live")
            .arg(&self.live)
            .args(words)
            .env_clear()
            .envs(&self.environment)
            .current_dir(&self.live)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        let answer = exchange(&mut child, input, limit);
        // One that has answered or has had its time has nothing more to do.
        let _ = child.kill();
        let _ = child.wait();
        let answer = answer.ok_or_else(|| format!("{name} took longer than {} s", limit.as_secs()))?;
        serde_json::from_slice(&answer).map_err(|_| format!("{name} broke off without an answer"))
    }
}

/// Writes the input and reads the answer to its end; `None` if that takes too long.
fn exchange(child: &mut Child, input: Option<&Sample>, limit: Duration) -> Option<Vec<u8>> {
    let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
    let text = input.map(serde_json::to_vec).transpose().ok()?.unwrap_or_default();
    thread::spawn(move || {
        // A prover that reads nothing says so by its answer.
        let _ = stdin.write_all(&text);
    });
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut answer = Vec::new();
        let _ = stdout.take(MOST).read_to_end(&mut answer);
        // Nobody listens once the time is over.
        let _ = tell.send(answer);
    });
    told.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _, time::Instant};

    fn prover(dir: &tempfile::TempDir, script: &str) -> Prover {
        let program = dir.path().join("prove");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Prover { program, live: dir.path().to_owned(), environment: BTreeMap::new() }
    }

    #[test]
    fn an_answer_is_read_and_a_missing_one_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let second = Duration::from_secs(20);
        let good = prover(&dir, "cat >/dev/null; echo '{\"found\":\"gone\",\"items\":2,\"files\":4}'");
        assert_eq!(good.together(second), Ok(Looked::Gone { items: 2, files: 4 }));
        let broken = prover(&dir, "echo no; exit 3");
        assert!(broken.together(second).unwrap_err().contains("broke off"));
        let missing = Prover { program: dir.path().join("nowhere"), ..broken };
        assert!(missing.together(second).unwrap_err().contains("cannot be started"));
    }

    #[test]
    fn one_that_takes_too_long_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let begin = Instant::now();
        let slow = prover(&dir, "exec sleep 60");
        assert!(slow.together(Duration::from_millis(200)).unwrap_err().contains("longer"));
        assert!(begin.elapsed() < Duration::from_secs(30));
    }
}

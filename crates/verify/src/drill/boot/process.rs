//! A process of a boot: what it says goes into a file, and it ends when nobody holds it any more.

use crate::error::VerifyError;
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is read of the end of a log.
const TAIL: u64 = 256 * 1024;
/// Lines of it that are evidence.
pub(super) const EVIDENCE: usize = 12;
/// Words of lines that say what is wrong.
const TELLING: [&str; 9] = [
    "Error",
    "ERROR",
    "FATAL",
    "rror:",
    "cannot ",
    "Could not ",
    "could not ",
    "missing",
    "Your Ruby version",
];

/// A running one; killed when dropped. It has nothing to save.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    log: PathBuf,
}

/// How one that should end by itself did.
pub(super) enum Ended {
    Exited(ExitStatus),
    TookTooLong,
}

impl Running {
    pub(super) fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        Ok(Self { child: command.spawn()?, log: log.to_owned() })
    }

    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end.
    pub(super) fn finish(
        &mut self,
        patience: Duration,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Ended, VerifyError> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended().map_err(VerifyError::drill(&self.log))? {
                return Ok(Ended::Exited(status));
            }
            if is_cancelled() {
                return Err(VerifyError::Cancelled);
            }
            if begun.elapsed() > patience {
                return Ok(Ended::TookTooLong);
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The end of what it has said.
    pub(super) fn said(&self) -> String {
        let tail = || -> io::Result<Vec<u8>> {
            let mut log = File::open(&self.log)?;
            let end = log.seek(SeekFrom::End(0))?;
            log.seek(SeekFrom::Start(end.saturating_sub(TAIL)))?;
            let mut text = Vec::new();
            log.take(TAIL).read_to_end(&mut text)?;
            Ok(text)
        };
        String::from_utf8_lossy(&tail().unwrap_or_default()).into_owned()
    }

    /// Where it is written.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that say what is wrong: of an exception the first one holds the reason. Without any the last lines.
pub(super) fn telling(said: &str) -> Vec<&str> {
    let lines = || said.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let is_telling =
        |line: &&str| TELLING.iter().any(|word| line.contains(word)) && !line.starts_with("\tfrom ");
    let told: Vec<&str> = lines().filter(is_telling).take(EVIDENCE).collect();
    if !told.is_empty() {
        return told;
    }
    let mut last: Vec<&str> = lines().rev().take(EVIDENCE).collect();
    last.reverse();
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_among_its_consequences() {
        let said = "=> Booting\n/live/config/boot.rb:3:in 'require': cannot load such file -- bootsnap/setup (LoadError)\n\
                    \tfrom /live/x.rb:1:in 'raise': Error\n\tfrom /live/y.rb:2\n";
        assert_eq!(telling(said), [said.lines().nth(1).unwrap()]);
        assert_eq!(telling("a\n\nb\n"), ["a", "b"]);
    }

    #[test]
    fn it_ends_when_nobody_holds_it() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("log");
        let mut sleeping = Running::start(Command::new("sleep").arg("1000"), &log).unwrap();
        assert!(matches!(sleeping.finish(Duration::ZERO, &|| false), Ok(Ended::TookTooLong)));
        assert!(matches!(sleeping.finish(Duration::MAX, &|| true), Err(VerifyError::Cancelled)));
        let pid = sleeping.child.id();
        drop(sleeping);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        let mut saying = Running::start(Command::new("echo").arg("said"), &log).unwrap();
        assert!(
            matches!(saying.finish(Duration::MAX, &|| false), Ok(Ended::Exited(status)) if status.success())
        );
        assert_eq!(saying.said(), "said\n");
    }
}

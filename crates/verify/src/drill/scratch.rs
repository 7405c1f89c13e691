//! The private directory of a drill. One drill at a time has it; what a dead one left in it, processes among that, is
//! ended and removed by the next.

use crate::{error::VerifyError, prove::Tell};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A server that is told to end at once needs no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The others' drills take minutes.
const WAIT: Duration = Duration::from_mins(30);
/// Who sweeps behind another one has the lock for no longer.
const MOMENT: Duration = Duration::from_secs(3);

/// A directory that goes, with all processes in it, when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    directory: PathBuf,
    /// Unlocked when it is dropped: a child between fork and exec has the file open too, and closing would not do.
    _lock: Flock<File>,
}

impl Scratch {
    /// Waits for a drill that is at work, removes what a dead one left, and makes the directory. Nothing if the other one
    /// is at work for longer than a drill usually is: a stage may be open for days.
    pub(super) fn make(place: &Path, tell: &dyn Tell) -> Result<Option<Self>, VerifyError> {
        let (mut is_said, begun) = (false, Instant::now());
        Self::once(place, || {
            if tell.is_cancelled() {
                return Err(VerifyError::Cancelled);
            }
            if !std::mem::replace(&mut is_said, true) {
                tell.say("waiting: another drill, or a stage, is at work");
            }
            Ok(begun.elapsed() < WAIT)
        })
    }

    /// The same, unless a drill or a stage is at work.
    pub(super) fn take(place: &Path) -> Result<Option<Self>, VerifyError> {
        let begun = Instant::now();
        Self::once(place, || Ok(begun.elapsed() < MOMENT))
    }

    /// Nothing if it is taken and no longer waited for.
    fn once(
        place: &Path,
        mut goes_on: impl FnMut() -> Result<bool, VerifyError>,
    ) -> Result<Option<Self>, VerifyError> {
        let of = || VerifyError::drill(place);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(place).map_err(of())?;
        // Processes are found by where they work, and the kernel knows no links.
        let place = place.canonicalize().map_err(of())?;
        let lock = loop {
            if let Some(lock) = lock_of(&place).map_err(of())? {
                break lock;
            }
            if !goes_on()? {
                return Ok(None);
            }
            thread::sleep(10 * LOOK_EVERY);
        };
        let directory = place.join("scratch");
        remove(&directory).map_err(of())?;
        fs::DirBuilder::new().mode(0o700).create(&directory).map_err(of())?;
        Ok(Some(Self { directory, _lock: lock }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next drill.
        let _ = remove(&self.directory);
    }
}

/// Removes what a dead drill left, unless another one is at work.
pub fn sweep(place: &Path) -> Result<(), VerifyError> {
    let of = || VerifyError::drill(place);
    if !place.exists() {
        return Ok(());
    }
    let place = place.canonicalize().map_err(of())?;
    if let Some(_lock) = lock_of(&place).map_err(of())? {
        remove(&place.join("scratch")).map_err(of())?;
    }
    Ok(())
}

/// The lock of the place; nothing while another drill has it.
fn lock_of(place: &Path) -> io::Result<Option<Flock<File>>> {
    let path = place.join("lock");
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(error.into()),
    }
}

/// Ends every process that works below a directory, then removes it.
fn remove(directory: &Path) -> io::Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    // PostgreSQL takes its shared memory along when it is asked; killed it would leave that behind.
    if !end(directory, Signal::QUIT) {
        end(directory, Signal::KILL);
    }
    let begun = Instant::now();
    loop {
        match fs::remove_dir_all(directory) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // A process on its last steps may still make a file.
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => thread::sleep(LOOK_EVERY),
        }
    }
}

/// Sends a signal to all of them; whether they ended.
fn end(directory: &Path, signal: Signal) -> bool {
    for pid in below(directory) {
        // Gone meanwhile: all the better.
        let _ = kill_process(pid, signal);
    }
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if below(directory).is_empty() {
            return true;
        }
        thread::sleep(LOOK_EVERY);
    }
    false
}

/// Processes whose working directory is below this one.
fn below(directory: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|p| p.file_name().to_str()?.parse::<i32>().ok());
    let inside =
        |pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(directory));
    numbers.filter(inside).filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prove::Untold;
    use std::process::Command;

    struct Impatient;

    impl Tell for Impatient {
        fn is_cancelled(&self) -> bool {
            true
        }
    }

    #[test]
    fn what_a_dead_drill_left_is_ended_and_removed() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join("scratch/data");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("file"), "x").unwrap();
        let mut process = Command::new("sleep").arg("1000").current_dir(&left).spawn().unwrap();
        let waiting = thread::spawn(move || process.wait().unwrap());
        sweep(place.path()).unwrap();
        assert!(!waiting.join().unwrap().success());
        assert!(!place.path().join("scratch").exists());
    }

    #[test]
    fn a_drill_at_work_is_left_alone_and_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::make(place.path(), &Untold).unwrap().unwrap();
        sweep(place.path()).unwrap();
        assert!(scratch.path().exists());
        let second = Scratch::make(place.path(), &Impatient);
        assert!(matches!(second, Err(VerifyError::Cancelled)));
        assert!(Scratch::take(place.path()).unwrap().is_none(), "a stage does not wait");
        assert!(scratch.path().exists());
        let path = scratch.path().to_owned();
        drop(scratch);
        assert!(!path.exists());
        assert!(Scratch::make(place.path(), &Impatient).is_ok());
    }
}

//! Work that is typed instead of configured. Rooms obey only what root has written into the configuration, so what is
//! typed becomes a fragment of it for as long as somebody waits for its run: written, accepted, run, removed again. The
//! run itself follows the configuration that it was started with, whatever becomes of the fragment.

use crate::{client::Daemon, error::CtlError, exit, follow, order, print, render};
use mastmaint_control::words::{Reply, Request};
use mastmaint_words::{JobName, RunId};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::Signal,
    unistd::geteuid,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

const AS_ROOT: &str = "run it as root (sudo)";
const FIRST_WORDS: &str =
    "# Written by mastmaintctl for one run by hand, and removed when nobody waits for it any more.\n";

/// What is typed, as a fragment of the configuration with one job.
#[derive(Debug)]
pub(crate) struct Fragment<'a> {
    /// The configuration beside which it lies.
    pub(crate) config: &'a Path,
    /// What is done: `guard`. Part of the file's name.
    pub(crate) what: &'a str,
    /// The job in it.
    pub(crate) job: JobName,
    /// It, as YAML.
    pub(crate) text: String,
    /// Also while a hold keeps it from running.
    pub(crate) despite_hold: bool,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its run.
    pub(crate) run: RunId,
    /// The exit status that says how it ended.
    pub(crate) status: u8,
}

/// Has it accepted, runs it and follows the run to its end. Ctrl-C ends the looking, never the run.
pub(crate) fn run(daemon: &Daemon, fragment: &Fragment<'_>) -> Result<Ran, CtlError> {
    // Before anything is there that has to be tidied up.
    let detach = follow::Detach::prepare_for(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])?;
    let placed = Arc::new(Placed::put(daemon, fragment)?);
    let done = started(daemon, fragment, &placed, detach);
    placed.tidy();
    done
}

fn started(
    daemon: &Daemon,
    fragment: &Fragment<'_>,
    placed: &Arc<Placed>,
    detach: follow::Detach,
) -> Result<Ran, CtlError> {
    order::reload(daemon)?;
    let request =
        Request::Run { job: fragment.job.clone(), dry_run: false, despite_hold: fragment.despite_hold };
    let Reply::Queued { run, waits_for, already, unrecorded, over } = daemon.ask(&request)? else {
        return Err(CtlError::BadReply);
    };
    if already {
        return Err(CtlError::Refused {
            code: "already-running".to_owned(),
            message: format!(
                "another one by hand runs or waits already as {run}, and nothing was added to it; see `mastmaintctl show {run}`"
            ),
        });
    }
    if unrecorded {
        print::talk(
            "the ledger cannot be written: `show` and `history` will not know this run, the journal does",
        );
    }
    if let Some(over) = over {
        print::talk(&format!("run {run} {}", render::ended(&over)));
        return Ok(Ran { run, status: over.outcome.map_or(exit::NOT_FINE, exit::of) });
    }
    let wait = waits_for.map(|why| format!("; it {}", print::tame(&why))).unwrap_or_default();
    print::talk(&format!("run {run} is queued{wait}"));
    let theirs = Arc::clone(placed);
    detach.watch_then(&run, move || theirs.tidy())?;
    let status = follow::follow(daemon, &run)?;
    Ok(Ran { run, status })
}

/// A fragment that lies there, nobody else's beside it.
#[derive(Debug)]
struct Placed {
    path: PathBuf,
    daemon: Daemon,
    /// Given back when it is tidied up: whoever waits for Ctrl-C keeps the rest for as long as this program runs.
    lock: Mutex<Option<Flock<File>>>,
}

impl Placed {
    fn put(daemon: &Daemon, fragment: &Fragment<'_>) -> Result<Self, CtlError> {
        let config = fragment.config;
        let main = fs::metadata(config).map_err(|e| file("cannot read", config, e))?;
        if !geteuid().is_root() && main.uid() != geteuid().as_raw() {
            let source = io::Error::from(io::ErrorKind::PermissionDenied);
            return Err(CtlError::File {
                what: "cannot add to",
                path: config.to_owned(),
                source,
                advice: AS_ROOT,
            });
        }
        let directory = config.parent().unwrap_or_else(|| Path::new(".")).join("conf.d");
        if !directory.is_dir() {
            DirBuilder::new()
                .mode(0o750)
                .create(&directory)
                .and_then(|()| chown(&directory, None, Some(main.gid())))
                .map_err(|e| file("cannot make", &directory, e))?;
        }
        let opened = File::open(&directory).map_err(|e| file("cannot open", &directory, e))?;
        let lock = Flock::lock(opened, FlockArg::LockExclusiveNonblock).map_err(|_| CtlError::InTheWay {
            what: "somebody else works by hand with",
            path: directory.clone(),
            advice: "wait for the other mastmaintctl, or end it",
        })?;
        // One that lies there is left over from a mastmaintctl that was killed: nobody holds the lock.
        let path = directory.join(format!("90-by-hand-{}.yaml", fragment.what));
        write(&directory, &path, main.gid(), &fragment.text).map_err(|e| file("cannot write", &path, e))?;
        Ok(Self { path, daemon: daemon.clone(), lock: Mutex::new(Some(lock)) })
    }

    /// Removes it and has the configuration accepted without it. Once.
    fn tidy(&self) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(_until_the_end) = lock else { return };
        if let Err(error) = fs::remove_file(&self.path) {
            print::talk(&format!(
                "cannot remove {}: {error}; remove it and reload mastmaintd",
                self.path.display()
            ));
            return;
        }
        let again = match self.daemon.ask(&Request::Reload) {
            Ok(Reply::Reloaded { .. }) => return,
            Ok(_) => "the configuration was refused".to_owned(),
            Err(error) => error.to_string(),
        };
        print::talk(&format!(
            "the configuration without what was done by hand is not in force yet ({again}); run `mastmaintctl reload`"
        ));
    }
}

/// Complete or not there; a name that begins with a dot is no fragment.
fn write(directory: &Path, path: &Path, group: u32, text: &str) -> io::Result<()> {
    let draft = directory.join(".by-hand.new");
    // What is there may be a link that somebody else made.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&draft)?;
    chown(&draft, None, Some(group))?;
    file.write_all(FIRST_WORDS.as_bytes())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

fn file(what: &'static str, path: &Path, source: io::Error) -> CtlError {
    CtlError::File { what, path: path.to_owned(), source, advice: AS_ROOT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_there_as_a_whole_and_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let config = scratch.path().join("mastmaintd.yaml");
        fs::write(&config, "jobs: {}\n").unwrap();
        let daemon = Daemon::new(scratch.path().join("run"));
        let fragment = Fragment {
            config: &config,
            what: "guard",
            job: "guard-by-hand".parse().unwrap(),
            text: "jobs: {guard-by-hand: {steps: [{guard: []}]}}\n".to_owned(),
            despite_hold: false,
        };
        let path = scratch.path().join("conf.d/90-by-hand-guard.yaml");
        fs::create_dir(scratch.path().join("conf.d")).unwrap();
        fs::write(&path, "left over by one that was killed, and longer than that which replaces it, by far")
            .unwrap();
        let placed = Placed::put(&daemon, &fragment).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{FIRST_WORDS}{}", fragment.text));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert!(matches!(Placed::put(&daemon, &fragment), Err(CtlError::InTheWay { .. })));
        placed.tidy();
        assert!(!path.exists(), "the daemon is not there, and it is removed all the same");
        drop(placed);
        Placed::put(&daemon, &fragment).unwrap().tidy();
        assert_eq!(fs::read_dir(scratch.path().join("conf.d")).unwrap().count(), 0);
    }
}

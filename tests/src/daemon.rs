//! A daemon of our own in a scratch directory: no root, no systemd, readiness heard as systemd would hear it.

pub use crate::procs::{children, runs, wait_for, wait_up_to};
use crate::{
    Instance, binaries,
    ctl::{Answer, ctl},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs, io,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// A scratch directory with an instance, a configuration and places for a daemon.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    /// Removed with the place; absent where somebody else owns the directory.
    _scratch: Option<tempfile::TempDir>,
    /// The made-up instance in it.
    pub instance: Instance,
}

/// A daemon that runs in a place.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    runtime: PathBuf,
    log: PathBuf,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Place {
    /// A new place with an instance of 4.6.5 and a configuration of these jobs (the text below `jobs:`).
    pub fn new(jobs: &str) -> io::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("mastmaint").tempdir()?;
        let place = Self::in_dir(scratch.path(), jobs)?;
        Ok(Self { _scratch: Some(scratch), ..place })
    }

    /// The same in an empty directory that stays.
    pub fn in_dir(dir: &Path, jobs: &str) -> io::Result<Self> {
        let instance = Instance::create(dir, "4.6.5", &binaries::path("standin-tootctl"))?;
        let place = Self { dir: dir.to_owned(), _scratch: None, instance };
        for sub in ["etc", "state", "run"] {
            fs::create_dir(place.path(sub))?;
        }
        place.configure(jobs)?;
        Ok(place)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path("etc/mastmaintd.yaml")
    }

    /// Writes a configuration for the instance with these jobs.
    pub fn configure(&self, jobs: &str) -> io::Result<()> {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        let user = user.map_or_else(|| "root".to_owned(), |u| u.name);
        let live = self.instance.live().display();
        self.configure_whole(&format!(
            "instance:\n  live: {live}\n  user: {user}\n  services: [mastodon-web]\n\
             defaults: {{timezone: UTC, timeout: 1m, grace: 2s}}\njobs:\n{jobs}"
        ))
    }

    /// Writes a configuration file, all of it.
    pub fn configure_whole(&self, text: &str) -> io::Result<()> {
        fs::write(self.config(), text)
    }

    /// The arguments that put a daemon into this place.
    pub fn arguments(&self) -> Vec<String> {
        let text = |p: PathBuf| p.to_string_lossy().into_owned();
        let pairs = [
            ("--config", self.config()),
            ("--state-dir", self.path("state")),
            ("--runtime-dir", self.path("run")),
        ];
        pairs.into_iter().flat_map(|(name, path)| [name.to_owned(), text(path)]).collect()
    }

    /// Starts a daemon and waits until it is ready.
    pub fn start(&self) -> io::Result<Daemon> {
        self.start_with(|_| {})
    }

    /// Starts a daemon after a change to its command and waits until it is ready.
    pub fn start_with(&self, change: impl FnOnce(&mut Command)) -> io::Result<Daemon> {
        let socket = self.path("notify");
        drop(fs::remove_file(&socket));
        let notify = UnixDatagram::bind(&socket)?;
        let log = self.path("daemon.log");
        let stderr = fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = Command::new(binaries::path("mastmaintd"));
        command.args(self.arguments()).env("NOTIFY_SOCKET", &socket);
        command.stdin(Stdio::null()).stdout(stderr.try_clone()?).stderr(stderr);
        change(&mut command);
        let child = command.spawn()?;
        let notes = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&notes);
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n) = notify.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                heard.lock().unwrap_or_else(PoisonError::into_inner).extend(text.lines().map(str::to_owned));
            }
        });
        let mut daemon = Daemon { child, runtime: self.path("run"), log, notes };
        let ready = wait_for(|| daemon.child.try_wait().ok().flatten().is_some() || daemon.heard("READY=1"));
        if !ready || daemon.child.try_wait()?.is_some() {
            return Err(io::Error::other(format!("the daemon is not ready:\n{}", daemon.log())));
        }
        Ok(daemon)
    }

    /// The calls of the stand-in so far, as it recorded them.
    pub fn calls(&self) -> Vec<Value> {
        let text =
            fs::read_to_string(self.instance.live().join("log/standin-calls.jsonl")).unwrap_or_default();
        text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }

    /// How many calls began.
    pub fn starts(&self) -> usize {
        self.calls().iter().filter(|c| c["event"] == "start").count()
    }
}

impl Daemon {
    /// Calls `mastmaintctl` for it.
    #[track_caller]
    pub fn ctl(&self, args: &[&str]) -> Answer {
        ctl(&self.runtime, args)
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill(self.pid(), signal)?)
    }

    /// Kills it with SIGKILL and waits for its end.
    pub fn kill(mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Sends SIGTERM and waits for its end.
    pub fn stop(mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.child.wait()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What it has logged, once a text is in it: the daemon writes its lines beside its work, so that a run can be
    /// over before its last line is there.
    ///
    /// # Panics
    ///
    /// When the text does not come.
    pub fn log_with(&self, text: &str) -> String {
        let there = wait_for(|| self.log().contains(text));
        let log = self.log();
        assert!(there, "{text:?} is not in the log:\n{log}");
        log
    }

    /// What it told systemd, line by line.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it told systemd this line.
    pub fn heard(&self, line: &str) -> bool {
        self.notes().iter().any(|n| n == line)
    }

    /// Its newest run of a job, with the steps: `mastmaintctl show JOB --json`.
    pub fn newest(&self, job: &str) -> Option<Value> {
        let answer = self.ctl(&["show", job, "--json"]);
        serde_json::from_str(&answer.stdout).ok()
    }

    /// Waits for the end of a job's newest run and returns that run.
    ///
    /// # Panics
    /// If it does not end in time.
    #[track_caller]
    pub fn ended(&self, job: &str) -> Value {
        let mut run = Value::Null;
        let over = wait_for(|| {
            run = self.newest(job).unwrap_or_default();
            run["state"] == "ended"
        });
        assert!(over, "{job} has not ended: {run:#}\n{}", self.log());
        run
    }

    /// The process ids below the daemon whose name is this one.
    pub fn below(&self, name: &str) -> Vec<Pid> {
        children(self.pid(), name)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

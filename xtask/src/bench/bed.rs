//! A place below `target/bench` in which the release build runs as a user would run it, and cron beside it.

use crate::shell::{Result, TaskError, at, output, target};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a daemon may take to be ready; then something is wrong that a benchmark does not explain.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program of the release build.
pub(super) fn program(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// The program that the benchmarks run.
pub(super) fn child() -> PathBuf {
    program("examples/bench-child")
}

/// A configuration and places for a daemon.
pub(super) struct Bed(PathBuf);

impl Bed {
    /// A place that outlives a run: what takes long to make is kept in it.
    pub(super) fn place(name: &str) -> PathBuf {
        target().join("bench").join(name)
    }

    /// An empty one with these jobs (the text below `jobs:`).
    pub(super) fn new(name: &str, jobs: &str) -> Result<Self> {
        let dir = target().join("bench").join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(at(&dir))?;
        }
        let bed = Self(dir);
        for sub in ["etc", "state", "run"] {
            let path = bed.path(sub);
            fs::create_dir_all(&path).map_err(at(&path))?;
        }
        let config = bed.path("etc/mastmaintd.yaml");
        fs::write(&config, format!("defaults: {{timezone: UTC}}\njobs:\n{jobs}")).map_err(at(&config))?;
        Ok(bed)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Starts a daemon and waits until it says READY. systemd's part is played by a socket, without a watchdog.
    pub(super) fn start(&self) -> Result<Daemon> {
        let socket = std::env::temp_dir().join(format!("mastmaint-bench-{}", std::process::id()));
        drop(fs::remove_file(&socket));
        let notify = UnixDatagram::bind(&socket).map_err(at(&socket))?;
        notify.set_read_timeout(Some(PATIENCE)).map_err(at(&socket))?;
        let log = self.path("daemon.log");
        let log = fs::File::create(&log).map_err(at(&log))?;
        let mut command = Command::new(program("mastmaintd"));
        command.arg("--config").arg(self.path("etc/mastmaintd.yaml"));
        command.arg("--state-dir").arg(self.path("state")).arg("--runtime-dir").arg(self.path("run"));
        // As systemd would: without what cargo adds for the programs that it starts. Stand-ins of the bed come first.
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        command.env_clear().env("PATH", path).env("NOTIFY_SOCKET", &socket);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let begin = Instant::now();
        let child = start(&mut command)?;
        let mut daemon = Daemon { child, runtime: self.path("run"), ready_after: Duration::ZERO };
        let mut buffer = [0; 4096];
        let heard = loop {
            match notify.recv(&mut buffer) {
                Ok(count) if String::from_utf8_lossy(&buffer[..count]).lines().any(|l| l == "READY=1") => {
                    break Ok(());
                }
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        daemon.ready_after = begin.elapsed();
        drop(fs::remove_file(&socket));
        heard.map_err(at(&self.path("daemon.log")))?;
        Ok(daemon)
    }
}

/// A daemon that is ready; ended with the value.
pub(super) struct Daemon {
    child: Child,
    runtime: PathBuf,
    /// From just before it was started to its READY.
    pub(super) ready_after: Duration,
}

impl Daemon {
    pub(super) fn pid(&self) -> Pid {
        pid_of(&self.child)
    }

    /// What `mastmaintctl` prints.
    pub(super) fn ctl(&self, args: &[&str]) -> Result<Vec<u8>> {
        let mut command = Command::new(program("mastmaintctl"));
        command.arg("--runtime-dir").arg(&self.runtime).args(args).stdin(Stdio::null());
        output(command)
    }

    /// The newest run of a job, if there is one.
    pub(super) fn newest(&self, job: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.ctl(&["show", job, "--json"])?).unwrap_or_default())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.child, Signal::SIGTERM);
    }
}

/// Debian's cron in the foreground with a crontab of its own in `/etc/cron.d`; both go with the value.
pub(super) struct Cron {
    child: Child,
    table: PathBuf,
}

impl Cron {
    /// Starts it; `None` where there is none, one runs already, or we are not root.
    pub(super) fn start(jobs: &str) -> Option<Self> {
        let table = PathBuf::from("/etc/cron.d/mastmaint-bench");
        if !Path::new("/usr/sbin/cron").exists() || fs::write(&table, jobs).is_err() {
            return None;
        }
        let child =
            Command::new("/usr/sbin/cron").arg("-f").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let Ok(child) = child else {
            drop(fs::remove_file(&table));
            return None;
        };
        let mut cron = Self { child, table };
        std::thread::sleep(Duration::from_millis(500));
        matches!(cron.child.try_wait(), Ok(None)).then_some(cron)
    }

    pub(super) fn pid(&self) -> Pid {
        pid_of(&self.child)
    }
}

impl Drop for Cron {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.table));
        end(&mut self.child, Signal::SIGTERM);
    }
}

fn start(command: &mut Command) -> Result<Child> {
    let line = command.get_program().to_string_lossy().into_owned();
    command.spawn().map_err(|source| TaskError::Start { command: line, source })
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

fn end(child: &mut Child, signal: Signal) {
    // It may have ended by itself.
    let _ = kill(pid_of(child), signal);
    drop(child.wait());
}

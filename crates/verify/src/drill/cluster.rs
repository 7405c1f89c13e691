//! A scratch PostgreSQL: made, started, and thrown away.

use super::{Stop, scratch::Scratch, space};
use crate::{
    error::VerifyError,
    finding::{Code, Finding},
    revive::{Ask, Programs},
};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The user of all databases.
pub(super) const USER: &str = "postgres";
/// The database into which a single one is restored.
pub(super) const DATABASE: &str = "mastodon";
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A start takes a tenth of a second; a host under load may need longer.
const PATIENCE: Duration = Duration::from_mins(2);
/// Lines of its log that are evidence.
const EVIDENCE: usize = 10;

/// Nothing in it outlives the drill: nothing is synced, nothing is kept for a crash.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=2GB",
    "checkpoint_timeout=1h",
    "autovacuum=off",
    "jit=off",
    "max_connections=20",
    "maintenance_work_mem=256MB",
    // Shared memory that goes with the directory, also after kill -9.
    "dynamic_shared_memory_type=mmap",
    // One that crashed is told, not hidden.
    "restart_after_crash=off",
    "logging_collector=off",
    "log_destination=stderr",
    "lc_messages=C",
];

/// A running server; ended when dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) programs: Programs,
    directory: PathBuf,
    server: Child,
}

impl Cluster {
    /// Makes and starts one in the drill's directory.
    pub(super) fn start(
        programs: Programs,
        scratch: &Scratch,
        dump: &str,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, Stop> {
        if geteuid().is_root() {
            let what = format!("{dump} was not brought to life: PostgreSQL refuses to run as root");
            let advice = "Let the daemon do it: its drill room has a user of its own.";
            return Err(Finding::warn(Code::NotChecked, what, advice).into());
        }
        let directory = scratch.path().to_owned();
        let of = || VerifyError::drill(&directory);
        let mut initdb = programs.command("initdb", &directory);
        initdb.args([
            "--no-sync",
            "--no-instructions",
            "-A",
            "trust",
            "-U",
            USER,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]);
        let made = initdb.args(["-D", "data"]).stdout(Stdio::null()).output().map_err(of())?;
        if !made.status.success() {
            return Err(not_made(dump, &directory, &String::from_utf8_lossy(&made.stderr)).into());
        }
        let log = File::create(directory.join("log")).map_err(of())?;
        let mut server = programs.command("postgres", &directory);
        server.args(["-D", "data"]);
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        server.arg("-c").arg(format!("unix_socket_directories={}", directory.display()));
        let server = server.stdout(Stdio::null()).stderr(log).spawn().map_err(of())?;
        let mut cluster = Self { programs, directory, server };
        cluster.await_ready(dump, is_cancelled)?;
        let created = cluster
            .psql("postgres")
            .args(["-c", &format!("CREATE DATABASE {DATABASE} TEMPLATE template0")])
            .output();
        let created = created.map_err(VerifyError::drill(&cluster.directory))?;
        if !created.status.success() {
            return Err(not_made(dump, &cluster.directory, &String::from_utf8_lossy(&created.stderr)).into());
        }
        Ok(cluster)
    }

    fn await_ready(&mut self, dump: &str, is_cancelled: &dyn Fn() -> bool) -> Result<(), Stop> {
        let begun = Instant::now();
        let pid_file = self.directory.join("data/postmaster.pid");
        loop {
            if fs::read_to_string(&pid_file)
                .is_ok_and(|text| text.lines().nth(7).is_some_and(|s| s.trim() == "ready"))
            {
                return Ok(());
            }
            if self.is_dead() || begun.elapsed() > PATIENCE {
                return Err(not_made(dump, &self.directory, &self.log().join("\n")).into());
            }
            if is_cancelled() {
                return Err(VerifyError::Cancelled.into());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// A client of it.
    pub(super) fn client(&self, program: &str, database: &str) -> Command {
        let mut command = self.programs.command(program, &self.directory);
        command.args(["-U", USER, "-d", database, "-h"]).arg(&self.directory);
        command
    }

    pub(super) fn psql(&self, database: &str) -> Command {
        let mut psql = self.client("psql", database);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        psql
    }

    /// One of its databases, to be asked.
    pub(super) fn of<'a>(&'a self, database: &'a str) -> Asked<'a> {
        Asked { cluster: self, database }
    }

    /// Whether it has ended by itself.
    pub(super) fn is_dead(&mut self) -> bool {
        !matches!(self.server.try_wait(), Ok(None))
    }

    /// The last lines of its log that tell of trouble.
    pub(super) fn log(&self) -> Vec<String> {
        let text = fs::read(self.directory.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let is_telling = |line: &&str| {
            ["ERROR: ", "FATAL: ", "PANIC: ", "terminated", "abnormally"].iter().any(|w| line.contains(w))
        };
        let mut lines: Vec<String> =
            text.lines().rev().filter(is_telling).take(EVIDENCE).map(str::to_owned).collect();
        lines.reverse();
        lines
    }

    /// Bytes that it takes on the disk.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        taken(&self.directory)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// A question that takes longer is answered with no.
const READ_ONLY: &str = "-c default_transaction_read_only=on -c statement_timeout=15min";

/// A database of it that is asked; everything is only read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    cluster: &'a Cluster,
    database: &'a str,
}

impl Ask for Asked<'_> {
    fn ask(&self, sql: &str) -> Result<Result<String, String>, VerifyError> {
        let mut psql = self.cluster.psql(self.database);
        let done = psql.env("PGOPTIONS", READ_ONLY).args(["-c", sql]).output();
        let done = done.map_err(VerifyError::drill(self.cluster.directory()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok(if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // At once, without a checkpoint: it is thrown away. Unlike KILL this lets it remove its shared memory.
        let _ = kill_process(Pid::from_child(&self.server), Signal::QUIT);
        let begun = Instant::now();
        while !self.is_dead() && begun.elapsed() < Duration::from_secs(10) {
            thread::sleep(LOOK_EVERY);
        }
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn not_made(dump: &str, directory: &Path, said: &str) -> Finding {
    let said: Vec<String> = said.lines().rev().take(EVIDENCE).map(str::to_owned).collect();
    if said.iter().any(|line| line.contains("No space left on device")) {
        return space::filled_up(dump, directory, said);
    }
    let what = format!("{dump} was not brought to life: the scratch PostgreSQL does not start");
    Finding::fail(Code::DrillDied, what, "See what it says; whether the dump comes back is not known.")
        .with(said)
}

/// Blocks of all files below.
fn taken(directory: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut sum = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // The server removes files while we look.
        let Ok(metadata) = entry.metadata() else { continue };
        sum += metadata.blocks() * 512;
        if metadata.is_dir() {
            sum += taken(&entry.path()).unwrap_or(0);
        }
    }
    Ok(sum)
}

//! Guarded changes. What a change may spoil is copied into the state of the change room before anything is changed; the
//! copies go when the change stays, and come back when it does not. Each part is a step of the run, and those that end a
//! change can be done again by whoever comes after one that was killed.

mod begin;
mod check;
mod exchange;
mod forced;
mod kept;
mod listing;
mod memory;
mod record;
mod replaceable;
mod tree;
mod way_back;

pub(crate) use begin::begin;
pub(crate) use check::check;
pub(crate) use forced::Forced;
pub(crate) use way_back::{keep, put_back};

use crate::proof::Prover;
use mastmaint_words::{Grade, JobName, Looked, Outcome, Reason, RunId, Verdict};
use std::{collections::BTreeSet, fs, io, os::fd::AsFd as _, path::Path, time::Duration};

/// Code of the reason of a put-back after which web must be restarted, whether the run did so before or not: the host
/// went down in between, and systemd started web on whatever it found.
pub const RESTART_OWED: &str = "restart-owed";

/// Whether web must be restarted on what was put back although the run had not restarted it.
pub fn owes_restart(put_back: &Verdict) -> bool {
    put_back.reasons.iter().any(|reason| reason.code == RESTART_OWED)
}

/// Code of the reason that names what was changed and is not put back, because it was not kept.
pub const NOT_KEPT: &str = "not-kept";

/// What the database may take to say its migrations.
const ASK: Duration = Duration::from_mins(2);
/// What reading every built file may take, on a slow disk.
const READ: Duration = Duration::from_mins(10);

/// Whose change it is, where, and who listens.
pub(crate) struct Scene<'a> {
    /// State directory of the change room.
    pub(crate) state: &'a Path,
    /// The Rails root.
    pub(crate) live: &'a Path,
    /// The run.
    pub(crate) run: &'a RunId,
    /// Its job.
    pub(crate) job: &'a JobName,
    /// What Rails is run as: `production`.
    pub(crate) environment: &'a str,
    /// Whoever looks at builds and at the database.
    pub(crate) prover: Option<&'a Prover>,
    /// Hears what is done.
    pub(crate) tell: &'a mut dyn FnMut(String),
}

impl Scene<'_> {
    fn say(&mut self, text: String) {
        (self.tell)(text);
    }

    fn prover(&self) -> Result<&Prover, String> {
        self.prover.ok_or_else(|| "there is no mastmaint-prove beside mastmaint-runner".to_owned())
    }

    /// The migrations that the database has seen.
    fn migrations(&self) -> Result<BTreeSet<String>, String> {
        match self.prover()?.migrations(ASK)? {
            Looked::Migrations { versions } => Ok(versions),
            Looked::Blind { why, .. } => Err(why),
            _ => Err("the prover answered something else".to_owned()),
        }
    }
}

/// The boot of the host, as systemd has it: in a container whose room has a `/proc` of its own, the kernel's file is that of
/// the machine around it.
fn boot() -> String {
    if let Ok(id) = std::env::var("MASTMAINT_BOOT_ID") {
        return id;
    }
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The Rails root, opened, and which directory it is.
fn open(live: &Path) -> io::Result<(std::os::fd::OwnedFd, (u64, u64))> {
    let root = exchange::root(live)?;
    let stat = rustix::fs::fstat(root.as_fd())?;
    Ok((root, (stat.st_dev, stat.st_ino)))
}

fn failed(code: &str, text: impl Into<String>) -> Verdict {
    Verdict::because(Outcome::Failed, Grade::Read, Reason::new(code, text.into()))
}

fn no_record(why: impl std::fmt::Display) -> Verdict {
    failed("no-record", format!("the record of the change cannot be used: {why}"))
}

//! Proofs of effect: what is looked at before a command and after it, and what that makes of its verdict.
//! Exit status and output can both lie (a store that refuses every deletion); only a look at the effect cannot.

mod merge;
mod prover;

pub(crate) use merge::{HowRead, Proof, merge, of_again, of_assets, of_sample, of_state};
pub(crate) use prover::Prover;

use crate::{exec::StepCommand, systemctl::StayUp};
use mastmaint_tootctl::Series;
use std::path::PathBuf;

/// What is looked at around a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Around {
    /// Where media are, if they are on a file system.
    pub(crate) media: Option<PathBuf>,
    /// Whoever looks at rows and files.
    pub(crate) prover: Option<Prover>,
    /// At most so many rows are sampled.
    pub(crate) sample: Option<u16>,
    /// Whether it builds the assets, so that the build is looked at after it.
    pub(crate) assets: bool,
    /// The Rails root and what Rails runs as: whatever it builds is built, also where nothing seems to have changed.
    pub(crate) forces_build: Option<(PathBuf, String)>,
    /// The same once more with `--dry-run`.
    pub(crate) again: Option<Again>,
    /// Whether database and files must be one state before it may run.
    pub(crate) one_state: bool,
    /// Whether it looks only, so that the numbers of a look are wanted.
    pub(crate) looks_only: bool,
    /// What has been started and must stay up.
    pub(crate) stay_up: Option<StayUp>,
}

/// The dry run right after.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    /// What is run.
    pub(crate) command: StepCommand,
    /// The installed Mastodon, if it is known.
    pub(crate) version: Option<Series>,
    /// It may find so many items.
    pub(crate) tolerance: u64,
    /// Whether the command deletes files, of which a dry run sees nothing.
    pub(crate) deletes_files: bool,
    /// Whether its count is what it visited and only its bytes tell what it would remove.
    pub(crate) counts_visits: bool,
}

//! What the journal is told, in sentences. [`Told`] is everything worth telling; text, level, fields and message id of
//! each stand side by side in `entries` and nowhere else.

mod entries;
mod holds;
mod probes;
mod told;

pub(crate) use entries::counted;
pub use holds::HoldNews;
pub use probes::ProbeNews;
pub use told::{Telling, Told};

use crate::run::RunSpec;
use mastmaint_health::Journal;

/// The way into the journal.
#[derive(Debug, Clone)]
pub struct Teller {
    journal: Journal,
}

impl Teller {
    /// Tells to this journal.
    pub const fn new(journal: Journal) -> Self {
        Self { journal }
    }

    /// Entries that the journal could not take.
    pub fn lost(&self) -> u64 {
        self.journal.lost()
    }

    /// Something about the daemon.
    pub fn of_daemon(&self, told: Told) {
        for entry in entries::entries(told, None) {
            self.journal.log(entry);
        }
    }

    /// Something about a run; its fields are added.
    pub fn of_run(&self, spec: &RunSpec, told: Told) {
        for entry in entries::entries(told, Some(spec)) {
            self.journal.log(entry.job(&spec.job_name).run(&spec.id).trigger(&spec.trigger));
        }
    }
}

//! Brings the files of an instance back from a backup. `prepare` copies a generation beside the running instance and
//! checks the copy; `switch` lets the two change places in one step; `back` takes that back; `prune` removes what was
//! replaced, when a person says so. What is done is journaled before it is done: each of them can be killed anywhere
//! and asked again.
//!
//! The directory above live belongs to the instance's user, who may move everything in it at any time: things are
//! opened once, by directory descriptors, no link is followed, and what was moved is compared with what was meant.

mod along;
mod attributes;
mod back;
mod cache;
mod check;
mod copy;
mod counting;
mod diff;
mod environment;
mod error;
mod extract;
mod file;
mod from_stream;
mod from_tree;
mod ground;
mod inode;
mod journal;
mod making;
mod media;
mod merge;
mod meter;
mod mounts;
mod names;
mod open;
mod owners;
mod patient;
mod places;
mod plain_tar;
mod plan;
mod prepare;
mod proofs;
mod prune;
mod pull;
mod receive;
mod record;
mod remove;
mod resume;
mod send;
mod sending;
mod space;
mod stage;
mod step;
mod survey;
mod switch;
mod tally;
mod today;
mod trust;
mod uploads;
mod walk;
mod work;
mod writeback;

pub use back::back;
pub use error::RestoreError;
pub use journal::list;
pub use mastmaint_verify::prove::{Tell, Told, Untold};
pub use patient::Patient;
pub use prepare::{prepare, pull, receive};
pub use prune::{prune, prune_but_settings, tidy};
pub use pull::Door;
pub use resume::resume;
pub use send::send;
pub use switch::switch;

use std::path::Path;

/// Where a restore works, and who listens.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The state directory of the room: journals and manifests.
    pub state: &'a Path,
    /// Where the proofs of all backups are; their reports are in `reports` beside it.
    pub proofs: &'a Path,
    /// The group that may look into a prepared copy; without it only its owner may.
    pub group: Option<&'a str>,
    /// Who wants to know how far it is.
    pub tell: &'a dyn Tell,
    /// Called before and after each effect with its name: where tests kill.
    pub reach: &'a dyn Fn(&'static str),
}

impl std::fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("state", &self.state).finish_non_exhaustive()
    }
}

/// What came of a verb that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// It was done, or was done before.
    Done,
    /// There was nothing to do.
    Nothing,
}

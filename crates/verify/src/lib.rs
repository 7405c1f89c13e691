//! What can be checked of a backup, and the proof. It knows nothing of schedules and of systemd: a backup, a place for
//! the proofs and the time go in, a report comes out.

mod away;
mod borg;
pub mod bring;
pub mod check;
mod decrypt;
mod door;
pub mod drill;
pub mod dump;
mod error;
mod finding;
mod found;
mod leads;
mod listing;
pub mod load;
pub mod look;
mod manifest;
mod parts;
pub mod prove;
mod reach;
pub mod redis;
mod repository;
mod restic;
pub mod revive;
pub mod rsnapshot;
mod staging;
mod stamp;
pub mod stream;
mod tarball;
mod tool;
pub mod trust;
mod verify;
mod whole;
pub mod wire;

pub use away::{Away, away};
pub use error::VerifyError;
pub use finding::{Code, Finding, Severity, shown};
pub use manifest::{Kind, Line, manifest};
pub use mastmaint_words::backup::{
    self, Backup, Borg, Decrypt, Newest, Order, Place, Pulled, Report, Restic,
};
pub use reach::SSH_OPTIONS;
pub use staging::{asked, stage_for_who_waits};
pub use stamp::{Nanos, Stamp};
pub use tarball::Tarball;
pub use verify::{Request, keep, stage, verify};

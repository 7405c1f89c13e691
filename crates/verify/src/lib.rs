//! What can be checked of a backup, and the proof. It knows nothing of schedules and of systemd: a backup, a place for
//! the proofs and the time go in, a report comes out.

pub mod check;
pub mod drill;
pub mod dump;
mod error;
mod finding;
mod found;
pub mod look;
mod manifest;
pub mod prove;
pub mod redis;
pub mod rsnapshot;
mod stamp;
pub mod stream;
mod tarball;
mod verify;

pub use error::VerifyError;
pub use finding::{Code, Finding, Severity, shown};
pub use manifest::{Line, manifest};
pub use mastmaint_words::backup::{self, Backup, Newest, Order, Place, Report};
pub use stamp::{Nanos, Stamp};
pub use tarball::Tarball;
pub use verify::{Request, keep, verify};

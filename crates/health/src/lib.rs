//! What the outside learns of the daemon while it works: readiness, status and the watchdog to systemd, the journal
//! with its fields and message ids.

mod entry;
mod journal;
mod layer;
mod message_id;
mod queue;
mod sink;
mod status;
mod systemd;

pub use entry::{Entry, Level, Stream};
pub use journal::{Journal, JournalConfig, Output};
pub use message_id::MessageId;
pub use status::{Down, LastRun, NextRun, NowRunning, Phase, Refused, Situation, Stopped};
pub use systemd::Notifier;

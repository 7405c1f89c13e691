//! rsnapshot: its configuration as it reads it itself, the generations that are there, and whether both agree.

mod conf;
mod keys;
mod lock;
mod log;
mod setup;
mod snapshots;

pub use conf::{Conf, Level, Note, NoteKind, Parsed, Place, Point, parse, read};
pub use lock::Lock;
pub(crate) use lock::is_alive;
pub use log::{Ended, last_run};
pub use setup::{Look, doomed, set_up_right};
pub use snapshots::{Present, Snapshot, Standing, names};

//! A dump goes into a PostgreSQL, whichever that is: which programs read it, how it is fed to them, what they complain
//! about, and what the database answers afterwards.

mod ask;
mod complaint;
mod pour;
mod programs;

pub(crate) use ask::database;
pub use ask::{Answers, Ask, answers, quoted};
pub use complaint::Complaints;
pub use pour::{Ended, Poured, pour};
pub use programs::Programs;

use serde::{Deserialize, Serialize};

/// How a dump is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// An archive of `pg_dump -Fc`, with the version of its format.
    Archive(u8, u8),
    /// Text of `pg_dump`, packed or not; also what `pg_restore` makes of a directory.
    Text,
    /// Text of `pg_dumpall`, packed or not.
    Cluster,
}

//! The nouns that every crate of mastmaintd shares: outcomes and verdicts, names and ids, rooms, triggers and
//! durations as people write them. Plain data without effects, so that config, runner, ledger, control and daemon
//! can speak of the same things without knowing each other.

pub mod backup;
pub mod database;
pub mod exit;
mod hold;
pub mod human;
mod hundredths;
mod ids;
mod occasion;
mod outcome;
pub mod proof;
pub mod restore;
mod room;
mod size;
mod space;
mod span;
pub mod stage;
mod stamp;
mod trigger;
mod verdict;

pub use hold::{Hold, HoldId, HoldScope, UnknownScope};
pub use hundredths::{Hundredths, ParseHundredthsError};
pub use ids::{
    BackupName, Digest, JobName, LockName, NameError, ProbeName, ProgramName, RunId, StepIndex, StepKey,
    TargetKey, UnitName,
};
pub use occasion::Occasion;
pub use outcome::{Grade, Outcome};
pub use proof::{Looked, Sample, SampledItem, Together};
pub use room::Room;
pub use size::{Bytes, ParseBytesError, ParsePercentError, Percent};
pub use space::Space;
pub use span::{ParseSpanError, Span};
pub use stamp::Stamp;
pub use trigger::Trigger;
pub use verdict::{Cause, Numbers, Reason, Verdict};

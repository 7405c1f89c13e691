//! YAML to checked settings. Fragments as written become one merged tree, that becomes [`Settings`]; nothing else in
//! mastmaintd sees raw YAML. Knows nothing of tokio or processes.
//!
//! Every mistake is a [`Diagnostic`] with a stable code; [`load`] reports all of them in one go.

pub mod accepted;
mod actions;
mod by_hand;
pub mod calendar;
mod check;
mod command_line;
mod diagnostic;
pub mod effect;
mod effective;
pub mod guard;
mod host;
pub mod instant;
mod load;
mod mask;
mod mistake;
pub mod probes;
mod read;
mod repair;
pub mod requires;
pub mod restores;
mod sample;
pub mod settings;
mod source;
mod steps;
mod store;
pub mod targets;
#[cfg(test)]
mod tests;
mod tree;
mod units;
pub mod zone;

pub use command_line::secrets_of;
pub use diagnostic::{Diagnostic, Place};
pub use effective::{effective_yaml, shown_yaml};
pub use load::{Loaded, Rejection, digest, load, load_on_host, load_str, load_texts};
pub use mistake::Mistake;
pub use sample::{SAMPLE, is_unedited_sample, sample_job};
pub use settings::Settings;
pub use source::{MAX_FILE, MAX_FILES, Source, Trust};
pub use store::{InUse, Store, StoreError};
pub use units::is_named;

//! The proof: every inode of a backup read once, its BLAKE3 kept, and compared when it is read again.

mod blast;
mod bound;
mod device;
mod hash;
mod judge;
mod meet;
mod night;
mod open;
mod outcome;
mod pick;
mod progress;
mod report;
mod run;
mod seen;
mod shelf;
mod store;
mod tell;
mod tonight;
mod walk;

pub use bound::{at_most_bad, grouped, sentence};
pub use device::{Device, Devices};
pub use judge::{Judged, Met, judge};
pub use meet::identity_at;
pub use night::Nightly;
pub use open::{OpenedDirectory, Stat, open_directory, open_file, stat_at, stat_of};
pub use outcome::{Outcome, Summary};
pub use pick::{Candidate, pick};
pub use progress::Progress;
pub use store::{History, Identity, Proof, State, Store};
pub use tell::{Tell, Told, Untold};

pub(crate) use report::proofs_lost;
pub(crate) use run::{Generation, Measure, Prover, WALKERS};
pub(crate) use store::Finished;
pub(crate) use walk::Root;

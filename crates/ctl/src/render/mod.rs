//! What the daemon said, as text for people. Pure: replies, the clock and a width go in, text comes out.

mod backups;
mod history;
mod holds;
mod incidents;
mod jobs;
mod progress;
mod run;
mod status;
mod verdict;

pub use backups::{backup, backups, not_fresh, not_well_known};
pub use history::history;
pub use holds::{hold_on, holds};
pub use incidents::incidents;
pub use jobs::jobs;
pub use progress::{how_far, one_line, step_now};
pub use run::{ended, run, step_ended};
pub use status::{is_overdue, status};
pub use verdict::verdict;

use crate::{table::Tone, when::When};
use jiff::Timestamp;
use mastmaint_words::{Grade, Numbers, Outcome, human};

/// Below this many columns a listing shows times without weekday, year, seconds and zone.
const NARROW: usize = 130;

/// An instant as a listing of this width has room for it.
fn listed(when: &When, instant: Timestamp, width: Option<usize>) -> String {
    if width.is_some_and(|width| width < NARROW) { when.brief(instant) } else { when.at(instant) }
}

/// The colour of an outcome.
const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Ok => Tone::Good,
        Outcome::Skipped => Tone::Plain,
        Outcome::Partial | Outcome::Cancelled => Tone::Odd,
        Outcome::Interrupted | Outcome::TimedOut | Outcome::Failed => Tone::Bad,
    }
}

/// `partial (read)` in its colour.
fn graded(outcome: Outcome, grade: Option<Grade>) -> String {
    let word = tone(outcome).paint(outcome.as_str());
    match grade {
        Some(grade) => format!("{word} ({grade})"),
        None => word,
    }
}

/// `15 visited, 3 failed, 12 removed, 1.11 MB`; empty if nothing was counted.
fn numbers(n: &Numbers) -> String {
    [
        n.visited.map(|v| format!("{v} visited")),
        n.failed.map(|v| format!("{v} failed")),
        n.removed.map(|v| format!("{v} removed")),
        n.bytes.map(human::bytes),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}

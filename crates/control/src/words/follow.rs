//! What somebody hears who follows a run.

use super::{RunLine, StepLine, StepProgress};
use mastmaint_words::StepIndex;
use serde::{Deserialize, Serialize};

/// A thing that a followed run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum FollowEvent {
    /// It waits for admission.
    Waiting {
        /// For what.
        why: String,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: StepIndex,
        /// Of how many.
        of: u16,
        /// What it does.
        title: String,
    },
    /// A line of output.
    Line {
        /// Which step.
        step: StepIndex,
        /// Whether it went to standard error.
        stderr: bool,
        /// The text.
        text: String,
    },
    /// Where a step stands.
    Progress {
        /// Which step.
        step: StepIndex,
        /// What is known of it.
        #[serde(flatten)]
        progress: Box<StepProgress>,
    },
    /// A step is over.
    StepEnded {
        /// It.
        step: Box<StepLine>,
    },
    /// The run is over; nothing follows.
    RunEnded {
        /// It.
        run: Box<RunLine>,
    },
}

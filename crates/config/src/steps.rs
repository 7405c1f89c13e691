//! A step of a job: its action with the limits it runs in and how its end is judged. A part of [`crate::settings`].

use crate::settings::{Action, Environment};
use mastmaint_words::{Bytes, Percent, Span};
use serde::{Deserialize, Serialize};

/// One action of a job with its policy. All defaults are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    #[serde(flatten)]
    pub action: Action,
    /// TERM after this.
    pub timeout: Span,
    /// KILL this long after TERM.
    pub grace: Span,
    /// TERM after this much time without a sign of life; `None` for no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_limit: Option<Span>,
    /// Whether the next step runs after a `partial` one.
    pub on_partial: OnPartial,
    /// Whether the next step runs after one that did not end well.
    #[serde(rename = "continue")]
    pub go_on: bool,
    /// How its effect is looked at.
    #[serde(default, skip_serializing_if = "Prove::is_none")]
    pub prove: Prove,
    /// How much it may remove without a person's approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<AtMost>,
    /// A command that must never be scheduled is meant all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dangerous: bool,
    /// How it is judged beside what is known of its command.
    #[serde(flatten)]
    pub judged: Judged,
    /// Job's and step's variables, merged; the instance's come before them.
    #[serde(default, skip_serializing_if = "Environment::is_empty")]
    pub environment: Environment,
}

/// How the effect of a step is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prove {
    /// The same with `--dry-run` right after must find nearly nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
    /// So many rows that must go are looked at before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<u16>,
}

impl Prove {
    /// Whether nothing is looked at.
    pub const fn is_none(&self) -> bool {
        self.again.is_none() && self.sample.is_none()
    }
}

/// The dry run right after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// It may find so many items.
    pub tolerance: u32,
}

/// How a step is judged beside what is known of its command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// So many items may fail: what is gone for ever fails for ever.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tolerated_errors: u32,
    /// Regular expressions; each must be found in a line of the output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<String>,
    /// Regular expressions; none may be found in a line of the output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fail_on: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How much a step may remove without a person's approval. What is absent has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// So many items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// So many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// So many of a hundred files; only of remove-orphans it is known how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Percent>,
    /// So many times what it usually removes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_usual: Option<u32>,
}

/// Whether the next step runs after a `partial` one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnPartial {
    /// It does.
    #[default]
    GoOn,
    /// It does not.
    Stop,
}

//! A verdict: the outcome together with why it is so and what was counted.

use crate::{Grade, Outcome};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How an outcome was reached. The first reason is the sentence that people see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What became of the step.
    pub outcome: Outcome,
    /// How sure we are of it.
    pub grade: Grade,
    /// Why, most telling first; empty only for `ok`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What the output counted.
    #[serde(default)]
    pub numbers: Numbers,
}

impl Verdict {
    /// A verdict with one reason and nothing counted.
    pub fn because(outcome: Outcome, grade: Grade, reason: Reason) -> Self {
        Self { outcome, grade, reasons: vec![reason], numbers: Numbers::default() }
    }

    /// Whether a retry can help: the first reason says that something did not answer.
    pub fn is_worth_retrying(&self) -> bool {
        self.reasons.first().is_some_and(|r| r.cause == Cause::Unreachable)
    }
}

impl fmt::Display for Verdict {
    /// `ok (read)`, `failed (exit): PostgreSQL does not answer …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.outcome, self.grade)?;
        match self.reasons.first() {
            Some(reason) => write!(f, ": {}", reason.text),
            None => Ok(()),
        }
    }
}

/// One reason for an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable code in kebab-case, for machines and for "another reason than last night": `postgres-unreachable`.
    pub code: String,
    /// A sentence for a tired admin.
    pub text: String,
    /// Whether trying again can help.
    #[serde(default)]
    pub cause: Cause,
}

impl Reason {
    /// A reason that a retry does not cure.
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into(), cause: Cause::Other }
    }

    /// Something did not answer: database, Redis, network.
    pub fn unreachable(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into(), cause: Cause::Unreachable }
    }
}

/// What kind of thing a reason is, for the retry policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Something did not answer; the next try may find it there.
    Unreachable,
    /// Everything else: the next try would end the same way.
    #[default]
    Other,
}

/// What a step counted, where its output says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Items looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visited: Option<u64>,
    /// Items that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// Items removed, as the command counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// Bytes, as the command says: freed by what removes, moved by what does something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

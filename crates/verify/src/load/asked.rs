//! What goes over the wire between who opens a dump and who has the database.

use crate::revive::Shape;
use jiff::Timestamp;
use mastmaint_words::{Digest, RunId, database::LoadPlan};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// What the database room is asked for; the open dump comes with it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The run: the new database is named by it.
    pub run: RunId,
    /// The accepted configuration in which the instance stands.
    pub digest: Digest,
    /// Variables that count more than those of the instance.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// The dump; without one it is only looked whether the database of the run is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<Dumped>,
}

impl fmt::Debug for Request {
    /// Names of variables only: a value may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("run", &self.run)
            .field("variables", &self.variables.keys())
            .field("dump", &self.dump)
            .finish_non_exhaustive()
    }
}

/// What is known of a dump that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dumped {
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub made: Timestamp,
    /// How it is read.
    pub shape: Shape,
    /// Its bytes on disk.
    pub size: u64,
    /// Bytes that it took when it, or one before it, was brought to life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new database is whole and checked.
    Loaded(LoadPlan),
    /// Nothing is left of it.
    Refused {
        /// Stable word for machines.
        code: String,
        /// What, where, and what to do.
        why: String,
    },
}

impl Outcome {
    /// The code where it was only looked, and the database of the run is not there.
    pub const NOT_THERE: &'static str = "not-there";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_a_request_holds_no_password() {
        let request = Request {
            run: "20261126T200000Z-7k3f9q".parse().unwrap(),
            digest: "a".repeat(32).parse().unwrap(),
            variables: [("DB_PASS".to_owned(), "hunter2".to_owned())].into(),
            dump: None,
        };
        let text = format!("{request:?}");
        assert!(text.contains("DB_PASS") && !text.contains("hunter2"), "{text}");
    }
}

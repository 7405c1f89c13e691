//! Staging: Mastodon from its backups, started for a person to look at. What is asked of the room, and what comes back.

use crate::{
    Span,
    backup::{Finding, Order},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a drill does beside its own: it keeps Mastodon up for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The port of this host's loopback at which a person reaches it: pages must name no other place.
    pub port: u16,
    /// How long it stays up.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// A command of the shell that is run in the copy before Mastodon is started.
    #[serde(rename = "try", default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
}

/// All that `mastmaint-verify --stage` is asked, in one line of its standard input: everybody on a host may read what
/// stands in a command line, and who types a command may have put a password in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What is done with the backup.
    pub stage: Stage,
    /// The backup.
    pub order: Order,
}

/// Mastodon is up and stays so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Up {
    /// The name that it must be asked by, from the settings of the backup.
    pub host: String,
    /// The version that it tells.
    pub version: String,
}

/// From what it is staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The dump.
    pub dump: String,
    /// When that was made.
    pub made: Timestamp,
    /// The state of the file backup, like daily.0.
    pub files: String,
}

/// What `mastmaint-verify --stage` says, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// A sentence about how far it is, or a line of the command that is tried.
    Said(String),
    /// From what it is staged.
    Chosen(Chosen),
    /// It is up.
    Up(Up),
    /// It is over and nothing of it is left, with what there is to say.
    Over(Vec<Finding>),
    /// It could not be done at all.
    Failed {
        /// Stable code for machines.
        code: String,
        /// Why, in a sentence.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_need_not_be_there() {
        let stage: Stage = serde_json::from_str(r#"{"port":3000,"for":"4h"}"#).unwrap();
        assert_eq!(stage, Stage { port: 3000, lasts: Span::from_secs(4 * 3600), change: None });
        assert_eq!(serde_json::to_string(&stage).unwrap(), r#"{"port":3000,"for":"4h"}"#);
        let told: Told = serde_json::from_str(r#"{"over":[]}"#).unwrap();
        assert_eq!(told, Told::Over(Vec::new()));
    }
}

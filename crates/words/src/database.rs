//! The restore of a database: what is asked, and how far it is. The verify room opens the dump ([`LoadOrder`]), the
//! database room brings it to life beside today's database, and what came of it is kept as a [`Loading`].

use crate::{BackupName, Digest, RunId, backup::Backup, restore::Generation};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What `mastmaint-verify --load` is asked to do. Nothing in it comes from anywhere but the accepted configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadOrder {
    /// The run that restores: the new database is named by it.
    pub run: RunId,
    /// The accepted configuration: the database room looks the instance up in it.
    pub digest: Digest,
    /// The name of the backup: its report is kept under it.
    pub name: BackupName,
    /// What it is.
    pub backup: Backup,
    /// The backup in which the dump lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Backup>,
    /// Which of its dumps, by name; the newest complete one if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<String>,
    /// Also what no verification speaks for.
    #[serde(default)]
    pub unproved: bool,
    /// Names of variables of the step (`DB_HOST`, `DB_PORT`…) that count more than those of the instance. Their values
    /// are in the environment: a command line can be read by everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
}

/// What came of a load, for who has to say yes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadPlan {
    /// All of it in a sentence.
    pub sentence: String,
    /// What only today's database has: it stays beside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_be_lost: Vec<String>,
    /// What differs from today's: migrations, settings, rights of other roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// What is to be known besides: sessions that must end before the switch, what the pooler will not do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Rows of the new database.
    #[serde(default)]
    pub rows: u64,
    /// Its bytes.
    #[serde(default)]
    pub bytes: u64,
}

/// How far a load is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum LoadPhase {
    /// The dump goes into the new database; today's is as it was.
    Loading,
    /// The new database is whole and checked; today's is as it was.
    Loaded,
    /// Not done; today's database is as it was, and nothing is left of the new one.
    Refused {
        /// Stable word for machines.
        code: String,
        /// What, where, and what to do.
        why: String,
    },
}

/// The record of a load, kept by the verify room. What the databases are named says the rest: PostgreSQL itself knows
/// whether they have changed places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loading {
    /// The run.
    pub run: RunId,
    /// The backup.
    pub backup: BackupName,
    /// Which of its dumps; not known before it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<Generation>,
    /// How far it is.
    pub phase: LoadPhase,
    /// What it would do.
    #[serde(default)]
    pub plan: LoadPlan,
    /// When it began.
    pub began: Timestamp,
    /// When this was written.
    pub at: Timestamp,
}

impl Loading {
    /// Where the records are, below the state directory of the verify room.
    pub fn directory(state: &Path) -> PathBuf {
        state.join("loads")
    }

    /// Where the record of a run is.
    pub fn path(state: &Path, run: &RunId) -> PathBuf {
        Self::directory(state).join(format!("{run}.json"))
    }
}

/// Names of the databases of a restore, beside today's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Loaded, before the switch.
    New,
    /// What was today's before the switch.
    Before,
    /// What was restored and is not today's any more.
    Restored,
}

impl Beside {
    /// PostgreSQL cuts longer names.
    const LONGEST: usize = 63;

    /// `mastodon_production_before_20261126t200000z_7k3f9q`: a name that needs no quotes. What is too long for
    /// PostgreSQL loses its end, never the run.
    pub fn name(self, database: &str, run: &RunId) -> String {
        let word = match self {
            Self::New => "new",
            Self::Before => "before",
            Self::Restored => "restored",
        };
        let run = run.as_str().to_ascii_lowercase().replace('-', "_");
        let tail = format!("_{word}_{run}");
        let mut head = database.to_owned();
        while head.len() + tail.len() > Self::LONGEST {
            head.pop();
        }
        head + &tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_is_named_by_its_run() {
        let run: RunId = "20261126T200000Z-7k3f9q".parse().unwrap();
        let name = Beside::Before.name("mastodon_production", &run);
        assert_eq!(name, "mastodon_production_before_20261126t200000z_7k3f9q");
        let long = Beside::Restored.name(&"ü".repeat(60), &run);
        assert!(long.len() <= 63 && long.ends_with("_restored_20261126t200000z_7k3f9q"), "{long}");
    }
}

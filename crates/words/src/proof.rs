//! What a look at an effect found: said by `mastmaint-prove` to the runner, as JSON.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a command must remove, taken before it: kept by the runner and given back after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The table that the items are rows of.
    pub table: String,
    /// What the command must remove.
    pub items: Vec<SampledItem>,
}

/// A row that must be cleared, with its files that were there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampledItem {
    /// Its id.
    pub id: i64,
    /// Columns that name a file now, with the name; afterwards none of them may hold it.
    pub names: Vec<(String, String)>,
    /// Keys of its files that are there now.
    pub files: Vec<String>,
}

/// The answer to a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "found")]
pub enum Looked {
    /// Before: the sample; it may be empty.
    Sample(Sample),
    /// After: all of the sample is gone.
    Gone {
        /// How many items were looked at.
        items: usize,
        /// How many files.
        files: usize,
    },
    /// After: not all of it.
    Left {
        /// How many items were looked at.
        items: usize,
        /// Items that still name their file.
        rows: usize,
        /// Items whose files are still there, all or some.
        files: usize,
        /// Items that name a file that is gone.
        dangling: usize,
        /// One of the keys that are still there.
        example: Option<String>,
    },
    /// Whether database and files are one state.
    State(Together),
    /// What there is of a build of the assets.
    Assets {
        /// Themes that are listed.
        themes: usize,
        /// Files that the build says it made.
        files: usize,
        /// How much is wrong with it.
        count: usize,
        /// The first of that, as sentences.
        faults: Vec<String>,
    },
    /// Which migrations the database has seen.
    Migrations {
        /// Their versions.
        versions: BTreeSet<String>,
    },
    /// Nothing can be said.
    Blind {
        /// Why.
        why: String,
        /// Whether something did not answer, so that it may be worth another try.
        #[serde(default)]
        silent: bool,
    },
}

impl Looked {
    /// What a look at a build of the assets says to people: that it is whole, or what is wrong with it. `None` of another
    /// look, and where nothing can be said.
    pub fn of_assets(&self) -> Option<Result<String, String>> {
        match self {
            Self::Assets { themes, files, count: 0, .. } => {
                Some(Ok(format!("{themes} themes and {files} files are as they were built")))
            }
            Self::Assets { count, faults, .. } => {
                let more = match count.saturating_sub(faults.len()) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                Some(Err(format!("the assets are not whole: {}{more}", faults.join("; "))))
            }
            _ => None,
        }
    }
}

/// Whether database and files belong together, as far as a look can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Together {
    /// Nothing speaks against it.
    Seems {
        /// Rows that name a file: about how many files there should be.
        named: u64,
    },
    /// Files are there that are newer than everything in the database.
    DatabaseOlder {
        /// When the newest row was made.
        rows: Timestamp,
        /// When the newest file's row was made.
        files: Timestamp,
    },
    /// Uploads are there from a time of which the database knows nothing at all, although it goes on after it.
    Hole {
        /// The row before.
        from: Timestamp,
        /// The row after.
        until: Timestamp,
        /// Uploads of that time that were seen.
        files: usize,
    },
    /// The newest rows name files that are not there.
    FilesMissing {
        /// Rows that were looked at.
        rows: usize,
        /// Rows whose file is not there.
        missing: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_assets_is_named_and_the_rest_is_counted() {
        let of = |count, faults: &[&str]| {
            let faults = faults.iter().map(|&fault| fault.to_owned()).collect();
            Looked::Assets { themes: 2, files: 9, count, faults }.of_assets().unwrap()
        };
        assert_eq!(of(0, &[]).unwrap(), "2 themes and 9 files are as they were built");
        assert_eq!(of(1, &["plum is missing"]).unwrap_err(), "the assets are not whole: plum is missing");
        assert!(of(7, &["a", "b"]).unwrap_err().ends_with("a; b; and 5 more"));
        let blind = Looked::Blind { why: "themes.yml is not there".to_owned(), silent: false };
        assert_eq!(blind.of_assets(), None, "nothing is known, so nothing is whole");
    }
}

//! Looks at the effect of a command, where neither its exit status nor its output can tell: before, some of
//! what it must remove is taken from the database; after, it is seen whether rows and files are gone. Runs in the
//! tootctl room as a program of its own, so that the runner, which starts for every step, stays small.

pub mod after;
pub mod assets;
pub mod before;
pub mod database;
mod holes;
pub mod key;
pub mod migrations;
pub mod modules;
pub mod scope;
pub mod signer;
pub mod store;
mod tls;
pub mod together;

use std::{collections::BTreeMap, path::PathBuf};

/// The instance that is looked at.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its Rails root.
    pub live: PathBuf,
    /// What the command finds in its environment.
    pub environment: BTreeMap<String, String>,
}

/// Why nothing can be said about an effect. Never a mistake of the command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blind {
    /// The environment files cannot be read or make no sense.
    #[error("the instance's settings cannot be read: {0}")]
    Settings(String),
    /// The database does not let us look.
    #[error("the database at {at} cannot be asked: {why}")]
    Database {
        /// Where it is.
        at: String,
        /// What it said.
        why: String,
    },
    /// Database or store did not answer.
    #[error("{at} does not answer: {why}")]
    Silent {
        /// What and where it is.
        at: String,
        /// What the network said.
        why: String,
    },
    /// Files cannot be looked at.
    #[error("the media cannot be looked at: {0}")]
    Store(String),
    /// A build cannot be read.
    #[error("the build cannot be read: {0}")]
    Assets(String),
    /// There is no way to sample this command.
    #[error("{0}")]
    NoScope(String),
}

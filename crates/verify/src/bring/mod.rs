//! A file backup, opened to be brought back: one generation of it, Mastodon's Rails root in it, and what is proved.

mod flow;
mod stream;
mod tree;

pub use flow::Flow;
pub use stream::Stream;
pub use tree::Tree;

use crate::{
    check::candidates,
    error::VerifyError,
    leads::{Lead, follow},
    repository::Refusal,
};
use std::{io, path::PathBuf};

/// Why a backup cannot be brought back.
#[derive(Debug, thiserror::Error)]
pub enum NotBrought {
    /// It cannot be looked into.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// There is no such generation.
    #[error("there is no generation {name}; there are: {there}")]
    NoGeneration {
        /// What was asked for.
        name: String,
        /// What there is.
        there: String,
    },
    /// There is no complete generation at all.
    #[error("there is no complete generation in {}", .0.display())]
    NoBackup(PathBuf),
    /// The generation is being written, or a backup point is not in it.
    #[error("{0} is not complete")]
    Incomplete(String),
    /// Mastodon is not in it.
    #[error("Mastodon is not in {generation}: there is no lib/mastodon/version.rb below {live}")]
    NoMastodon {
        /// The generation.
        generation: String,
        /// Where it should be.
        live: String,
    },
    /// It holds no files of an instance.
    #[error("a backup of kind {0} holds no files of an instance")]
    NotFiles(&'static str),
    /// Its repository or archive does not let us look into it.
    #[error("{0}")]
    Refused(String),
}

impl From<Refusal> for NotBrought {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

/// Where the Rails root lies: where it should, or the backup is nothing else.
pub(crate) fn rails_root(
    tree: &dyn crate::look::Tree,
    below: &[String],
    live: &str,
) -> io::Result<Option<String>> {
    for at in candidates(live, below).chain([String::new()]) {
        let Lead::Here(at, _) = follow(tree, below, &at)? else { continue };
        let code = if at.is_empty() { String::new() } else { format!("{at}/") } + "lib/mastodon/version.rb";
        if matches!(follow(tree, below, &code)?, Lead::Here(..)) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

//! Asks the probes of a configuration, in the probe room, as the instance's user. A program of its own: with TLS and a
//! client of PostgreSQL in it, the runner would cost every step their size. It remembers nothing; what a probe must know
//! the next time it notes, and whoever asks brings the note along.

mod api;
mod ask;
mod assets;
mod certificate;
mod disk;
mod page;
mod postgres;
mod redis;
mod services;
mod site;
mod units;
pub mod until;
mod visit;
mod web;

pub use ask::{Asker, ask_all};

use mastmaint_runner::probe::Said;

/// What a probe was answered, and what it notes for the next time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) said: Said,
    pub(crate) note: Option<String>,
}

impl From<Said> for Heard {
    fn from(said: Said) -> Self {
        Self { said, note: None }
    }
}

pub(crate) fn fine(what: impl Into<String>) -> Said {
    Said::Answers { what: what.into() }
}

pub(crate) fn wrong(why: impl Into<String>) -> Said {
    Said::Silent { why: why.into() }
}

pub(crate) fn unknown(why: impl Into<String>) -> Said {
    Said::NotAsked { why: why.into() }
}

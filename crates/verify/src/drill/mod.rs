//! The drill: a dump is brought to life in a scratch PostgreSQL, asked what a Mastodon asks of its database, and taken
//! down again. Nothing of it stays, also where it is killed: the next one finds what a dead one left.

mod assertions;
mod boot;
mod cluster;
mod judge;
mod network;
mod order;
mod restore;
mod run;
mod scratch;
mod space;
mod wire;

pub use crate::{
    door::Door,
    revive::{Answers, Shape},
};
pub(crate) use boot::WHOLE;
pub use boot::{Files, Host};
pub use judge::judge;
pub use mastmaint_words::backup::{Counts, Drill, Times};
pub use network::Network;
pub use order::{Drilled, Order};
pub use run::{Handed, drill};
pub use scratch::sweep;
pub use wire::answer;

use crate::{error::VerifyError, finding::Finding};

/// Why a drill goes no further: something to say about the dump or the host, or an error of our own.
#[derive(Debug)]
enum Stop {
    Found(Box<Finding>),
    Error(VerifyError),
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Found(Box::new(finding))
    }
}

impl From<VerifyError> for Stop {
    fn from(error: VerifyError) -> Self {
        Self::Error(error)
    }
}

//! What is told of holds.

use super::entries::on_the_clock;
use mastmaint_health::{Entry, MessageId};
use mastmaint_words::{Hold, HoldScope};

/// Something about a hold.
#[derive(Debug)]
pub enum HoldNews {
    /// A person set it.
    Set {
        /// It.
        hold: Hold,
        /// Who.
        uid: u32,
    },
    /// A person took it back.
    Removed {
        /// It.
        hold: Hold,
        /// Who.
        uid: u32,
    },
    /// It has begun, or was on when the daemon started.
    On(Hold),
    /// It is over.
    Over(Hold),
}

pub(super) fn entry(news: &HoldNews) -> Entry {
    let (text, id) = match news {
        HoldNews::Set { hold, uid } => {
            let from = on_the_clock(hold.from);
            (format!("user {uid} set a hold from {from}: {}", does(hold)), MessageId::HoldOn)
        }
        HoldNews::On(hold) => (format!("a hold is on: {}", does(hold)), MessageId::HoldOn),
        HoldNews::Removed { hold, uid } => {
            (format!("user {uid} removed a hold: {}", hold.reason), MessageId::HoldOver)
        }
        HoldNews::Over(hold) => (format!("a hold is over: {}", hold.reason), MessageId::HoldOver),
    };
    Entry::notice(text).id(id)
}

fn does(hold: &Hold) -> String {
    let what = match hold.scope {
        HoldScope::Change => "jobs marked change",
        HoldScope::All => "all jobs",
    };
    format!("{what} do not run until {}: {}", on_the_clock(hold.until), hold.reason)
}

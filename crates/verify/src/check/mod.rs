//! Checks of a backup: pure policy over what was seen, each with findings as its result.

mod complete;
mod env;
mod fresh;
mod history;
mod raw;

pub use complete::{Mastodon, complete, live_in};
pub(crate) use complete::{candidates, place_of};
pub use env::{Env, Version, missing_secrets};
pub use fresh::{Age, KnownBy, fresh};
pub use history::shrunk;
pub(crate) use raw::{raw_copies, raw_copies_in};

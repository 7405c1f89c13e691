//! Brings the database of an instance back from a dump. `load` makes a new database beside today's, fills it from the
//! dump, checks it and marks it; `switch` lets the two change names in one transaction; `back` takes that back; `prune`
//! drops what is beside, when a person says so; `fits` says whether today's database belongs to the code and the secrets
//! that are there. Nothing is journaled: what the databases are named, and the mark, say how far a restore is, and only
//! PostgreSQL changes that. Each verb can be killed anywhere and asked again.
//!
//! It is done as the instance's user and role, by `psql` and `pg_restore` as children, so that the server decides what
//! may be done, as it does for Mastodon. A password is in their environment only.

mod back;
mod carry;
mod check;
mod code;
mod create;
mod error;
mod fill;
mod fits;
mod held;
mod left_over;
mod leftovers;
mod listing;
mod load;
mod lock;
mod names;
mod note;
mod paused;
mod plan;
mod pooler;
mod process;
mod progress;
mod prune;
mod psql;
mod ready;
mod rename;
mod room;
mod sessions;
mod settings;
mod site;
mod space;
mod state;
mod switch;
mod text;

pub use back::back;
pub use error::DatabaseError;
pub use fits::{Wanted, fits};
pub use left_over::Pending;
pub use mastmaint_verify::prove::Tell;
pub use note::resume;
pub use prune::prune;
pub use ready::ready;
pub use room::answer;
pub use settings::Settings;
pub use site::{Did, Site};
pub use switch::switch;

//! The ledger from outside: what it keeps, what it says of damage, what survives a kill, and that it agrees with a
//! list in memory.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "these helpers are part of tests")]

mod backups;
mod behaviour;
mod common;
mod crash;
mod damage;
mod incidents;
mod model;
mod restore;

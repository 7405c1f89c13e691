//! What is shown on a booted Debian; one subject a file.

pub(crate) mod backups;
pub(crate) mod boot;
pub(crate) mod brackets;
pub(crate) mod database;
pub(crate) mod database_bare;
pub(crate) mod database_room;
pub(crate) mod drill;
pub(crate) mod guard;
pub(crate) mod guard_kills;
pub(crate) mod kills;
pub(crate) mod notify;
pub(crate) mod outlive;
pub(crate) mod package;
pub(crate) mod probes;
pub(crate) mod proofs;
pub(crate) mod pull;
pub(crate) mod reload;
pub(crate) mod remote;
pub(crate) mod replay;
pub(crate) mod requires;
pub(crate) mod restore;
pub(crate) mod rooms;
pub(crate) mod schedule;
pub(crate) mod services;
pub(crate) mod stage;

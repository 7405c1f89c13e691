//! The restore of a database on a real PostgreSQL, and behind a real PgBouncer: what is loaded is what was dumped, what
//! goes wrong leaves nothing, and whatever is killed, there is always one database of today's name, and a whole one.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]
#![expect(clippy::print_stdout, reason = "a test that leaves something out says so")]

mod beyond;
mod counting;
mod dumps;
mod fitting;
mod ground;
mod kills;
mod loads;
mod pooled;
mod server;
mod switches;
mod verify_room;

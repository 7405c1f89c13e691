//! What the tests of the real binaries stand on: recordings of real tootctl, a made-up instance that a stand-in moves
//! as the real one would, and a daemon of our own in a scratch directory. Nothing of this crate is ever shipped.

pub mod binaries;
pub mod bucket;
pub mod ctl;
pub mod daemon;
pub mod effects;
pub mod instance;
pub mod nginx;
pub mod pick;
pub mod postgres;
pub mod procs;
pub mod receivers;
pub mod recordings;
pub mod redis;
pub mod rows;
pub mod site;
pub mod sshd;
pub mod systemctl;
pub mod vite;
pub mod webpacker;

pub use bucket::Bucket;
pub use daemon::{Daemon, Place, wait_for};
pub use instance::Instance;
pub use nginx::Nginx;
pub use postgres::Postgres;
pub use redis::Redis;
pub use site::Site;
pub use sshd::Sshd;
pub use systemctl::Systemctl;

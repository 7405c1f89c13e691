//! What the files of a Mastodon say to whoever runs as it does: where its database is, where its media are, where it
//! listens, what its assets must hold. Values of its environment may be secrets: nothing in here prints them.

pub mod assets;
mod counting;
mod database;
mod dotenv;
pub mod integrity;
mod listening;
mod redis;
mod storage;

pub use counting::settings_of;
pub use database::{Database, Host, SslMode, decoded};
pub use dotenv::{FILES, Variables, pairs};
pub use listening::{Listening, Server};
pub use redis::Redis;
pub use storage::{Bucket, Files, Free, Storage, UPLOADS};

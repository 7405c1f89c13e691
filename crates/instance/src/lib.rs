//! What the environment files of a Mastodon say to whoever runs as it does: where its database is, where its media
//! are. The values may be secrets: nothing in here prints them.

mod database;
mod dotenv;
mod storage;

pub use database::{Database, Host, SslMode};
pub use dotenv::{FILES, Variables, pairs};
pub use storage::{Bucket, Free, Storage};

//! Has the host of a backup send it. Root and network never meet: who restores is root without a network and hands over
//! a pipe; this is a user that owns nothing, with a network and the key, and what comes goes from ssh into that pipe.
//! Whom it reaches, and how, it takes from the accepted configuration and never from who asks.

mod answer;
mod failure;
mod said;
mod ssh;

pub use answer::{Place, answer};

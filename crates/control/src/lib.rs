//! The words spoken on the control sockets, for client and server. One JSON object a line in both directions;
//! knows nothing of what stands behind them.
//!
//! The daemon does its own reading and writing: it takes [`decode_request`], [`allowed`] and [`encode_reply`] from
//! here, which are pure.

mod client;
mod rules;
mod wire;
pub mod words;

pub use client::{Client, ClientError, Replies};
pub use rules::{Socket, allowed};
pub use wire::{decode_request, encode_reply, encode_request};

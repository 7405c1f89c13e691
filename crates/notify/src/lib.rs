//! The notify room: one process a connection, which tells people what the daemon asks it to. A request names a target
//! by its position and brings a text; where that goes only the room knows, from its part of the accepted configuration.

mod error;
mod host;
mod mail;
mod ping;
pub mod room;
mod send;
mod sendmail;
mod webhook;

pub use error::SendError;
pub use send::send;

//! Those who are told: a mail server and a web server that keep what they get, in the clear or behind TLS. Each is a
//! thread for as long as the test process runs.

mod identity;
mod mail;
mod web;

pub use identity::Identity;
pub use mail::{Login, Mail, MailServer, Walls};
pub use web::{WebRequest, WebServer};

//! Why somebody was not told. No text quotes an address of the web or a token: it goes to the journal.

use std::{io, path::PathBuf};

/// Why somebody was not told.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The mail cannot be written.
    #[error("the mail cannot be written: {why}; correct mail or from")]
    Mail {
        /// What is wrong with it.
        why: String,
    },
    /// The mail server did not take it.
    #[error("the mail server {host}:{port} did not take it: {why}")]
    Smtp {
        /// Its name.
        host: String,
        /// Its port.
        port: u16,
        /// What happened.
        why: String,
    },
    /// The password cannot be read.
    #[error("{} cannot be read: {error}; let the group mastmaintd-notify read it", .path.display())]
    Password {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The program did not take the mail.
    #[error("{} did not take it: {why}; in the notify room it runs without setuid and setgid: leave sendmail out to ask a mail server instead", .program.display())]
    Sendmail {
        /// Its path.
        program: PathBuf,
        /// What happened.
        why: String,
    },
    /// A server of the web did not take it.
    #[error("{host} did not take it: {why}")]
    Http {
        /// Its name.
        host: String,
        /// What happened.
        why: String,
    },
    /// It takes too long.
    #[error("no answer within {seconds} s")]
    TooLong {
        /// How long it was given.
        seconds: u64,
    },
}

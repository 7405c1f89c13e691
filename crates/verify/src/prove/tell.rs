//! How far a verification is, and who may end it.

use mastmaint_words::stage::Up;

/// How far a verification is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Different files met so far.
    pub files: u64,
    /// Files read so far.
    pub read: u64,
    /// Bytes read so far.
    pub bytes: u64,
    /// Files that are due as far as is known: those of former nights, and those that were met since.
    pub due: u64,
    /// Their bytes.
    pub due_bytes: u64,
}

/// Who wants to know how far it is, and who may end it.
pub trait Tell: Sync {
    /// Called often, by several threads.
    fn progress(&self, _told: Told) {}

    /// A sentence now and then.
    fn say(&self, _text: &str) {}

    /// Mastodon is up and stays so for whoever asked for it.
    fn up(&self, _up: &Up) {}

    /// Whether to stop as soon as possible.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Untold;

impl Tell for Untold {}

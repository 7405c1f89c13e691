//! How far a copy is: counted by all threads, told to who wants to know.

use mastmaint_verify::prove::{Tell, Told};
use mastmaint_words::restore::Amount;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what was copied and read back.
pub(crate) struct Meter<'a> {
    tell: &'a dyn Tell,
    due: Amount,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> Meter<'a> {
    /// Everything is met twice: when it is copied, and when the copy is read back.
    pub(crate) const fn new(tell: &'a dyn Tell, whole: Amount) -> Self {
        let due = Amount { files: whole.files.saturating_mul(2), bytes: whole.bytes.saturating_mul(2) };
        Self { tell, due, files: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// One more file.
    pub(crate) fn file(&self, bytes: u64) {
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let Amount { files: due, bytes: due_bytes } = self.due;
        self.tell.progress(Told { files: due, read: files, bytes, due, due_bytes });
    }
}

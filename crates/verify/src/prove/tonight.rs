//! What one night met and read, counted by many walkers at once.

use super::{outcome::Summary, seen::Seen, store::Identity};
use crate::finding::{EVIDENCE, shown};
use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// A number that many walkers raise.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Some examples and how many there are in all.
#[derive(Debug, Default)]
pub(super) struct Some {
    count: AtomicU64,
    lines: Mutex<Vec<String>>,
}

impl Some {
    pub(super) fn add(&self, path: &[u8], why: &str) {
        if self.count.fetch_add(1, Ordering::Relaxed) < EVIDENCE as u64 {
            let text = if why.is_empty() { shown(path) } else { format!("{}: {why}", shown(path)) };
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }

    pub(super) fn end(self) -> Listed {
        let mut lines = self.lines.into_inner().unwrap_or_else(PoisonError::into_inner);
        lines.sort_unstable();
        Listed { count: self.count.into_inner(), lines }
    }
}

/// The same when nobody adds any more.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) count: u64,
    pub(super) lines: Vec<String>,
}

/// What is counted for each root.
#[derive(Debug, Default)]
pub(super) struct RootCounts {
    pub(super) paths: Count,
    pub(super) directories: Count,
    pub(super) bytes: Count,
    pub(super) singles: Count,
    pub(super) is_troubled: AtomicBool,
    pub(super) is_bad: AtomicBool,
}

/// The same when nobody counts any more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RootNumbers {
    /// Names of all that is not a directory.
    pub(super) paths: u64,
    /// Bytes of all these names.
    pub(super) bytes: u64,
    /// Files with one name only.
    pub(super) singles: u64,
    /// Whether a part of it was not walked: nothing is said to be missing from it.
    pub(super) is_troubled: bool,
    /// Whether something in it cannot be read.
    pub(super) is_bad: bool,
}

/// What a night came to.
pub(super) struct Tonight {
    pub(super) seen: Seen,
    pub(super) known: usize,
    pub(super) summary: Summary,
    pub(super) roots: Vec<RootNumbers>,
    pub(super) rotten: Vec<Identity>,
    pub(super) changed: Listed,
    pub(super) unreadable: Listed,
    pub(super) is_per_path: bool,
    pub(super) error: Option<io::Error>,
}

impl Tonight {
    /// Whether the proof at this position of the store belongs to a file that was met; new ones were.
    pub(super) fn was_met(&self, position: usize) -> bool {
        position >= self.known || self.seen.was_met(position)
    }
}

//! The bounded queue between those who log and the one thread that writes. Pushing never waits: what finds no room
//! is counted, and the place where it is missing is marked.

use crate::{Entry, MessageId};
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// At most this many entries wait.
pub(crate) const MAX_ENTRIES: usize = 4096;
/// At most this many bytes of text wait.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;
/// A longer message is cut: no line of a step is.
const MAX_MESSAGE: usize = 48 * 1024;

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Entry>,
    bytes: usize,
    /// Dropped since the last mark.
    unmarked: u64,
    lost: u64,
    /// The writer has one in its hands.
    writing: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    drained: Condvar,
}

impl Queue {
    /// Takes an entry, or counts it as lost. Never waits for the writer.
    pub(crate) fn push(&self, mut entry: Entry) {
        cut(&mut entry.message, MAX_MESSAGE);
        let mut state = self.lock();
        if state.waiting.len() >= MAX_ENTRIES || state.bytes + entry.message.len() > MAX_BYTES {
            state.lost += 1;
            state.unmarked += 1;
            return;
        }
        if let Some(mark) = state.take_mark() {
            state.put(mark);
        }
        state.put(entry);
        drop(state);
        self.filled.notify_one();
    }

    /// The next entry for the writer; waits for one. Asking for the next means that the last one is written.
    pub(crate) fn next(&self) -> Entry {
        let mut state = self.lock();
        state.writing = false;
        loop {
            let next = state.waiting.pop_front();
            // What was dropped last has nothing behind it that would carry its mark.
            if let Some(entry) = next.inspect(|entry| state.bytes -= entry.message.len()) {
                state.writing = true;
                return entry;
            }
            if let Some(mark) = state.take_mark() {
                state.writing = true;
                return mark;
            }
            self.drained.notify_all();
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until everything is written; says whether that happened in time.
    pub(crate) fn drain(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        let mut state = self.lock();
        while state.writing || !state.waiting.is_empty() || state.unmarked > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.drained.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// How many entries were lost since the start.
    pub(crate) fn lost(&self) -> u64 {
        self.lock().lost
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, entry: Entry) {
        self.bytes += entry.message.len();
        self.waiting.push_back(entry);
    }

    fn take_mark(&mut self) -> Option<Entry> {
        let count = std::mem::take(&mut self.unmarked);
        (count > 0).then(|| {
            let entries = if count == 1 { "entry is" } else { "entries are" };
            Entry::warning(format!(
                "{count} log {entries} missing here: the journal did not take them in time; see systemd-journald"
            ))
            .id(MessageId::JournalLost)
        })
    }
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_finds_no_room_is_counted_and_its_place_is_marked() {
        let queue = Queue::default();
        for number in 0..MAX_ENTRIES + 3 {
            queue.push(Entry::info(number.to_string()));
        }
        assert_eq!(queue.lost(), 3);
        assert_eq!(queue.next().message, "0");
        assert_eq!(queue.next().message, "1");
        queue.push(Entry::info("after"));
        let rest: Vec<String> = (0..MAX_ENTRIES).map(|_| queue.next().message).collect();
        assert_eq!(rest[MAX_ENTRIES - 3], (MAX_ENTRIES - 1).to_string());
        assert!(rest[MAX_ENTRIES - 2].starts_with("3 log entries are missing here"), "{rest:?}");
        assert_eq!(rest[MAX_ENTRIES - 1], "after");
    }

    #[test]
    fn a_loss_that_nothing_follows_is_marked_too() {
        let queue = Queue::default();
        for _ in 0..=MAX_ENTRIES {
            queue.push(Entry::info("x"));
        }
        for _ in 0..MAX_ENTRIES {
            queue.next();
        }
        assert_eq!(queue.next().message_id, Some(MessageId::JournalLost));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let queue = Queue::default();
        for _ in 0..1000 {
            queue.push(Entry::info("ü".repeat(MAX_MESSAGE)));
        }
        assert!(queue.lost() > 900);
        assert!(queue.next().message.len() <= MAX_MESSAGE + '…'.len_utf8());
    }

    #[test]
    fn draining_gives_up_when_nobody_writes() {
        let queue = Queue::default();
        assert!(queue.drain(Duration::ZERO));
        queue.push(Entry::info("stuck"));
        assert!(!queue.drain(Duration::from_millis(20)));
        queue.next();
        assert!(!queue.drain(Duration::from_millis(20)), "one is being written still");
    }

    proptest! {
        #[test]
        fn cutting_keeps_text_whole(text in "\\PC{0,40}", most in 0_usize..40) {
            let mut short = text.clone();
            cut(&mut short, most);
            prop_assert!(short == text || text.starts_with(short.strip_suffix('…').unwrap()));
        }
    }
}

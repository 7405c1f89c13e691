//! Brings a copy to the disk while it still grows: the disk works while others compute, and little is left for the end.
//! Nothing rests on it. What counts is the last `syncfs`, which also tells what went wrong before it.

use rustix::fs::{Mode, OFlags, openat, syncfs};
use std::{
    os::fd::OwnedFd,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

/// So much is written before the disk is asked to take it.
const STRIDE: u64 = 32 * 1024 * 1024;
/// What a file takes besides its content: its inode, and the rest of its last block.
const FILE: u64 = 4096;

/// Whoever writes tells it how much; a thread of its own waits for the disk. Ends when it is dropped.
pub(crate) struct Writeback {
    written: AtomicU64,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Writeback {
    /// Begins, for the file system on which a directory lies.
    pub(crate) fn begin(directory: &OwnedFd) -> Self {
        // A descriptor of its own: each is told of an error once, and the one that is asked last must not miss it.
        let own =
            openat(directory, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Self::by(move || {
            if let Ok(own) = &own {
                let _ = syncfs(own);
            }
        })
    }

    fn by(mut sync: impl FnMut() + Send + 'static) -> Self {
        let (wake, woken) = sync_channel(1);
        let work = move || {
            while woken.recv().is_ok() {
                sync();
            }
        };
        // Where there can be no thread everything is written at the end.
        let thread = Builder::new().name("writeback".to_owned()).spawn(work).ok();
        Self { written: AtomicU64::new(0), wake: Some(wake), thread }
    }

    /// A file of so many bytes was written.
    pub(crate) fn file(&self, bytes: u64) {
        let more = bytes.saturating_add(FILE);
        if is_due(self.written.fetch_add(more, Ordering::Relaxed), more) {
            self.now();
        }
    }

    /// Whatever was written goes to the disk now, and nobody waits for it. While the thread is at work one more turn is
    /// kept for it, however often it is asked.
    pub(crate) fn now(&self) {
        if let Some(wake) = &self.wake {
            let _ = wake.try_send(());
        }
    }
}

/// Whether another stride is full, if so much more was written.
const fn is_due(before: u64, more: u64) -> bool {
    before / STRIDE != before.wrapping_add(more) / STRIDE
}

impl Drop for Writeback {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Arc,
            mpsc::{Receiver, channel},
        },
        time::Duration,
    };

    const LONG: Duration = Duration::from_mins(1);

    /// One that says when it begins to write and does not end before it is told.
    fn slow() -> (Writeback, Receiver<()>, SyncSender<()>, Arc<AtomicU64>) {
        let ((begun, begins), (ends, end)) = (channel(), sync_channel(64));
        let turns = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&turns);
        let writeback = Writeback::by(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = (begun.send(()), end.recv());
        });
        (writeback, begins, ends, turns)
    }

    #[test]
    fn the_disk_is_asked_once_for_each_stride_and_not_for_each_file() {
        let (mut before, mut asked) = (0, Vec::new());
        for n in 1..=32 {
            if is_due(before, STRIDE / 8) {
                asked.push(n);
            }
            before += STRIDE / 8;
        }
        assert_eq!(asked, [8, 16, 24, 32]);
        assert!(is_due(before, 5 * STRIDE), "a file that is larger than several strides");
        let (writeback, begins, ends, turns) = slow();
        writeback.file(STRIDE - FILE - 1);
        writeback.file(0);
        begins.recv_timeout(LONG).unwrap();
        ends.send(()).unwrap();
        drop(writeback);
        assert_eq!(turns.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn whoever_writes_waits_for_no_disk_and_what_was_asked_for_last_is_done() {
        let (writeback, begins, ends, turns) = slow();
        writeback.now();
        begins.recv_timeout(LONG).unwrap();
        // The disk takes its time: nobody here does.
        for _ in 0..100 {
            writeback.file(STRIDE);
        }
        ends.send(()).unwrap();
        ends.send(()).unwrap();
        drop(writeback);
        assert_eq!(turns.load(Ordering::Relaxed), 2, "one more turn, for all that came meanwhile");
    }
}

//! How far a long reading is, printed now and then for people: files, bytes, rate, time left.

use super::{Tell, Told};
use mastmaint_words::human;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// How often it says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Prints to standard output, for a program whose output is read by people.
#[derive(Debug)]
pub struct Progress {
    done: &'static str,
    begun: Instant,
    said: Mutex<Instant>,
}

impl Progress {
    /// Begins now; `done` is what becomes of the bytes: `read`.
    pub fn new(done: &'static str) -> Self {
        Self { done, begun: Instant::now(), said: Mutex::new(Instant::now()) }
    }
}

impl Tell for Progress {
    #[expect(clippy::print_stdout, reason = "its output is what people read of it")]
    fn progress(&self, told: Told) {
        // Whoever finds the lock taken knows that somebody else says it.
        let Ok(mut said) = self.said.try_lock() else { return };
        if said.elapsed() < SAY_EVERY {
            return;
        }
        *said = Instant::now();
        println!("{}", line(&told, self.begun.elapsed(), self.done));
    }

    #[expect(clippy::print_stdout, reason = "its output is what people read of it")]
    fn say(&self, text: &str) {
        println!("{text}");
    }
}

/// `1200/47200 | 1.1 GB of 4.34 GB read, 110 MB a second, 30 s left`: what stands before the bar is read by the runner.
fn line(told: &Told, since: Duration, done: &str) -> String {
    let Told { read, bytes, due, due_bytes, .. } = *told;
    let seconds = since.as_secs().max(1);
    let (rate, whole) = (bytes / seconds, due_bytes.max(bytes));
    let left = (whole - bytes)
        .checked_div(rate)
        .map_or_else(String::new, |seconds| format!(", {} left", human::span(Duration::from_secs(seconds))));
    let (bytes, whole, rate) = (human::bytes(bytes), human::bytes(whole), human::bytes(rate));
    format!("{read}/{} | {bytes} of {whole} {done}, {rate} a second{left}", due.max(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_has_files_bytes_rate_and_time_left() {
        let told = Told { files: 9, read: 3, bytes: 30 << 20, due: 9, due_bytes: 90 << 20 };
        let said = line(&told, Duration::from_secs(3), "read");
        assert_eq!(said, "3/9 | 30 MB of 90 MB read, 10 MB a second, 6 s left");
        let copied = line(&told, Duration::from_secs(3), "copied and read back");
        assert_eq!(copied, "3/9 | 30 MB of 90 MB copied and read back, 10 MB a second, 6 s left");
        let none = line(&Told::default(), Duration::ZERO, "read");
        assert_eq!(none, "0/0 | 0 bytes of 0 bytes read, 0 bytes a second");
    }
}

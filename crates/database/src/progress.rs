//! How far a load is: by how much of the dump has been read, where that is a file.

use mastmaint_verify::prove::Tell;
use mastmaint_words::human;
use std::{
    fs::File,
    io::Seek as _,
    time::{Duration, Instant},
};

const SAY_EVERY: Duration = Duration::from_secs(10);

/// Says it now and then.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Who reads the dump moves the place of this one, too.
    dump: Option<File>,
    whole: u64,
    begun: Instant,
    said: Instant,
}

impl Progress {
    /// Of a dump that is not read yet; of a pipe nothing is known.
    pub(crate) fn of(dump: &File) -> Self {
        let length = dump.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        let whole = length.unwrap_or(0);
        let now = Instant::now();
        Self { dump: length.and_then(|_| dump.try_clone().ok()), whole, begun: now, said: now }
    }

    /// Says it if it is time.
    pub(crate) fn tell(&mut self, tell: &dyn Tell) {
        if self.said.elapsed() < SAY_EVERY {
            return;
        }
        self.said = Instant::now();
        let read = self.dump.as_mut().and_then(|dump| dump.stream_position().ok());
        if let Some(line) = read.and_then(|read| line(read, self.whole, self.begun.elapsed())) {
            tell.say(&line);
        }
    }
}

/// `37/100 | 160 MB of 433 MB of the dump loaded, 2 min left`: what stands before the bar is read by the runner.
fn line(read: u64, whole: u64, since: Duration) -> Option<String> {
    let share = read.saturating_mul(100).checked_div(whole)?.min(100);
    let rate = read / since.as_secs().max(1);
    let left = whole
        .saturating_sub(read)
        .checked_div(rate)
        .map_or_else(String::new, |seconds| format!(", {} left", human::span(Duration::from_secs(seconds))));
    Some(format!("{share}/100 | {} of {} of the dump loaded{left}", human::bytes(read), human::bytes(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    #[test]
    fn it_is_said_in_shares_with_the_time_left() {
        let minute = Duration::from_mins(1);
        let said = line(60 << 20, 240 << 20, minute).unwrap();
        assert_eq!(said, "25/100 | 60 MB of 240 MB of the dump loaded, 3 min left");
        assert_eq!(line(0, 240 << 20, minute).unwrap(), "0/100 | 0 bytes of 240 MB of the dump loaded");
        assert_eq!(line(5, 0, minute), None);
    }

    #[test]
    fn who_reads_moves_what_is_watched() {
        let mut dump = tempfile::tempfile().unwrap();
        dump.write_all(&[7; 100]).unwrap();
        dump.rewind().unwrap();
        let mut progress = Progress::of(&dump);
        let mut reader = dump.try_clone().unwrap();
        reader.read_exact(&mut [0; 40]).unwrap();
        assert_eq!(progress.dump.as_mut().unwrap().stream_position().unwrap(), 40);
        let (pipe, _writer) = std::io::pipe().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(pipe));
        assert!(Progress::of(&pipe).dump.is_none());
    }
}

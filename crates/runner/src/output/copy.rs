//! The kept copy: the first and the last half mebibyte of the redacted text, both streams in the order read, with a
//! line between them that says how much is missing. Lines of standard error begin with `stderr| `.

use crate::{output::MAX_LINE, protocol::Stream};
use flate2::{Compression, write::GzEncoder};
use std::io::{self, Write};

const HALF: usize = 512 * 1024;
const MARK: &str = "stderr| ";

/// Collects the copy in constant memory.
#[derive(Debug, Default)]
pub struct KeptCopy {
    head: Vec<u8>,
    is_head_full: bool,
    /// The end of the text lies in these two: each takes half a mebibyte, then the older one is thrown away.
    older: Vec<u8>,
    newer: Vec<u8>,
    lines_after_head: u64,
}

impl KeptCopy {
    pub(super) fn line(&mut self, stream: Stream, text: &str) {
        let mark = if stream == Stream::Stderr { MARK } else { "" };
        let length = mark.len() + text.len() + 1;
        self.is_head_full |= self.head.len() + length > HALF;
        let to = if self.is_head_full {
            self.lines_after_head += 1;
            if self.newer.len() + length > HALF {
                std::mem::swap(&mut self.older, &mut self.newer);
                self.newer.clear();
            }
            &mut self.newer
        } else {
            &mut self.head
        };
        to.extend_from_slice(mark.as_bytes());
        to.extend_from_slice(text.as_bytes());
        to.push(b'\n');
    }

    /// The copy as text, and how many lines are not in it.
    pub fn into_text(self) -> (Vec<u8>, u64) {
        let Self { head: mut text, older, newer, lines_after_head, .. } = self;
        let end = [older, newer].concat();
        let tail = if end.len() > HALF {
            let from = end.len() - HALF;
            // From the first whole line; no line is longer than this.
            let skip = memchr::memchr(b'\n', &end[from - 1..]).unwrap_or(MAX_LINE);
            &end[(from + skip).min(end.len())..]
        } else {
            &end[..]
        };
        let kept = u64::try_from(memchr::memchr_iter(b'\n', tail).count()).unwrap_or(u64::MAX);
        let omitted = lines_after_head - kept;
        if omitted > 0 {
            text.extend_from_slice(format!("… {omitted} lines left out …\n").as_bytes());
        }
        text.extend_from_slice(tail);
        (text, omitted)
    }

    /// The copy, gzipped, and how many lines are not in it.
    pub fn into_gzip(self) -> io::Result<(Vec<u8>, u64)> {
        let (text, omitted) = self.into_text();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&text)?;
        Ok((encoder.finish()?, omitted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_kept_whole() {
        let mut copy = KeptCopy::default();
        copy.line(Stream::Stdout, "out");
        copy.line(Stream::Stderr, "err");
        assert_eq!(copy.into_text(), (b"out\nstderr| err\n".to_vec(), 0));
    }

    #[test]
    fn of_a_long_text_both_ends_are_kept_and_the_rest_is_counted() {
        for total in [20_000_u64, 70_000, 70_001, 300_000] {
            let mut copy = KeptCopy::default();
            for n in 0..total {
                copy.line(Stream::Stdout, &format!("{n:015}"));
            }
            assert!(copy.head.capacity() + copy.older.capacity() + copy.newer.capacity() <= 6 * HALF);
            let (text, omitted) = copy.into_text();
            assert!(text.len() <= 2 * HALF + 100);
            let lines: Vec<_> = std::str::from_utf8(&text).unwrap().lines().collect();
            let shown: Vec<u64> = lines.iter().filter_map(|l| l.parse().ok()).collect();
            assert_eq!(shown.len() as u64 + omitted, total);
            assert_eq!((shown[0], *shown.last().unwrap()), (0, total - 1));
            if omitted > 0 {
                let gap = lines.iter().position(|l| *l == format!("… {omitted} lines left out …")).unwrap();
                assert_eq!(
                    lines[gap + 1].parse::<u64>().unwrap(),
                    lines[gap - 1].parse::<u64>().unwrap() + 1 + omitted
                );
            }
        }
    }
}

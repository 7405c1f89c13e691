//! Cuts bytes into pieces at newlines and carriage returns. A piece that lies within one read is not copied; of a
//! longer one only its beginning is held.

use memchr::memchr2;

/// Bytes of a piece that are looked at. More than a line may hold, because escape codes are taken out afterwards.
const MAX_PIECE: usize = 16 * 1024;

/// What ended a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `\n`.
    Line,
    /// `\r`: a terminal would write over it.
    Return,
    /// The stream ended.
    Stream,
}

/// Some output between two line ends.
pub(super) struct Piece<'a> {
    /// Its beginning.
    pub bytes: &'a [u8],
    /// Whether there was more of it.
    pub is_cut: bool,
    /// What came after it.
    pub end: End,
}

/// Holds what has no end yet.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    held: Vec<u8>,
    is_cut: bool,
}

impl Splitter {
    /// Takes what was read and gives away every piece that it completes.
    pub(super) fn feed(&mut self, mut chunk: &[u8], mut take: impl FnMut(&Piece<'_>)) {
        while let Some(at) = memchr2(b'\n', b'\r', chunk) {
            let end = if chunk[at] == b'\n' { End::Line } else { End::Return };
            let bytes = &chunk[..at];
            chunk = &chunk[at + 1..];
            if self.held.is_empty() {
                let kept = &bytes[..bytes.len().min(MAX_PIECE)];
                take(&Piece { bytes: kept, is_cut: kept.len() < bytes.len(), end });
            } else {
                self.hold(bytes);
                take(&Piece { bytes: &self.held, is_cut: self.is_cut, end });
                self.held.clear();
                self.is_cut = false;
            }
        }
        self.hold(chunk);
    }

    /// Gives away what is left at the end of the stream.
    pub(super) fn finish(&mut self, take: impl FnOnce(&Piece<'_>)) {
        if !self.held.is_empty() {
            take(&Piece { bytes: &self.held, is_cut: self.is_cut, end: End::Stream });
            self.held.clear();
            self.is_cut = false;
        }
    }

    /// What has no end yet.
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    fn hold(&mut self, bytes: &[u8]) {
        let room = MAX_PIECE - self.held.len();
        self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_cut |= bytes.len() > room;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_any_length_takes_the_same_memory() {
        let mut splitter = Splitter::default();
        let mut pieces = 0;
        for _ in 0..2000 {
            splitter.feed(&vec![b'x'; 65536], |_| pieces += 1);
        }
        assert!(splitter.held.capacity() <= 2 * MAX_PIECE);
        splitter.feed(b"\nnext\r\n", |piece| {
            pieces += 1;
            assert_eq!(piece.is_cut, pieces == 1);
        });
        assert_eq!(pieces, 3);
    }
}

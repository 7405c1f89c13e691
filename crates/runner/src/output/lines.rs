//! Cuts bytes into pieces at newlines and carriage returns; `\r\n` is one line end. A piece that lies within one read
//! is not copied; of a longer one only its beginning is held.

use memchr::memchr2;

/// Bytes of a piece that are looked at. More than a line may hold, because escape codes are taken out afterwards.
const MAX_PIECE: usize = 16 * 1024;

/// What ended a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// `\n` or `\r\n`.
    Line,
    /// `\r` alone: a terminal would write over it.
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
    /// A `\r` came last: what follows tells what it is.
    is_returned: bool,
}

impl Splitter {
    /// Takes what was read and gives away every piece that it completes.
    pub(super) fn feed(&mut self, mut chunk: &[u8], mut take: impl FnMut(&Piece<'_>)) {
        if self.is_returned && !chunk.is_empty() {
            let is_line = chunk[0] == b'\n';
            chunk = &chunk[usize::from(is_line)..];
            self.give_held(if is_line { End::Line } else { End::Return }, &mut take);
        }
        while let Some(at) = memchr2(b'\n', b'\r', chunk) {
            let bytes = &chunk[..at];
            let (end, length) = match (chunk[at], chunk.get(at + 1)) {
                (b'\n', _) => (End::Line, 1),
                (_, Some(b'\n')) => (End::Line, 2),
                (_, Some(_)) => (End::Return, 1),
                (_, None) => {
                    self.hold(bytes);
                    self.is_returned = true;
                    return;
                }
            };
            chunk = &chunk[at + length..];
            if self.held.is_empty() {
                let kept = &bytes[..bytes.len().min(MAX_PIECE)];
                take(&Piece { bytes: kept, is_cut: kept.len() < bytes.len(), end });
            } else {
                self.hold(bytes);
                self.give_held(end, &mut take);
            }
        }
        self.hold(chunk);
    }

    /// Gives away what is left at the end of the stream.
    pub(super) fn finish(&mut self, mut take: impl FnMut(&Piece<'_>)) {
        if self.is_returned {
            self.give_held(End::Return, &mut take);
        } else if !self.held.is_empty() {
            self.give_held(End::Stream, &mut take);
        }
    }

    fn give_held(&mut self, end: End, take: &mut impl FnMut(&Piece<'_>)) {
        take(&Piece { bytes: &self.held, is_cut: self.is_cut, end });
        self.held.clear();
        self.is_cut = false;
        self.is_returned = false;
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
        assert_eq!(pieces, 2);
    }

    #[test]
    fn the_line_end_of_windows_is_one_wherever_it_is_cut() {
        let whole = b"a\r\nb\rc\r\r\n\r\n\nd\r";
        for size in 1..=whole.len() {
            let mut splitter = Splitter::default();
            let mut pieces = Vec::new();
            let mut take =
                |p: &Piece<'_>| pieces.push((String::from_utf8_lossy(p.bytes).into_owned(), p.end));
            whole.chunks(size).for_each(|chunk| splitter.feed(chunk, &mut take));
            splitter.finish(&mut take);
            let expected = [
                ("a", End::Line),
                ("b", End::Return),
                ("c", End::Return),
                ("", End::Line),
                ("", End::Line),
                ("", End::Line),
                ("d", End::Return),
            ];
            assert_eq!(pieces, expected.map(|(text, end)| (text.to_owned(), end)), "{size}");
        }
    }
}

//! How findings say paths and lists.

pub use mastmaint_words::backup::{Code, Finding, Severity};

/// A path as people read it: what is not UTF-8 or not printable is escaped, so that no name can write on a terminal
/// or pretend to be two.
pub fn shown(path: &[u8]) -> String {
    // Most names are plain, and a backup has many.
    if path.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\') {
        return String::from_utf8_lossy(path).into_owned();
    }
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            let digit = |four: u8| char::from(b"0123456789abcdef"[usize::from(four)]);
            text.extend(['\\', 'x', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    text
}

/// At most this many lines of evidence: enough to begin with, never a flood.
pub(crate) const EVIDENCE: usize = 20;

/// The first lines of evidence and how many more there are.
pub(crate) fn some_of(lines: impl IntoIterator<Item = String>, total: u64) -> Vec<String> {
    let mut some: Vec<String> = lines.into_iter().take(EVIDENCE).collect();
    let kept = u64::try_from(some.len()).unwrap_or(u64::MAX);
    if total > kept {
        some.push(format!("and {} more", total - kept));
    }
    some
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_write_on_the_terminal() {
        assert_eq!(shown(b"a\nb\x1b[2J\xff\\"), "a\\nb\\u{1b}[2J\\xff\\\\");
        assert_eq!(shown("ümläut".as_bytes()), "ümläut");
        assert_eq!(shown(b"a name/~with.all that-is_plain"), "a name/~with.all that-is_plain");
        assert_eq!(shown(b"a\x7f"), "a\\u{7f}");
    }

    #[test]
    fn evidence_never_floods() {
        let lines = some_of((0..100).map(|n| n.to_string()), 100);
        assert_eq!(lines.len(), EVIDENCE + 1);
        assert_eq!(lines.last().unwrap(), "and 80 more");
        assert_eq!(some_of(["a".to_owned()], 1), ["a"]);
    }
}

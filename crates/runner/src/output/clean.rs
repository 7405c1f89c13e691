//! Makes plain text of a piece of output: no escape codes, no control characters, valid UTF-8.

use std::borrow::Cow;

/// The text of `bytes`. Nothing is copied when there is nothing to take out.
pub(super) fn clean(bytes: &[u8]) -> Cow<'_, str> {
    // A count instead of a search becomes vector code, and nearly every line passes.
    let has_controls = bytes.iter().filter(|b| is_control(**b)).count() > 0;
    match std::str::from_utf8(bytes) {
        Ok(text) if !has_controls && (text.is_ascii() || !text.chars().any(is_unwanted)) => {
            Cow::Borrowed(text)
        }
        Ok(text) => Cow::Owned(strip(text)),
        Err(_) => Cow::Owned(strip(&String::from_utf8_lossy(bytes))),
    }
}

const fn is_control(b: u8) -> bool {
    b.is_ascii_control() && b != b'\t'
}

fn is_unwanted(c: char) -> bool {
    c.is_control() && c != '\t'
}

fn strip(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{1b}' => rest = after_escape(rest),
            '\u{9b}' => rest = after_parameters(rest),
            c if is_unwanted(c) => {}
            c => plain.push(c),
        }
    }
    plain
}

/// What follows an escape sequence, given what follows its ESC.
fn after_escape(rest: &str) -> &str {
    if let Some(parameters) = rest.strip_prefix('[') {
        return after_parameters(parameters);
    }
    if let Some(title) = rest.strip_prefix([']', 'P', '_', '^', 'X']) {
        // A string without its end takes nothing with it: an error message may follow.
        let end = [title.find('\u{7}').map(|at| at + 1), title.find("\u{1b}\\").map(|at| at + 2)];
        return end.into_iter().flatten().min().map_or(title, |at| &title[at..]);
    }
    let intermediate = rest.trim_start_matches(|c| matches!(c, ' '..='/'));
    intermediate.strip_prefix(|c| matches!(c, '0'..='~')).unwrap_or(intermediate)
}

fn after_parameters(rest: &str) -> &str {
    let rest =
        rest.trim_start_matches(|c| matches!(c, '0'..='?')).trim_start_matches(|c| matches!(c, ' '..='/'));
    rest.strip_prefix(|c| matches!(c, '@'..='~')).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_out_what_is_not_text() {
        for (given, expected) in [
            (&b"Loaded \x1b[33m.env.production\x1b[0m"[..], "Loaded .env.production"),
            (b"\x1b[2Ktransforming", "transforming"),
            (b"\x1b]0;title\x07after", "after"),
            (b"\x1b]8;;http://x\x1b\\link", "link"),
            (b"\x1b]0;no end Error", "0;no end Error"),
            (b"\x1b(Bplain\x1b7", "plain"),
            (b"a\tb\x00c\x7f", "a\tbc"),
            ("€\u{9b}31mred".as_bytes(), "€red"),
            (b"bad \xff byte", "bad \u{fffd} byte"),
        ] {
            assert_eq!(clean(given), expected);
        }
        assert!(matches!(clean("plain äöü €".as_bytes()), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn leaves_no_control_character(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(!clean(&bytes).chars().any(is_unwanted));
        }
    }
}

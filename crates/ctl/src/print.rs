//! The two streams: data on standard output, talk on standard error. Colours are dropped by anstream where the stream
//! is no terminal or `NO_COLOR` is set.

use std::io::{self, IsTerminal as _, Write as _};

/// Prints data.
pub fn data(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints a line of talk. Nobody can be told that standard error is gone.
pub fn talk(line: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Prints a listing as JSON.
pub fn json(value: &impl serde::Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    // Not through anstream: JSON has no colours, and its escapes are none of a terminal.
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Columns of standard output; `None` where nothing may be cut because it is no terminal.
pub fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(out).map(|(width, _)| usize::from(width.0))
}

/// Text from elsewhere without anything that a terminal would obey: escape sequences and control characters.
pub fn tame(text: &str) -> String {
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_dropped() {
        assert_eq!(tame("Loaded \u{1b}[33m.env\u{1b}[0m\u{7}\r\n\tend"), "Loaded .env\n\tend");
        assert_eq!(tame("\u{1b}]0;title\u{7}text"), "text");
    }
}

//! What a line is. Looks at its first byte before anything else: nearly every line of a long output is plain.

use crate::{
    protocol::{LineClass, Stream},
    verdict::{is_exception, is_statement},
};

/// What a line is, for the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Plain output.
    Plain,
    /// Worth a warning.
    Warning,
    /// The command's own statement of success.
    Statement,
    /// One item that a command swallowed.
    ItemError,
    /// Another line that begins with an error, on standard output.
    PlainError,
    /// A logger line of level E or F, or an error on standard error.
    LoggedError,
    /// The first line of an uncaught Ruby exception.
    Exception,
}

impl Kind {
    pub(super) const fn class(self) -> LineClass {
        match self {
            Self::Plain => LineClass::Output,
            Self::Warning => LineClass::Warning,
            Self::Statement => LineClass::Success,
            Self::ItemError | Self::PlainError | Self::LoggedError | Self::Exception => LineClass::Error,
        }
    }
}

/// What tootctl says of one item and goes on.
const ITEM_ERRORS: [&str; 2] = ["Error processing ", "Account failed: "];
/// How programs begin a line that says that something went wrong.
const ERRORS: [&str; 13] = [
    "Error ",
    "Error: ",
    "ERROR ",
    "ERROR: ",
    "error: ",
    "error[",
    "Errno::",
    "FATAL: ",
    "Fatal error",
    "fatal: ",
    "Failed to ",
    "failed to ",
    "Traceback (most recent call last)",
];
const WARNINGS: [&str; 6] = ["Warning: ", "WARNING: ", "warning: ", "WARN ", "[warn]", "Deprecated "];

pub(super) fn classify(stream: Stream, text: &str) -> Kind {
    let on_stdout = stream == Stream::Stdout;
    let Some(first) = text.bytes().next() else { return Kind::Plain };
    if text.as_bytes().get(1..4) == Some(b", [") {
        match (first, text.contains("] ERROR -- :") || text.contains("] FATAL -- :")) {
            (b'E' | b'F', true) => return Kind::LoggedError,
            (b'W', _) => return Kind::Warning,
            _ => return Kind::Plain,
        }
    }
    if matches!(first, b'E' | b'e' | b'F' | b'f' | b'A' | b'T') {
        if ITEM_ERRORS.iter().any(|e| text.starts_with(e)) {
            return Kind::ItemError;
        }
        if ERRORS.iter().any(|e| text.starts_with(e)) {
            return if on_stdout { Kind::PlainError } else { Kind::LoggedError };
        }
    }
    // A build that leaves something out has not done what was asked.
    if first == b'I' && text.starts_with("Invalid ") && text.ends_with(" skipping") {
        return Kind::PlainError;
    }
    if matches!(first, b'W' | b'w' | b'[' | b'D') && WARNINGS.iter().any(|w| text.starts_with(w)) {
        return Kind::Warning;
    }
    if on_stdout && is_statement(text) {
        return Kind::Statement;
    }
    if !on_stdout && is_exception(text) {
        return Kind::Exception;
    }
    Kind::Plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stream::{Stderr, Stdout};

    #[test]
    fn tells_lines_apart() {
        for (stream, text, kind) in [
            (Stdout, "I, [2026-11-23T02:54:33 #1]  INFO -- : [dotenv] Loaded .env.production", Kind::Plain),
            (Stdout, "E, [2026-11-23T02:54:33 #1] ERROR -- : clear failed", Kind::LoggedError),
            (Stdout, "F, [2026-11-23T02:54:33 #1] FATAL -- : gone", Kind::LoggedError),
            (Stdout, "W, [2026-11-23T02:54:33 #1]  WARN -- : Switching to red", Kind::Warning),
            (Stdout, "Error processing 117: Permission denied", Kind::ItemError),
            (Stdout, "Error fetching list of files: AccessDenied", Kind::PlainError),
            (Stderr, "Error connecting to Redis on localhost:6379", Kind::LoggedError),
            (Stdout, "Removed 15 media attachments (approx. 1.11 MB)", Kind::Statement),
            (Stdout, "OK", Kind::Statement),
            (Stderr, "OK", Kind::Plain),
            (
                Stderr,
                "a.rb:6:in 'new_client': Database not found: x. (ActiveRecord::NoDatabaseError)",
                Kind::Exception,
            ),
            (Stderr, "\tfrom a.rb:6:in 'new_client'", Kind::Plain),
            (Stdout, "Errors: 0", Kind::Plain),
            (Stdout, "Visited by nobody", Kind::Plain),
            (Stdout, "Invalid theme path \"styles/x\" in themes.yml, skipping", Kind::PlainError),
            (Stdout, "", Kind::Plain),
        ] {
            assert_eq!(classify(stream, text), kind, "{text}");
        }
    }
}

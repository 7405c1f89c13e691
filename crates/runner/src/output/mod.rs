//! What a step says: bytes of two pipes become lines, a bounded share of events, a capped copy and a bounded summary.
//! Nothing in here grows with the amount of output or the length of a line, and the result does not depend on how the
//! bytes were cut into pieces.

mod bar;
mod classify;
mod clean;
mod copy;
mod foreign;
mod lines;
mod reader;
mod remarks;
mod share;
mod signs;
mod watch;

pub use copy::KeptCopy;
pub(crate) use foreign::is_error as is_foreign_error;
pub use reader::Reader;
pub use watch::Patterns;

/// Longest text of a line, in bytes; the rest is counted and thrown away.
pub const MAX_LINE: usize = 4096;
/// Longest text in [`Summary`] and in the last line of a progress event.
const MAX_QUOTE: usize = 400;
/// How many lines of a kind a summary quotes.
const MAX_QUOTES: usize = 8;

/// What the judge needs to know of the output: bounded, redacted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines, blank ones and progress bars included.
    pub lines: u64,
    /// Bytes as they came.
    pub bytes: u64,
    /// `Error processing 123: …`: one item that a command swallowed.
    pub item_errors: u64,
    /// Other lines that begin with an error, on standard output.
    pub plain_errors: u64,
    /// Logger lines of level E or F, and error lines on standard error.
    pub logged_errors: u64,
    /// Lines on standard error that name trouble without saying that it is an error.
    pub complaints: u64,
    /// Lines on standard error that are nothing of what is known.
    pub unexpected: u64,
    /// The first of them.
    pub first_unexpected: Option<String>,
    /// Lines worth a warning.
    pub warnings: u64,
    /// The first error lines.
    pub first_errors: Vec<String>,
    /// The first lines on standard error that are no remarks.
    pub first_stderr: Vec<String>,
    /// The last line on standard error that warns or belongs to a warning.
    pub last_aside: Option<String>,
    /// The first line of the first uncaught Ruby exception.
    pub exception: Option<String>,
    /// The last lines in which the command stated its success.
    pub statements: Vec<String>,
    /// The last lines that say that something is now in the database which is taken away later.
    pub milestones: Vec<String>,
    /// Lines of tootctl's help.
    pub help: u64,
    /// The signal that Ruby says it was ended by.
    pub ruby_signal: Option<String>,
    /// The last line on standard output that no logger wrote.
    pub last_stdout: Option<String>,
    /// Patterns that the admin expects and that no line holds.
    pub unmet: Vec<String>,
    /// A pattern that the admin fears, and the first line that holds it.
    pub feared: Option<(String, String)>,
}

impl Summary {
    /// Error lines of every kind; complaints are told apart.
    pub const fn errors(&self) -> u64 {
        self.item_errors + self.plain_errors + self.logged_errors
    }
}

/// At most `limit` bytes of `text`; what is cut is marked.
pub(crate) fn cut(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
    const MARK: &str = "…";
    if text.len() <= limit {
        return text.into();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(MARK.len()));
    format!("{}{MARK}", &text[..end]).into()
}

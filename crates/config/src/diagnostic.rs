//! What people read when a configuration is wrong or odd: place, key path, sentence, then the source line with a
//! caret. What must not be shown of the line is masked
//! (`mask.rs`): diagnostics go to the journal.

use crate::mistake::Mistake;
use std::{fmt, fmt::Write as _};

/// A place in one of the files; line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of the file among those that were read.
    pub file: usize,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    pub(crate) fn new(file: usize, line: usize, column: usize) -> Self {
        Self { file, line: line.max(1), column: column.max(1) }
    }

    pub(crate) fn start(file: usize) -> Self {
        Self::new(file, 1, 1)
    }
}

/// One thing that is wrong (a mistake) or odd (a warning). Its `Display` is the full text with line and caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// `file:line:column`, or only the file where there is no line to show.
    pub at: String,
    /// The same as numbers, to sort by; absent for a file that was not read.
    pub place: Option<Place>,
    /// The key path: `jobs.clean-media.steps[1].timeout`; empty for a whole file. Steps count from 1.
    pub path: String,
    /// What is wrong and what would be right.
    pub mistake: Mistake,
    /// The line with its number, the caret below it.
    pub excerpt: Option<String>,
}

impl Diagnostic {
    /// Stable code in kebab-case.
    pub fn code(&self) -> &'static str {
        self.mistake.code()
    }

    /// The first line only: place, path, sentence.
    pub fn headline(&self) -> String {
        let colon = if self.path.is_empty() { "" } else { ": " };
        format!("{}: {}{colon}{}", self.at, self.path, shortened(self.mistake.to_string()))
    }
}

/// A sentence that quotes more than anybody reads, without its middle: what it is about stands at its beginning, what
/// would be right at its end.
fn shortened(sentence: String) -> String {
    const HEAD: usize = 600;
    const TAIL: usize = 300;
    let count = sentence.chars().count();
    if count <= HEAD + TAIL {
        return sentence;
    }
    let head: String = sentence.chars().take(HEAD).collect();
    let tail: String = sentence.chars().skip(count - TAIL).collect();
    format!("{head} … {tail}")
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        match &self.excerpt {
            Some(excerpt) => write!(f, "\n{excerpt}"),
            None => Ok(()),
        }
    }
}

/// A range that is never shown: from place to end, both (line, column).
type Masked = ((usize, usize), (usize, usize));

/// The texts that were read, for names and excerpts.
#[derive(Debug, Default)]
pub(crate) struct Files {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    name: String,
    lines: Vec<String>,
    masked: Vec<Masked>,
}

/// Widest excerpt, in characters.
const WIDEST: usize = 110;

impl Files {
    pub(crate) fn add(&mut self, name: &str, text: &str) -> usize {
        let lines = text.lines().map(str::to_owned).collect();
        self.files.push(File { name: name.to_owned(), lines, masked: Vec::new() });
        self.files.len() - 1
    }

    pub(crate) fn mask(&mut self, place: Place, end: (usize, usize)) {
        if let Some(file) = self.files.get_mut(place.file) {
            file.masked.push(((place.line, place.column), end));
        }
    }

    pub(crate) fn name(&self, place: Place) -> String {
        let name = self.files.get(place.file).map_or("?", |file| file.name.as_str());
        format!("{name}:{}:{}", place.line, place.column)
    }

    /// The plain scalar that is written at a place.
    pub(crate) fn scalar(&self, place: Place) -> Option<&str> {
        let line = self.files.get(place.file)?.lines.get(place.line - 1)?;
        let (begin, _) = line.char_indices().nth(place.column - 1)?;
        line[begin..].split([',', ']', '}', ' ', '\t', '#']).next()
    }

    /// The diagnostic for a mistake at a place.
    pub(crate) fn diagnostic(&self, place: Place, path: &str, mistake: Mistake) -> Diagnostic {
        Diagnostic {
            at: self.name(place),
            place: Some(place),
            path: path.to_owned(),
            excerpt: self.excerpt(place, mistake.is_of_syntax()),
            mistake,
        }
    }

    fn excerpt(&self, place: Place, of_broken_file: bool) -> Option<String> {
        let file = self.files.get(place.file)?;
        let line = file.lines.get(place.line - 1)?;
        let hide_from = of_broken_file.then(|| value_column(line));
        let hidden = |column: usize| {
            hide_from.is_some_and(|from| column >= from)
                || file
                    .masked
                    .iter()
                    .any(|(from, to)| *from <= (place.line, column) && (place.line, column) < *to)
        };
        let skipped = if place.column > WIDEST { place.column - WIDEST / 2 } else { 0 };
        let mut shown = String::new();
        for (index, c) in line.chars().enumerate().skip(skipped).take(WIDEST) {
            shown.push(match c {
                _ if hidden(index + 1) => '*',
                '\t' => ' ',
                c if c.is_control() => '\u{fffd}',
                c => c,
            });
        }
        let mut out = String::new();
        let indent = " ".repeat((place.column - 1 - skipped).min(WIDEST));
        write!(out, "{:>5} | {}\n      | {indent}^", place.line, shown.trim_end()).ok()?;
        Some(out)
    }
}

/// Keys whose values are shown also of a file that is no YAML: what breaks most files is a cron expression.
const HARMLESS: [&str; 12] = [
    "schedule",
    "timezone",
    "timeout",
    "grace",
    "random_delay",
    "catch_up",
    "lock",
    "until",
    "from",
    "jobs",
    "steps",
    "instance",
];

/// Where the first value begins that may be a secret on a line of a file that is no YAML: it has no tree to tell values
/// from keys, so what follows a `:` or `=` is hidden unless its key is a harmless one or another key follows in braces.
fn value_column(line: &str) -> usize {
    let is_structure = |c: char| matches!(c, ' ' | '\t' | '-' | '{' | '[' | ',');
    let (mut key, mut begin, mut is_harmless) = (String::new(), 1, false);
    for (index, c) in line.chars().enumerate() {
        match c {
            ':' | '=' => {
                let rest: String = line.chars().skip(index + 1).collect();
                let opens = rest.trim_start().starts_with(['{', '[']) || rest.trim().is_empty();
                is_harmless = HARMLESS.contains(&key.as_str());
                if !opens && !is_harmless {
                    return index + 2;
                }
                (key, begin) = (String::new(), index + 2);
            }
            '"' | '\'' => {}
            c if is_structure(c) => (key, begin) = (String::new(), index + 2),
            c => key.push(c),
        }
    }
    if is_harmless { line.chars().count() + 1 } else { begin }
}

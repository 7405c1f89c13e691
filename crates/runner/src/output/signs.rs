//! The signs by which a line says that something went wrong, whichever program wrote it: a level that a logger put
//! before it, the name of an exception, the word at its beginning. Pure, and one search for nearly every line.

use super::foreign;
use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use std::sync::LazyLock;

/// What a line says of how things go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// A logger wrote it at a level that is none.
    Fine,
    /// Worth a warning.
    Warning,
    /// It begins as complaints do, and programs that go on well begin some lines so, too.
    Complaint,
    /// It says that something went wrong.
    Error,
    /// A logger says so.
    Logged,
}

/// No line without one of these has a sign.
static TRIGGERS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = [
        "err",
        "fatal",
        "crit",
        "emerg",
        "panic",
        "severe",
        "alert",
        "::",
        "exception",
        "aborted!",
        "level",
        "severity",
        "warn",
        "deprecat",
        "failed to",
        "build failed",
        "compilation failed",
        "could",
        "unable to",
        "cannot",
        "can't",
        ", [",
        "traceback",
        "info",
        "debug",
        "notice",
        " failed",
        foreign::AFTER_LEVEL,
    ];
    AhoCorasickBuilder::new().ascii_case_insensitive(true).build(words).ok()
});

const ERROR_LEVELS: [&str; 11] =
    ["error", "err", "err!", "fatal", "critical", "crit", "severe", "emerg", "emergency", "panic", "alert"];
/// Levels that are none, where they are marked as a level.
const FINE_LEVELS: [&str; 4] = ["info", "debug", "notice", "trace"];
const WARNING_LEVELS: [&str; 4] = ["warning", "warn", "deprecated", "deprecation"];
/// Levels with which people, too, begin a line, without a mark. `Alert settings saved` is none.
const PLAIN_SPEECH: [&str; 4] = ["error", "fatal", "warning", "deprecated"];
const COMPLAINTS: [&str; 9] = [
    "failed to ",
    "could not ",
    "couldn't ",
    "unable to ",
    "cannot ",
    "can't ",
    "can not ",
    "build failed",
    "compilation failed",
];
/// Levels behind the name of a program, wherever it stands in the line: first those of errors.
static SAID: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let levels = ERRORS_SAID.iter().chain(&WARNINGS_SAID).map(|level| format!(": {level}"));
    AhoCorasick::new(levels).ok()
});
const ERRORS_SAID: [&str; 4] = ["error:", "fatal:", "err!", "fatal error:"];
const WARNINGS_SAID: [&str; 2] = ["warning:", "warn:"];
/// `Build with Vite failed`.
const BUILD: &str = "build with ";

/// The sign of a line, if it has any.
pub(super) fn sign(text: &str) -> Option<Sign> {
    if TRIGGERS.as_ref().is_some_and(|t| !t.is_match(text)) {
        return None;
    }
    let text = text.trim_start();
    logger(text)
        .or_else(|| structured(text))
        .or_else(|| head(text))
        .or_else(|| foreign::level(text))
        .or_else(|| exception(text).then_some(Sign::Error))
        .or_else(|| program(text))
}

/// `E, [2026-11-23T02:54:33 #1] ERROR -- NAME: …`, as Ruby's loggers write; also behind what a bar or another program
/// left on the line.
fn logger(text: &str) -> Option<Sign> {
    text.match_indices(", [").find_map(|(at, mark)| {
        let before = &text[..at];
        let letter = before.chars().next_back()?;
        let is_alone =
            before.len() == 1 || !before[..before.len() - letter.len_utf8()].ends_with(char::is_alphanumeric);
        let (_, rest) = text[at + mark.len()..].split_once(']').filter(|_| is_alone)?;
        let level = rest.trim_start().split(' ').next().filter(|_| rest.contains(" -- "))?;
        match (letter, level) {
            ('E', "ERROR") | ('F', "FATAL") => Some(Sign::Logged),
            ('W', "WARN") => Some(Sign::Warning),
            ('I', "INFO") | ('D', "DEBUG") | ('A', "ANY") => Some(Sign::Fine),
            _ => None,
        }
    })
}

/// `{"level":"error",…}` and `level=error …`.
fn structured(text: &str) -> Option<Sign> {
    let is_object = text.starts_with('{');
    if !is_object && !text.contains('=') {
        return None;
    }
    ["level", "severity", "lvl", "levelname"].iter().find_map(|name| {
        let value = text.match_indices(name).find_map(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            if is_object {
                let after = after.strip_prefix('"').filter(|_| before.ends_with('"'))?;
                Some(after.trim_start().strip_prefix(':')?.trim_start())
            } else {
                after.strip_prefix('=').filter(|_| before.is_empty() || before.ends_with(' '))
            }
        })?;
        let value = value.trim_start_matches('"');
        let word = value.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or("");
        // Loggers of Node count in tens: 40 is a warning, 50 and 60 are errors.
        Some(match word.parse::<u32>() {
            Ok(number) if is_object && number >= 50 => Sign::Logged,
            Ok(number) if is_object && number >= 40 => Sign::Warning,
            Ok(_) => Sign::Fine,
            Err(_) => match level(word) {
                Some(Sign::Error) => Sign::Logged,
                found => found.unwrap_or(Sign::Fine),
            },
        })
    })
}

fn level(word: &str) -> Option<Sign> {
    if is_one_of(&ERROR_LEVELS, word) {
        Some(Sign::Error)
    } else {
        is_one_of(&WARNING_LEVELS, word).then_some(Sign::Warning)
    }
}

/// Whether it is one of these words, in capitals or not.
fn is_one_of(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// `Error …`, `[ERROR] …`, `2026-11-23 02:54:33 ERROR …`: a level at the beginning, or after stamps and brackets.
fn head(text: &str) -> Option<Sign> {
    let is_edge = |c: char| matches!(c, '[' | ']' | '(' | ')' | '<' | '>' | '|' | ':' | ',');
    // `[fog][WARNING] …` are two words.
    let words = text.split_whitespace().flat_map(|word| word.split_inclusive(']'));
    for (position, word) in words.take(6).enumerate() {
        let trimmed = word.trim_matches(is_edge);
        // `error[E0432]: …`, `WARN[0000] …`.
        let bare = trimmed.split('[').next().unwrap_or(trimmed);
        let is_marked = bare.len() < word.len() || !bare.bytes().any(|b| b.is_ascii_lowercase());
        let is_plain_speech = position == 0 && is_one_of(&PLAIN_SPEECH, bare);
        if let Some(sign) = level(bare).filter(|_| is_plain_speech || is_marked) {
            return Some(sign);
        }
        if is_marked && is_one_of(&FINE_LEVELS, bare) {
            return Some(Sign::Fine);
        }
        let is_stamp = bare.starts_with(|c: char| c.is_ascii_digit()) && bare.len() >= 5;
        let is_bracketed = word.starts_with(['[', '(', '<']) || word.ends_with([']', ')', '>']);
        // Sidekiq: `2026-11-23T02:54:33.793Z pid=4275 tid=2vkn INFO: …`.
        let is_tag = bare.split_once('=').is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase()));
        if !(is_stamp || is_tag || is_bracketed || bare.is_empty()) {
            return None;
        }
    }
    None
}

/// `PG::ConnectionBad: …`, `NoMethodError: …`, `…: Redis::CannotConnectError: …`, `… (Errno::ECONNREFUSED)`.
fn exception(text: &str) -> bool {
    if text.starts_with("Traceback (most recent call last)") || text.ends_with(" aborted!") {
        return true;
    }
    let mut words = text.split_whitespace().enumerate().peekable();
    while let Some((position, word)) = words.next() {
        let named = word.strip_suffix(':');
        let is_last = words.peek().is_none();
        let quoted = word.strip_prefix('(').and_then(|w| w.strip_suffix(')')).filter(|_| is_last);
        let alone = (position == 0 && word.starts_with("Errno::") || is_last).then_some(word);
        let Some(name) = named.or(quoted).or(alone) else { continue };
        let is_first = position == 0 && named.is_some();
        if is_class(name) && (is_first || is_telling(name)) || is_first && is_error_name(name) {
            return true;
        }
    }
    false
}

/// `Word::Word`.
fn is_class(name: &str) -> bool {
    name.contains("::")
        && name.split("::").all(|part| {
            part.starts_with(|c: char| c.is_ascii_uppercase())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
}

/// Whether a class in the middle of a line can only be one of exceptions.
fn is_telling(class: &str) -> bool {
    class.starts_with("Errno::") || class.starts_with("PG::") || is_error_name(class)
}

/// `NoMethodError`, `psycopg2.OperationalError`.
fn is_error_name(name: &str) -> bool {
    let last = name.rsplit(['.', ':']).next().unwrap_or("");
    last.starts_with(|c: char| c.is_ascii_uppercase())
        && (last.ends_with("Error") || last.ends_with("Exception"))
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'_'))
}

/// `NAME: error: …`, `rsync error: …`, `npm ERR! …`, `NAME: failed to …`, `Could not …`.
fn program(text: &str) -> Option<Sign> {
    let lower = text.to_ascii_lowercase();
    let after_name = lower.split_once(' ').map_or("", |(_, rest)| rest);
    let begins = |levels: &[&str]| levels.iter().any(|level| after_name.starts_with(level));
    let said = SAID.as_ref().into_iter().flat_map(|said| said.find_overlapping_iter(&lower));
    let said = said.map(|found| found.pattern().as_usize()).min();
    if begins(&ERRORS_SAID) || said.is_some_and(|first| first < ERRORS_SAID.len()) {
        return Some(Sign::Error);
    }
    let is_of_glib = ["-warning **", "-critical **"].iter().any(|level| lower.contains(level));
    if is_of_glib || said.is_some() || begins(&WARNINGS_SAID) || lower.starts_with("deprecat") {
        return Some(Sign::Warning);
    }
    let starts = std::iter::once(lower.as_str()).chain(lower.split(": ").skip(1));
    // curl puts its number before the sentence: `curl: (7) Failed to connect`.
    let mut parts = starts.map(number_off);
    if parts.any(|part| COMPLAINTS.iter().any(|c| part.starts_with(c))) {
        return Some(Sign::Complaint);
    }
    if lower.starts_with(BUILD) && lower.contains(" failed") {
        return Some(Sign::Complaint);
    }
    lower.contains(" deprecated").then_some(Sign::Warning)
}

fn number_off(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '(' | ')' | ' '))
}

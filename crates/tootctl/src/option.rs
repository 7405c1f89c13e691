//! Options as data, and how Thor (the Ruby library that reads them) takes them apart.

use crate::Series;

/// An option of a command.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its name, with hyphens and without those before it: `dry-run`.
    pub name: &'static str,
    /// The letter of its short form.
    pub short: Option<char>,
    /// What stands after it.
    pub takes: Takes,
    /// The first series that has it.
    pub since: Series,
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is on, or off as `--no-…`.
    Nothing,
    /// A number, at least this.
    Number(i32),
    /// Any text.
    Text,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Some of these.
    ListOf(&'static [&'static str]),
}

const fn option(name: &'static str, takes: Takes) -> OptionSpec {
    OptionSpec { name, short: None, takes, since: Series::OLDEST }
}

pub(crate) const fn flag(name: &'static str) -> OptionSpec {
    option(name, Takes::Nothing)
}

pub(crate) const fn number(name: &'static str, least: i32) -> OptionSpec {
    option(name, Takes::Number(least))
}

pub(crate) const fn text(name: &'static str) -> OptionSpec {
    option(name, Takes::Text)
}

pub(crate) const fn one_of(name: &'static str, words: &'static [&'static str]) -> OptionSpec {
    option(name, Takes::OneOf(words))
}

pub(crate) const fn list_of(name: &'static str, words: &'static [&'static str]) -> OptionSpec {
    option(name, Takes::ListOf(words))
}

impl OptionSpec {
    pub(crate) const fn or(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    pub(crate) const fn since(self, major: u16, minor: u16) -> Self {
        Self { since: Series::new(major, minor), ..self }
    }
}

/// A word as an option is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written<'a> {
    /// `--name`, `--name=value`.
    Long(&'a str, Option<&'a str>),
    /// `-c`, `-c5`, `-c=5`, `-vc`: what stands behind the hyphen.
    Short(&'a str),
}

/// How a word is read: numbers may have a minus, and a lone hyphen is a name.
pub(crate) fn written(word: &str) -> Option<Written<'_>> {
    if let Some(long) = word.strip_prefix("--") {
        if long.is_empty() {
            return None;
        }
        return Some(match long.split_once('=') {
            Some((name, value)) => Written::Long(name, Some(value)),
            None => Written::Long(long, None),
        });
    }
    let letters = word.strip_prefix('-')?;
    letters.starts_with(char::is_alphabetic).then_some(Written::Short(letters))
}

/// `_` and `-` are the same in a name.
pub(crate) fn normal(name: &str) -> String {
    name.replace('_', "-")
}

/// Whether Thor takes a word for a number.
pub(crate) fn as_number(word: &str) -> Option<f64> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_number = all_digits(whole) && all_digits(part) && !part.is_empty() && !digits.is_empty();
    let is_whole = digits.contains('.') || !whole.is_empty();
    if is_number && is_whole { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_thor_reads_them() {
        assert_eq!(written("--days=7"), Some(Written::Long("days", Some("7"))));
        assert_eq!(written("-d7"), Some(Written::Short("d7")));
        for name in ["-7", "--", "-", "a-b", "7", ""] {
            assert_eq!(written(name), None, "{name}");
        }
        for number in ["7", "-7", "+7", "7.5", ".5"] {
            assert!(as_number(number).is_some(), "{number}");
        }
        for other in ["seven", "7d", "", "-", "7.", "1_000", "٣", "1e3", "."] {
            assert!(as_number(other).is_none(), "{other}");
        }
    }
}

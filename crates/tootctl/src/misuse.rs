//! What is wrong with a command line of tootctl, as data: its code is stable, its text says what is wrong and what would
//! be right.

use crate::Series;
use std::fmt;

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misuse {
    /// Which argument, counted from 0.
    pub word: usize,
    /// What.
    pub wrong: Wrong,
    /// tootctl does not refuse it: it would do something else and exit with 0.
    pub is_silent: bool,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is a word of the sentence that `Display` makes")]
pub enum Wrong {
    /// tootctl prints its help and does nothing.
    NoCommand { given: String },
    /// A command that no version has.
    UnknownCommand { given: String, near: Option<&'static str> },
    /// An option that the command has in no version.
    UnknownOption { command: &'static str, given: String, near: Option<&'static str>, known: String },
    /// A dash that is no hyphen.
    Dash { given: String },
    /// An option without its number, or with something else.
    NoNumber { option: String, given: Option<String> },
    /// A number that makes no sense.
    TooSmall { option: String, given: String, least: i32 },
    /// An option without its value: Thor takes the option's name for it.
    NoValue { option: String },
    /// None of the words that an option takes.
    NoChoice { what: String, given: String, choices: String },
    /// A name too many.
    ExtraName { command: &'static str, given: String },
    /// A name too few.
    NoName { command: &'static str, wanted: String },
    /// An option that must be there.
    NoOption { command: &'static str, option: &'static str },
    /// Two options that exclude each other.
    Excluding { first: String, second: String },
    /// An option that needs another.
    Lonely { option: String, wanted: String },
    /// The help is asked for.
    Help { given: String },
    /// A later version has it.
    NotYet { what: String, since: Series, installed: Series },
}

impl Wrong {
    /// Stable code in kebab-case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoCommand { .. } => "no-command",
            Self::UnknownCommand { .. } => "unknown-command",
            Self::UnknownOption { .. } => "unknown-option",
            Self::Dash { .. } => "dash",
            Self::NoNumber { .. } => "no-number",
            Self::TooSmall { .. } => "number-too-small",
            Self::NoValue { .. } => "no-option-value",
            Self::NoChoice { .. } => "unknown-choice",
            Self::ExtraName { .. } => "extra-argument",
            Self::NoName { .. } => "missing-argument",
            Self::NoOption { .. } => "missing-option",
            Self::Excluding { .. } => "excluding-options",
            Self::Lonely { .. } => "lonely-option",
            Self::Help { .. } => "only-help",
            Self::NotYet { .. } => "not-in-this-version",
        }
    }

    /// Whether it is wrong only with some versions of Mastodon.
    pub const fn is_of_version(&self) -> bool {
        matches!(self, Self::NotYet { .. })
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand { given } if given.is_empty() => {
                write!(f, "no command is given: tootctl prints its help and does nothing")
            }
            Self::NoCommand { given } => {
                write!(
                    f,
                    "{given:?} is only the begin of a command: tootctl prints its help and does nothing"
                )
            }
            Self::UnknownCommand { given, near: Some(near) } => {
                write!(f, "tootctl has no command {given:?}; did you mean {near:?}?")
            }
            Self::UnknownCommand { given, near: None } => write!(f, "tootctl has no command {given:?}"),
            Self::UnknownOption { command, given, near: Some(near), .. } => {
                write!(f, "tootctl {command} has no option {given}; did you mean --{near}?")
            }
            Self::UnknownOption { command, given, near: None, known } if known.is_empty() => {
                write!(f, "tootctl {command} has no option {given}; it has no options")
            }
            Self::UnknownOption { command, given, near: None, known } => {
                write!(f, "tootctl {command} has no option {given}; it has {known}")
            }
            Self::Dash { given } => write!(
                f,
                "{given:?} begins with a dash that is no hyphen (copied from a web page?); write it with two hyphens: --"
            ),
            Self::NoNumber { option, given: Some(given) } => {
                write!(f, "{option} takes a number, {given:?} is none")
            }
            Self::NoNumber { option, given: None } => write!(f, "{option} takes a number, there is none"),
            Self::TooSmall { option, given, least } => {
                write!(f, "{option} takes a number from {least} on, {given} is below it")
            }
            Self::NoValue { option } => {
                write!(
                    f,
                    "{option} takes a value, there is none: tootctl would take the word {option} itself"
                )
            }
            Self::NoChoice { what, given, choices } => {
                write!(f, "{what} takes one of {choices}, {given:?} is none of them")
            }
            Self::ExtraName { command, given } => {
                write!(f, "tootctl {command} has no place for {given:?}; remove it")
            }
            Self::NoName { command, wanted } => write!(f, "tootctl {command} needs {wanted}"),
            Self::NoOption { command, option } => write!(f, "tootctl {command} needs --{option}"),
            Self::Excluding { first, second } => {
                write!(f, "--{first} and --{second} exclude each other; make two steps of it")
            }
            Self::Lonely { option, wanted } => write!(f, "--{option} works only together with {wanted}"),
            Self::Help { given } => {
                write!(f, "{given} asks for the help and does nothing; type it in a terminal")
            }
            Self::NotYet { what, since, installed } => {
                write!(f, "Mastodon {installed} has no {what}; it is there from {since} on")
            }
        }
    }
}

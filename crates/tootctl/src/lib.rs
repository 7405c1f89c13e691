//! The grammar of tootctl as data, per command and version of Mastodon: options and names that it takes, lines in which
//! it states its success, what it leaves behind when it is cut, whether it has a dry run, deletes files, may stand in a
//! schedule. Whoever checks a configuration, starts a step or judges one asks here. Pure, and knows no process.

mod call;
mod command;
mod known_lines;
mod line;
mod misuse;
mod option;
mod statement;
mod table;
mod version;

pub use call::Call;
pub use command::{Command, Debris, Names, Schedule};
pub use known_lines::{is_milestone, is_notice, is_statement, may_go_on};
pub use line::{Program, program};
pub use misuse::{Misuse, Wrong};
pub use option::{OptionSpec, Takes};
pub use statement::{Found, Statement, read};
pub use version::{Series, Version};

/// A word as one of a few: the nearest, if any is near enough to be meant.
fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    if given.len() > LONGEST {
        return None;
    }
    known
        .map(|word| (strsim::damerau_levenshtein(word, given), word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).clamp(1, 3) && *distance < given.len())
        .min()
        .map(|(_, word)| word)
}

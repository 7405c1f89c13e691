//! Commands as data, and how the one that is meant is found.

use crate::{
    Series, Statement, nearest,
    option::{OptionSpec, normal},
    table::COMMANDS,
};

/// A command that is known.
#[derive(Debug)]
pub struct Command {
    /// Its words, with hyphens: `preview-cards remove`.
    pub words: &'static str,
    /// The names that it takes.
    pub names: Names,
    /// Its options.
    pub options: &'static [OptionSpec],
    /// Each of these lines must be found; none means that only the exit status tells.
    pub statements: &'static [Statement],
    /// Whether it may stand in a schedule.
    pub schedule: Schedule,
    /// Whether it deletes files of media.
    pub deletes_files: bool,
    /// Whether the files go before the row is changed: a database that refuses keeps rows that point at nothing.
    pub files_go_first: bool,
    /// Options that exclude each other.
    pub excluding: &'static [(&'static str, &'static str)],
    /// An option that needs one of others.
    pub needing: &'static [(&'static str, &'static [&'static str])],
    /// One of these options must be there, unless a name is.
    pub wants: &'static [&'static str],
    /// Options that must be there.
    pub required: &'static [&'static str],
    /// What is left in the database when it is cut.
    pub debris: &'static [Debris],
    /// Days below which it does harm.
    pub days: Option<Days>,
    /// The first series that has it.
    pub since: Series,
}

/// How many names a command takes, and which.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// At least these.
    pub least: usize,
    /// At most these.
    pub most: usize,
    /// Only these, if it says so.
    pub of: &'static [&'static str],
}

/// Whether a command may stand in a schedule.
#[derive(Debug, Clone, Copy)]
pub enum Schedule {
    /// It may.
    May,
    /// It must not, because of this.
    Never(&'static str),
    /// Only with one of these options, because of this.
    OnlyWith(&'static [&'static str], &'static str),
}

/// What a command leaves behind if it ends between two of its lines.
#[derive(Debug, Clone, Copy)]
pub struct Debris {
    /// The lines after which something is there.
    pub begins: &'static [&'static str],
    /// The line after which it is gone.
    pub ends: &'static str,
    /// What is left.
    pub left: &'static str,
    /// What mends it.
    pub mended_by: &'static str,
}

/// Days below which a command does harm.
#[derive(Debug, Clone, Copy)]
pub struct Days {
    /// At least these.
    pub least: u32,
    /// What it takes if nothing is written.
    pub usual: u32,
    /// Only with one of these options; always, if there are none.
    pub only_with: &'static [&'static str],
    /// What happens otherwise.
    pub why: &'static str,
}

impl Names {
    pub(crate) const NONE: Self = Self { least: 0, most: 0, of: &[] };
    pub(crate) const ONE: Self = Self { least: 1, most: 1, of: &[] };
    pub(crate) const MAYBE: Self = Self { least: 0, most: 1, of: &[] };
    pub(crate) const MANY: Self = Self { least: 0, most: usize::MAX, of: &[] };
}

impl Command {
    pub(crate) const fn new(words: &'static str) -> Self {
        Self {
            words,
            names: Names::NONE,
            options: &[],
            statements: &[],
            schedule: Schedule::May,
            deletes_files: false,
            files_go_first: false,
            excluding: &[],
            needing: &[],
            wants: &[],
            required: &[],
            debris: &[],
            days: None,
            since: Series::OLDEST,
        }
    }

    /// Every command that is known.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        COMMANDS.iter().copied().flatten()
    }

    /// The option of that name.
    pub fn option(&self, name: &str) -> Option<&'static OptionSpec> {
        let name = normal(name);
        self.options.iter().find(|option| option.name == name)
    }

    pub(crate) fn short_option(&self, letter: char) -> Option<&'static OptionSpec> {
        self.options.iter().find(|option| option.short == Some(letter))
    }

    /// Whether it can look without touching.
    pub fn has_dry_run(&self) -> bool {
        self.option("dry-run").is_some()
    }

    /// Whether a line of success is expected of it.
    pub const fn has_statement(&self) -> bool {
        !self.statements.is_empty()
    }

    fn word(&self, level: usize) -> Option<&'static str> {
        self.words.split(' ').nth(level)
    }
}

/// What the first words of a command line mean.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Search {
    /// This command; so many words name it.
    Found(&'static Command, usize),
    /// They end too early: tootctl prints its help.
    TooShort,
    /// The word at this position is not known here.
    Unknown(usize, Option<&'static str>),
}

/// Finds the command. Thor takes an unambiguous beginning of a word for the word.
pub(crate) fn find(args: &[String]) -> Search {
    let mut left: Vec<&'static Command> = Command::all().collect();
    for level in 0.. {
        if let [command] = left[..]
            && command.word(level).is_none()
        {
            return Search::Found(command, level);
        }
        let Some(given) = args.get(level).filter(|word| !word.starts_with('-')) else {
            return Search::TooShort;
        };
        let given = normal(given);
        let known = |command: &&'static Command| command.word(level);
        let mut words: Vec<_> = left.iter().filter_map(known).collect();
        words.sort_unstable();
        words.dedup();
        let mut begun = words.iter().filter(|word| word.starts_with(given.as_str()) && !given.is_empty());
        let meant = match (words.iter().find(|word| **word == given), begun.next(), begun.next()) {
            (Some(word), ..) | (None, Some(word), None) => *word,
            _ => return Search::Unknown(level, nearest(&given, words.iter().copied())),
        };
        left.retain(|command| command.word(level) == Some(meant));
    }
    Search::TooShort
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn found(line: &str) -> String {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match find(&args) {
            Search::Found(command, words) => format!("{} {words}", command.words),
            Search::TooShort => "too short".to_owned(),
            Search::Unknown(at, near) => format!("unknown {at} {}", near.unwrap_or("-")),
        }
    }

    #[test]
    fn finds_commands_however_they_are_written() {
        for (line, expected) in [
            ("preview_cards remove --days 30", "preview-cards remove 2"),
            ("preview-cards remove", "preview-cards remove 2"),
            ("media remove_orphans", "media remove-orphans 2"),
            ("media remove 7", "media remove 2"),
            ("settings registrations open", "settings registrations open 3"),
            ("self_destruct", "self-destruct 1"),
            ("stat rem", "statuses remove 2"),
            ("media", "too short"),
            ("media --days 7", "too short"),
            ("", "too short"),
            ("media purge", "unknown 1 -"),
            ("media remvoe", "unknown 1 remove"),
            ("meida remove", "unknown 0 media"),
            ("media re", "unknown 1 -"),
        ] {
            assert_eq!(found(line), expected, "{line}");
        }
    }

    #[test]
    fn the_table_is_sound() {
        let mut seen = BTreeSet::new();
        for command in Command::all() {
            assert!(seen.insert(command.words), "{} stands twice", command.words);
            let mut options = BTreeSet::new();
            for option in command.options {
                assert!(options.insert(option.name) && !option.name.contains('_'), "{}", option.name);
            }
            let named = command.statements.iter().flat_map(|s| s.only_with.iter().chain(s.unless));
            let named = named.chain(command.wants).chain(command.required).copied();
            let named = named.chain(command.excluding.iter().flat_map(|(a, b)| [*a, *b]));
            let named = named.chain(
                command.needing.iter().flat_map(|(a, b)| std::iter::once(*a).chain(b.iter().copied())),
            );
            for name in named {
                assert!(options.contains(name), "{} has no --{name}", command.words);
            }
            for shape in command.statements.iter().flat_map(|s| s.shapes) {
                assert!(!shape.starts_with('{'), "{shape}: its first byte is what it is looked up by");
            }
        }
        assert!(seen.len() > 40);
    }
}

//! A command line of tootctl taken apart as Thor would, and what is wrong with it.

mod read;
#[cfg(test)]
mod tests;
mod whole;

use crate::{
    Command, Misuse, Schedule, Series,
    option::{OptionSpec, normal},
};

/// A command line of tootctl.
#[derive(Debug, Clone)]
pub struct Call {
    command: Option<&'static Command>,
    given: Vec<Given>,
    names: usize,
    misuses: Vec<Misuse>,
}

/// An option that was given.
#[derive(Debug, Clone)]
struct Given {
    spec: &'static OptionSpec,
    word: usize,
    /// `--no-verbose`, `--verbose false` are off.
    is_on: bool,
    value: Option<String>,
}

impl Call {
    /// Reads the arguments of `bin/tootctl`; what a version lacks is told only if the version is known.
    pub fn read(args: &[String], version: Option<Series>) -> Self {
        read::read(args, version)
    }

    /// The command, if it is one that is known.
    pub const fn command(&self) -> Option<&'static Command> {
        self.command
    }

    /// The words of its command, with hyphens; empty if it is none that is known.
    pub fn words(&self) -> &'static str {
        self.command.map_or("", |command| command.words)
    }

    /// Everything that is wrong with it, in the order of the words.
    pub fn misuses(&self) -> &[Misuse] {
        &self.misuses
    }

    /// The first thing that is wrong and that tootctl would not refuse by itself.
    pub fn silent_misuse(&self) -> Option<&Misuse> {
        self.misuses.iter().find(|misuse| misuse.is_silent)
    }

    /// How many names it gives.
    pub const fn names(&self) -> usize {
        self.names
    }

    /// Whether an option is given and not switched off; the last one counts.
    pub fn has(&self, option: &str) -> bool {
        self.last(option).is_some_and(|given| given.is_on)
    }

    /// The value of an option.
    pub fn value(&self, option: &str) -> Option<&str> {
        self.last(option)?.value.as_deref()
    }

    fn last(&self, option: &str) -> Option<&Given> {
        let option = normal(option);
        self.given.iter().rev().find(|given| given.spec.name == option)
    }

    fn has_any(&self, options: &[&str]) -> bool {
        options.iter().any(|option| self.has(option))
    }

    /// The lines of success that are expected of it.
    pub fn expected(&self) -> impl Iterator<Item = &'static crate::Statement> {
        let statements = self.command.map_or(&[][..], |command| command.statements);
        statements.iter().filter(|statement| {
            (statement.only_with.is_empty() || self.has_any(statement.only_with))
                && !self.has_any(statement.unless)
        })
    }

    /// Why it must not stand in a schedule.
    pub fn danger(&self) -> Option<&'static str> {
        match self.command?.schedule {
            Schedule::May => None,
            Schedule::Never(why) => Some(why),
            Schedule::OnlyWith(options, why) => (!self.has_any(options)).then_some(why),
        }
    }

    /// The days below which it does harm, those that it asks for, and what the harm is.
    pub fn too_few_days(&self) -> Option<(u32, String, &'static str)> {
        let days = self.command?.days?;
        if !days.only_with.is_empty() && !self.has_any(days.only_with) {
            return None;
        }
        let given = self.value("days").map_or_else(|| days.usual.to_string(), str::to_owned);
        let is_few = given.parse::<f64>().is_ok_and(|given| given < f64::from(days.least));
        is_few.then_some((days.least, given, days.why))
    }

    /// The same with `--dry-run`; `None` where the command has none.
    pub fn dry_run_of(args: &[String]) -> Option<Vec<String>> {
        let call = Self::read(args, None);
        if !call.command.is_some_and(Command::has_dry_run) {
            return None;
        }
        let mut args = args.to_vec();
        if !call.has("dry-run") {
            // Behind `--` everything is a name.
            let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
            args.insert(end, "--dry-run".to_owned());
        }
        Some(args)
    }
}

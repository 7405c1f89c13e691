//! A command line of tootctl taken apart as Thor would, and what is wrong with it.

mod read;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn call(line: &str) -> Call {
        Call::read(&args(line), None)
    }

    #[test]
    fn a_dry_run_is_only_there_where_tootctl_has_one() {
        let dry = |line: &str| Call::dry_run_of(&args(line)).map(|args| args.join(" "));
        assert_eq!(dry("media remove --days 7").as_deref(), Some("media remove --days 7 --dry-run"));
        assert_eq!(dry("accounts cull --dry_run").as_deref(), Some("accounts cull --dry_run"));
        assert_eq!(
            dry("accounts cull --dry-run false").as_deref(),
            Some("accounts cull --dry-run false --dry-run")
        );
        assert_eq!(
            dry("accounts cull -- a.example").as_deref(),
            Some("accounts cull --dry-run -- a.example")
        );
        assert_eq!(dry("statuses remove"), None);
        assert_eq!(dry("cache clear"), None);
        assert_eq!(dry("no such"), None);
    }

    #[test]
    fn the_lines_that_are_expected_depend_on_the_options() {
        let count = |line: &str| call(line).expected().count();
        assert_eq!(count("statuses remove"), 3);
        assert_eq!(count("statuses remove --skip_status_remove --skip-media-remove"), 1);
        assert_eq!(count("statuses remove --skip-media-remove --no-skip-media-remove"), 3);
        let shape = |line: &str| call(line).expected().next().map(|s| s.shapes[0]);
        assert!(shape("media remove").is_some_and(|s| s.starts_with("Removed")));
        assert!(shape("media remove --prune-profiles").is_some_and(|s| s.starts_with("Visited")));
    }

    #[test]
    fn what_must_not_be_scheduled_says_why() {
        for line in ["self-destruct", "emoji purge", "domains purge x.example", "accounts rotate --all"] {
            assert!(call(line).danger().is_some(), "{line}");
        }
        for line in ["emoji purge --remote-only", "media remove", "accounts prune"] {
            assert_eq!(call(line).danger(), None, "{line}");
        }
    }

    #[test]
    fn too_few_days_are_told() {
        let days = |line: &str| call(line).too_few_days().map(|(least, given, _)| (least, given));
        assert_eq!(days("preview_cards remove --days 7"), Some((14, "7".to_owned())));
        assert_eq!(days("preview_cards remove"), None);
        assert_eq!(days("media remove --prune-profiles"), Some((30, "7".to_owned())));
        assert_eq!(days("media remove --days 7"), None);
    }
}

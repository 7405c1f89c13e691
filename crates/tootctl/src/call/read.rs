//! Takes a command line apart, word by word.

use super::{Call, Given};
use crate::{
    Command, Misuse, Series, Wrong,
    command::{Search, find},
    nearest,
    option::{OptionSpec, Takes, Written, as_number, normal, written},
};

/// Dashes that text programs make of hyphens.
const DASHES: [char; 6] = ['—', '–', '−', '‐', '‑', '―'];
/// What stands before the name of a switch to turn it off.
const OFF: [&str; 2] = ["no-", "skip-"];

pub(super) fn read(args: &[String], version: Option<Series>) -> Call {
    let mut call = Call { command: None, given: vec![], names: 0, misuses: vec![] };
    let first = args.first().map_or("", String::as_str);
    if matches!(first, "--version" | "-v") {
        return call;
    }
    if matches!(first, "--help" | "-h" | "help") || args.get(1).is_some_and(|word| word == "help") {
        call.wrong(0, Wrong::Help { given: first.to_owned() }, true);
        return call;
    }
    let (command, words) = match find(args) {
        Search::Found(command, words) => (command, words),
        Search::TooShort => {
            let given = args.iter().take_while(|word| !word.starts_with('-'));
            let given = given.map(String::as_str).collect::<Vec<_>>().join(" ");
            call.wrong(0, Wrong::NoCommand { given }, true);
            return call;
        }
        Search::Unknown(at, near) => {
            let given = args[..=at].join(" ");
            call.wrong(at, Wrong::UnknownCommand { given, near }, false);
            return call;
        }
    };
    call.command = Some(command);
    let mut words = Words { args, next: words };
    while let Some((at, word)) = words.take() {
        if word == "--" {
            while let Some((at, word)) = words.take() {
                call.name(command, at, word);
            }
        } else if word.starts_with(DASHES) {
            let is_silent = command.names.most > 0;
            call.wrong(at, Wrong::Dash { given: word.to_owned() }, is_silent);
        } else {
            match written(word) {
                Some(Written::Long(name, value)) => call.long(command, &mut words, (at, word), name, value),
                Some(Written::Short(letters)) => call.short(command, &mut words, (at, word), letters),
                None => call.name(command, at, word),
            }
        }
    }
    call.check_together(command, args);
    call.check_version(command, version);
    call.misuses.sort_by_key(|misuse| misuse.word);
    call
}

/// The words that are not read yet.
struct Words<'a> {
    args: &'a [String],
    next: usize,
}

impl<'a> Words<'a> {
    fn take(&mut self) -> Option<(usize, &'a str)> {
        let word = self.args.get(self.next)?;
        self.next += 1;
        Some((self.next - 1, word))
    }

    /// The next word if it can be a value, which an option cannot.
    fn value(&mut self) -> Option<&'a str> {
        let word = self.args.get(self.next).filter(|word| written(word).is_none() && *word != "--")?;
        self.next += 1;
        Some(word)
    }

    fn value_if(&mut self, is_meant: impl Fn(&str) -> bool) -> Option<&'a str> {
        let word = self.args.get(self.next).filter(|word| is_meant(word))?;
        self.next += 1;
        Some(word)
    }
}

impl Call {
    fn wrong(&mut self, word: usize, wrong: Wrong, is_silent: bool) {
        self.misuses.push(Misuse { word, wrong, is_silent });
    }

    fn name(&mut self, command: &'static Command, at: usize, word: &str) {
        self.names += 1;
        let allowed = command.names;
        // What follows a misspelt option is its value, and is not told twice.
        let follows_unknown = self.misuses.last().is_some_and(|misuse| {
            misuse.word + 1 == at && matches!(misuse.wrong, Wrong::UnknownOption { .. } | Wrong::Dash { .. })
        });
        if follows_unknown {
            return;
        }
        if self.names > allowed.most {
            self.wrong(at, Wrong::ExtraName { command: command.words, given: word.to_owned() }, false);
        } else if !allowed.of.is_empty() && !allowed.of.contains(&word) {
            let what = format!("tootctl {}", command.words);
            let choices = allowed.of.join(", ");
            self.wrong(at, Wrong::NoChoice { what, given: word.to_owned(), choices }, false);
        }
    }

    fn long(
        &mut self,
        command: &'static Command,
        words: &mut Words<'_>,
        (at, word): (usize, &str),
        name: &str,
        value: Option<&str>,
    ) {
        let name = normal(name);
        if let Some(spec) = command.option(&name) {
            return self.option(words, (at, &format!("--{name}")), spec, value);
        }
        let positive = OFF.iter().find_map(|off| name.strip_prefix(off));
        match positive.and_then(|name| command.option(name)) {
            Some(spec) if spec.takes == Takes::Nothing => {
                self.given.push(Given { spec, word: at, is_on: false, value: None });
            }
            _ if name == "help" => self.wrong(at, Wrong::Help { given: word.to_owned() }, true),
            _ => self.unknown(command, at, word),
        }
    }

    /// `-c5`, `-c=5`, `-c 5`, `-vc 5`.
    fn short(
        &mut self,
        command: &'static Command,
        words: &mut Words<'_>,
        (at, word): (usize, &str),
        letters: &str,
    ) {
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let Some(spec) = command.short_option(letter) else {
                if letter == 'h' && letters == "h" {
                    return self.wrong(at, Wrong::Help { given: word.to_owned() }, true);
                }
                return self.unknown(command, at, word);
            };
            let shown = format!("-{letter}");
            if spec.takes == Takes::Nothing && !rest.is_empty() {
                self.given.push(Given { spec, word: at, is_on: true, value: None });
                continue;
            }
            let value = (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest));
            return self.option(words, (at, &shown), spec, value);
        }
    }

    fn unknown(&mut self, command: &'static Command, at: usize, word: &str) {
        let shown = word.split('=').next().unwrap_or(word);
        let bare = normal(shown.trim_start_matches('-'));
        let near = nearest(&bare, command.options.iter().map(|option| option.name));
        let known: Vec<_> = command.options.iter().map(|option| format!("--{}", option.name)).collect();
        let wrong = Wrong::UnknownOption {
            command: command.words,
            given: shown.chars().take(64).collect(),
            near,
            known: known.join(", "),
        };
        // A command that takes names takes it for one.
        self.wrong(at, wrong, command.names.most > 0);
    }

    /// An option that is known, and its value: behind `=`, or the next word.
    fn option(
        &mut self,
        words: &mut Words<'_>,
        (at, shown): (usize, &str),
        spec: &'static OptionSpec,
        value: Option<&str>,
    ) {
        let option = || shown.to_owned();
        let mut given = Given { spec, word: at, is_on: true, value: None };
        match spec.takes {
            Takes::Nothing => {
                let is_word = |word: &str| matches!(word, "true" | "TRUE" | "false" | "FALSE");
                let value = value.or_else(|| words.value_if(is_word));
                given.is_on = !value.is_some_and(|value| value.eq_ignore_ascii_case("false"));
            }
            Takes::Number(least) => {
                let value = value.or_else(|| words.value());
                match value.map(|value| (value, as_number(value))) {
                    Some((value, Some(number))) if number < f64::from(least) => {
                        let given = value.to_owned();
                        // A negative number of days takes everything, also what is new.
                        let is_silent = matches!(spec.name, "days" | "duration" | "status");
                        self.wrong(at, Wrong::TooSmall { option: option(), given, least }, is_silent);
                    }
                    Some((_, Some(_))) => {}
                    other => {
                        let given = other.map(|(value, _)| value.chars().take(64).collect());
                        self.wrong(at, Wrong::NoNumber { option: option(), given }, false);
                    }
                }
                given.value = value.map(str::to_owned);
            }
            Takes::Text => {
                let value = value.or_else(|| words.value()).filter(|value| !value.is_empty());
                if value.is_none() {
                    self.wrong(at, Wrong::NoValue { option: option() }, true);
                }
                given.value = value.map(str::to_owned);
            }
            Takes::OneOf(choices) => {
                let value = value.or_else(|| words.value());
                self.choice(at, shown, choices, value);
                given.value = value.map(str::to_owned);
            }
            Takes::ListOf(choices) => {
                let first = value.or_else(|| words.value());
                self.choice(at, shown, choices, first);
                while let Some(more) = words.value() {
                    self.choice(at, shown, choices, Some(more));
                }
                given.value = first.map(str::to_owned);
            }
        }
        self.given.push(given);
    }

    fn choice(&mut self, at: usize, shown: &str, choices: &[&str], value: Option<&str>) {
        if value.is_none_or(|value| !choices.contains(&value)) {
            let given = value.unwrap_or("").chars().take(64).collect();
            let wrong = Wrong::NoChoice { what: shown.to_owned(), given, choices: choices.join(", ") };
            self.wrong(at, wrong, false);
        }
    }

    /// What options and names are together.
    fn check_together(&mut self, command: &'static Command, args: &[String]) {
        let at = args.len().saturating_sub(1);
        for (first, second) in command.excluding {
            if self.has(first) && self.has(second) {
                let word = [first, second].iter().filter_map(|name| self.last(name)).map(|g| g.word).max();
                let word = word.unwrap_or(at);
                let (first, second) = ((*first).to_owned(), (*second).to_owned());
                self.wrong(word, Wrong::Excluding { first, second }, false);
            }
        }
        for (option, others) in command.needing {
            if self.has(option) && !self.has_any(others) {
                let word = self.last(option).map_or(at, |given| given.word);
                let wanted = format!("--{}", others.join(" or --"));
                self.wrong(word, Wrong::Lonely { option: (*option).to_owned(), wanted }, false);
            }
        }
        for option in command.required {
            if self.last(option).is_none() {
                self.wrong(at, Wrong::NoOption { command: command.words, option }, false);
            }
        }
        let has_wrong_option =
            self.misuses.iter().any(|m| matches!(m.wrong, Wrong::UnknownOption { .. } | Wrong::Dash { .. }));
        let lacks_names = self.names < command.names.least;
        let lacks_all = !command.wants.is_empty() && self.names == 0 && !self.has_any(command.wants);
        // The option that is misspelt may be the one that is missed.
        if (lacks_names || lacks_all) && !has_wrong_option {
            let of = command.names.of;
            let wanted = match (lacks_all, of) {
                (true, _) if command.names.most == 0 => format!("one of --{}", command.wants.join(", --")),
                (true, _) => format!("a name or --{}", command.wants.join(" or --")),
                (false, []) => "a name".to_owned(),
                (false, of) => format!("one of {}", of.join(", ")),
            };
            self.wrong(at, Wrong::NoName { command: command.words, wanted }, false);
        }
    }

    fn check_version(&mut self, command: &'static Command, version: Option<Series>) {
        let Some(installed) = version else { return };
        if command.since > installed {
            let what = format!("tootctl {}", command.words);
            self.wrong(0, Wrong::NotYet { what, since: command.since, installed }, false);
        }
        let takes_names = command.names.most > 0;
        let late: Vec<_> = self.given.iter().filter(|given| given.spec.since > installed).cloned().collect();
        for given in late {
            let what = format!("--{} of tootctl {}", given.spec.name, command.words);
            let wrong = Wrong::NotYet { what, since: given.spec.since, installed };
            self.wrong(given.word, wrong, takes_names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn misuses(line: &str, version: Option<Series>) -> Vec<(usize, &'static str, bool)> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let call = Call::read(&args, version);
        call.misuses().iter().map(|m| (m.word, m.wrong.code(), m.is_silent)).collect()
    }

    #[test]
    fn what_is_right_passes() {
        for line in [
            "media remove",
            "media remove --days 7 --concurrency=5 -v",
            "media remove -d7 --dry_run",
            "media remove -d 0.5",
            "media remove -vc 5",
            "media remove --prune-profiles --include-follows",
            "media remove --prune-profiles --no-remove-headers --remove-headers=false",
            "media refresh --status 117663464965972117",
            "accounts cull",
            "accounts cull --dry_run -c5 a.example b.example",
            "accounts cull --no-dry-run --concurrency=5",
            "accounts cull -- --a-name",
            "accounts refresh --domain remote.example -vc 5",
            "accounts refresh --verbose bob@remote.example",
            "search deploy --only accounts statuses --no-import",
            "statuses remove --skip-status-remove --batch-size 10",
            "cache recount accounts",
            "feeds build",
            "ip_blocks add 10.0.0.0/8 --severity no_access --duration 60",
            "settings registrations open",
            "emoji import /tmp/x.tar.gz --category cats",
            "--version",
            "version",
        ] {
            assert_eq!(misuses(line, None), [], "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (line, expected) in [
            ("", (0, "no-command", true)),
            ("media", (0, "no-command", true)),
            ("media --days 7", (0, "no-command", true)),
            ("media purge", (1, "unknown-command", false)),
            ("media help remove", (0, "only-help", true)),
            ("accounts cull --help", (2, "only-help", true)),
            ("media remove --day 7", (2, "unknown-option", false)),
            ("accounts cull --dryrun", (2, "unknown-option", true)),
            ("accounts cull -d", (2, "unknown-option", true)),
            ("accounts cull a.example —dry-run", (3, "dash", true)),
            ("media remove –days 7", (2, "dash", false)),
            ("media remove --days", (2, "no-number", false)),
            ("media remove --days seven", (2, "no-number", false)),
            ("media remove --days --dry-run", (2, "no-number", false)),
            ("media remove --days -7", (2, "number-too-small", true)),
            ("media remove --concurrency 0", (2, "number-too-small", false)),
            ("accounts refresh --domain", (2, "no-option-value", true)),
            ("media remove-orphans --prefix --dry-run", (2, "no-option-value", true)),
            ("media remove-orphans --prefix=", (2, "no-option-value", true)),
            ("media remove 7", (2, "extra-argument", false)),
            ("cache recount", (1, "missing-argument", false)),
            ("cache recount users", (2, "unknown-choice", false)),
            ("search deploy --only users", (2, "unknown-choice", false)),
            ("accounts approve", (1, "missing-argument", false)),
            ("accounts create bob", (2, "missing-option", false)),
            ("media remove --remove-headers --prune-profiles", (3, "excluding-options", false)),
            ("media remove --include-follows", (2, "lonely-option", false)),
        ] {
            let found = misuses(line, None);
            assert!(found.contains(&expected), "{line}: {found:?}");
        }
    }

    #[test]
    fn the_nearest_option_is_named() {
        let text = |line: &str| {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Call::read(&args, None).misuses()[0].wrong.to_string()
        };
        for (line, end) in [
            ("accounts cull --dryrun", "did you mean --dry-run?"),
            ("accounts cull --concurency=5", "did you mean --concurrency?"),
            ("accounts cull --days 7", "it has --concurrency, --dry-run"),
            ("accounts refresh --al", "did you mean --all?"),
            ("domains purge x.example --dry--run", "did you mean --dry-run?"),
            ("email_domain_blocks remove --force", "it has no options"),
            ("media remvoe", "did you mean \"remove\"?"),
        ] {
            let text = text(line);
            assert!(text.ends_with(end), "{line}: {text}");
        }
    }

    #[test]
    fn what_a_version_lacks_is_told_only_when_it_is_known() {
        let line = "media remove --keep-interacted --verbose";
        assert_eq!(misuses(line, None), []);
        assert_eq!(misuses(line, Some(Series::new(4, 6))), []);
        assert_eq!(misuses(line, Some(Series::new(5, 0))), []);
        assert_eq!(misuses(line, Some(Series::new(4, 3))), [(2, "not-in-this-version", false)]);
        assert_eq!(misuses(line, Some(Series::new(4, 2))).len(), 2);
        assert_eq!(misuses("feeds vacuum", Some(Series::new(4, 1))), [(0, "not-in-this-version", false)]);
    }

    proptest! {
        #[test]
        fn never_panics(words in proptest::collection::vec("(media|accounts|remove|cull|-|--|=|[a-z]|\\PC){0,4}", 0..6)) {
            let call = Call::read(&words, Some(Series::new(4, 3)));
            for misuse in call.misuses() {
                prop_assert!(misuse.word <= words.len());
                prop_assert!(!misuse.wrong.to_string().is_empty());
            }
        }
    }
}

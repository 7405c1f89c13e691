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
    super::whole::check(&mut call, command, args, version);
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
    pub(super) fn wrong(&mut self, word: usize, wrong: Wrong, is_silent: bool) {
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
}

//! What is wrong with a call as a whole: options that exclude or need each other, names that are missing, and what the
//! installed version lacks.

use super::Call;
use crate::{Command, Series, Wrong};

pub(super) fn check(call: &mut Call, command: &'static Command, args: &[String], version: Option<Series>) {
    call.check_together(command, args);
    call.check_version(command, version);
}

impl Call {
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

//! What the admin wants to see in the output, and what not: regular expressions over lines.

use super::{MAX_QUOTE, Summary, cut};
use regex::{Regex, RegexBuilder};

/// Regular expressions over the lines of an output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns {
    /// Each must be found in a line.
    pub expect: Vec<String>,
    /// None may be found in a line.
    pub fail_on: Vec<String>,
}

/// Looks for patterns in one output.
#[derive(Debug, Default)]
pub(super) struct Watch {
    expected: Vec<(String, Option<Regex>)>,
    feared: Vec<(String, Option<Regex>)>,
    found: Option<(String, String)>,
}

impl Watch {
    pub(super) fn new(patterns: &Patterns) -> Self {
        let compiled = |texts: &[String]| texts.iter().map(|text| (text.clone(), compile(text))).collect();
        Self { expected: compiled(&patterns.expect), feared: compiled(&patterns.fail_on), found: None }
    }

    pub(super) fn line(&mut self, text: &str) {
        // What was found needs not be looked for again.
        self.expected.retain(|(_, regex)| !regex.as_ref().is_some_and(|regex| regex.is_match(text)));
        if self.found.is_none() {
            let feared = self.feared.iter().find(|(_, r)| r.as_ref().is_some_and(|r| r.is_match(text)));
            self.found = feared.map(|(pattern, _)| (pattern.clone(), cut(text, MAX_QUOTE).into_owned()));
        }
    }

    pub(super) fn finish(self, summary: &mut Summary) {
        summary.unmet = self.expected.into_iter().map(|(pattern, _)| pattern).collect();
        // A pattern that cannot be read was refused when the configuration was loaded; here it must not pass.
        let unread = self.feared.into_iter().find(|(_, regex)| regex.is_none());
        let unread = unread.map(|(pattern, _)| (pattern, "it cannot be read".to_owned()));
        summary.feared = self.found.or(unread);
    }
}

fn compile(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).size_limit(1 << 20).build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_and_feared_is_found_in_lines() {
        let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let patterns = Patterns { expect: own(&["^done", "never"]), fail_on: own(&["[0-9]+ lost"]) };
        let mut watch = Watch::new(&patterns);
        for line in ["copied", "done in 3 s", "2 lost of 5", "3 lost"] {
            watch.line(line);
        }
        let mut summary = Summary::default();
        watch.finish(&mut summary);
        assert_eq!(summary.unmet, ["never"]);
        assert_eq!(summary.feared, Some(("[0-9]+ lost".to_owned(), "2 lost of 5".to_owned())));
        let mut summary = Summary::default();
        Watch::new(&Patterns { fail_on: own(&["("]), ..Patterns::default() }).finish(&mut summary);
        assert!(summary.feared.is_some(), "what cannot be read does not pass");
    }
}

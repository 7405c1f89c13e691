//! A verdict by itself.

use super::{graded, numbers};
use crate::print::tame;
use std::fmt::Write as _;

/// `partial (read): 4 of 15 items failed …`, what was counted, and the other reasons.
pub fn verdict(verdict: &mastmaint_words::Verdict) -> String {
    let mut text = graded(verdict.outcome, Some(verdict.grade));
    let mut reasons = verdict.reasons.iter();
    if let Some(first) = reasons.next() {
        let _ = write!(text, ": {} [{}]", tame(&first.text), tame(&first.code));
    }
    text.push('\n');
    let counted = numbers(&verdict.numbers);
    if !counted.is_empty() {
        let _ = writeln!(text, "  {counted}");
    }
    for reason in reasons {
        let _ = writeln!(text, "  - {} [{}]", tame(&reason.text), tame(&reason.code));
    }
    text
}

#[cfg(test)]
mod tests {
    use mastmaint_words::{Grade, Numbers, Outcome, Reason, Verdict};

    #[test]
    fn the_first_reason_stands_on_the_first_line() {
        let mut verdict =
            Verdict::because(Outcome::Partial, Grade::Read, Reason::new("x", "4 of 15 items failed"));
        verdict.reasons.push(Reason::new("debris", "it left\u{1b}[31m a table"));
        verdict.numbers = Numbers { visited: Some(15), ..Numbers::default() };
        let text = anstream::adapter::strip_str(&super::verdict(&verdict)).to_string();
        assert_eq!(
            text,
            "partial (read): 4 of 15 items failed [x]\n  15 visited\n  - it left a table [debris]\n"
        );
    }
}

//! What the admin said about the output: lines that must be there, lines that must not.

use crate::exec::Ended;
use mastmaint_words::{Grade, Outcome, Reason, Verdict};

/// The verdict once the admin's patterns are heeded. What was ended from here stays what it is.
pub(super) fn heed(verdict: Verdict, ended: &Ended) -> Verdict {
    if ended.cut_short.is_some() {
        return verdict;
    }
    let summary = &ended.summary;
    let first = if let Some((pattern, line)) = &summary.feared {
        Reason::new("feared-line", format!("a line holds {pattern:?}, which fail_on names: {line}"))
    } else if let (Some(pattern), true) = (summary.unmet.first(), is_good(verdict.outcome)) {
        Reason::new("expected-line-missing", format!("no line holds {pattern:?}, which expect names"))
    } else {
        return verdict;
    };
    let mut reasons = vec![first];
    reasons.extend(verdict.reasons);
    Verdict { outcome: Outcome::Failed, grade: Grade::Read, reasons, numbers: verdict.numbers }
}

const fn is_good(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ok | Outcome::Partial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exec::Ending, output::Summary, verdict::Judge};

    #[test]
    fn the_admin_has_the_last_word_on_the_output() {
        let judge = |unmet: &[&str], feared: bool, status: i32| {
            let summary = Summary {
                unmet: unmet.iter().map(|p| (*p).to_owned()).collect(),
                feared: feared.then(|| ("lost".to_owned(), "2 lost".to_owned())),
                ..Summary::default()
            };
            let ending = Ending::Exited(status);
            let ended = Ended::by_itself(ending, summary);
            let verdict = Judge::of_any().judge(&ended);
            (verdict.outcome, verdict.reasons.first().map_or(String::new(), |r| r.code.clone()))
        };
        assert_eq!(judge(&[], false, 0), (Outcome::Ok, String::new()));
        assert_eq!(judge(&["^done"], false, 0), (Outcome::Failed, "expected-line-missing".to_owned()));
        assert_eq!(judge(&["^done"], false, 3), (Outcome::Failed, "exit-status".to_owned()));
        assert_eq!(judge(&["^done"], true, 0), (Outcome::Failed, "feared-line".to_owned()));
    }
}

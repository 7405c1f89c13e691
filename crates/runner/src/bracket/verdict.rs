//! What the end of a bracket is as the outcome of a step. Pure.

use super::record::Seen;
use mastmaint_words::{Grade, Numbers, Outcome, Reason, UnitName, Verdict};

/// Code of the reason of a start that found services up while steps had relied on the stop.
const CAME_UP_EARLY: &str = "came-up-early";
/// Code of the reason of a start some of whose services are somebody else's.
const TAKEN_OVER: &str = "taken-over";

/// What was started was watched, and does not stay up or does not answer.
pub(crate) const NOT_CONFIRMED: &str = "not-confirmed";

/// Whether services were seen not to come back.
pub fn is_not_confirmed(verdict: &Verdict) -> bool {
    verdict.outcome == Outcome::Failed
        && verdict.reasons.first().is_some_and(|reason| reason.code == NOT_CONFIRMED)
}

/// Whether nothing is owed any more after a start that ended so.
pub fn has_closed(verdict: &Verdict) -> bool {
    let codes = [CAME_UP_EARLY, TAKEN_OVER];
    verdict.outcome == Outcome::Ok
        || verdict.reasons.iter().any(|reason| codes.contains(&reason.code.as_str()))
}

/// The verdict of a start after which nothing is owed any more. Only what was seen up and answered is proved; where
/// nothing was watched there is nothing to be called ok.
pub(crate) fn of_closed(seen: &Seen, how: &str) -> Verdict {
    let verdict = |outcome, grade, code: &str, text: String| Verdict {
        outcome,
        grade,
        reasons: vec![Reason::new(code, text)],
        numbers: Numbers::default(),
    };
    let list = |units: &[UnitName]| units.iter().map(UnitName::as_str).collect::<Vec<_>>().join(", ");
    let is_taken_over = !seen.theirs.is_empty() || !seen.left.is_empty();
    if !seen.early.is_empty() {
        let text = format!(
            "somebody started {} while steps of the run relied on it being stopped; what they did may not hold ({how})",
            list(&seen.early)
        );
        return verdict(Outcome::Interrupted, Grade::Read, CAME_UP_EARLY, text);
    }
    if seen.up.is_empty() && !is_taken_over {
        return verdict(Outcome::Skipped, Grade::Read, "nothing-stopped", how.to_owned());
    }
    if seen.up.is_empty() || !seen.left.is_empty() {
        // Somebody wants it so. Where nothing is left of what the run owed, nothing that follows can rely on it.
        let outcome = if seen.up.is_empty() { Outcome::Cancelled } else { Outcome::Partial };
        return verdict(outcome, Grade::Read, TAKEN_OVER, how.to_owned());
    }
    if is_taken_over {
        return verdict(Outcome::Ok, Grade::Read, TAKEN_OVER, how.to_owned());
    }
    if !seen.not_asked.is_empty() {
        let text = format!("started and stable; not asked whether it answers: {}", seen.not_asked.join(", "));
        return verdict(Outcome::Ok, Grade::Read, "not-asked", text);
    }
    verdict(Outcome::Ok, Grade::Proved, "up", how.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(names: &[&str]) -> Vec<UnitName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn of(up: &[&str], theirs: &[&str], left: &[&str]) -> (Outcome, Grade, String) {
        let seen = Seen { up: units(up), theirs: units(theirs), left: units(left), ..Seen::default() };
        let verdict = of_closed(&seen, "how");
        (verdict.outcome, verdict.grade, verdict.reasons[0].code.clone())
    }

    #[test]
    fn only_what_was_seen_up_is_ok_and_what_is_somebody_elses_is_never_proved() {
        assert_eq!(of(&["web"], &[], &[]), (Outcome::Ok, Grade::Proved, "up".into()));
        assert_eq!(of(&["web"], &["sidekiq"], &[]), (Outcome::Ok, Grade::Read, TAKEN_OVER.into()));
        assert_eq!(of(&["web"], &[], &["sidekiq"]), (Outcome::Partial, Grade::Read, TAKEN_OVER.into()));
        assert_eq!(of(&[], &["web"], &[]), (Outcome::Cancelled, Grade::Read, TAKEN_OVER.into()));
        assert_eq!(of(&[], &[], &["web"]), (Outcome::Cancelled, Grade::Read, TAKEN_OVER.into()));
        assert_eq!(of(&[], &[], &[]), (Outcome::Skipped, Grade::Read, "nothing-stopped".into()));
    }

    #[test]
    fn steps_that_ran_beside_services_are_not_called_ok() {
        let seen = Seen { up: units(&["web"]), early: units(&["web"]), ..Seen::default() };
        let verdict = of_closed(&seen, "how");
        assert_eq!(verdict.outcome, Outcome::Interrupted);
        assert!(has_closed(&verdict));
        let room = Verdict::because(Outcome::Interrupted, Grade::Read, Reason::new("room-stopped", "x"));
        assert!(!has_closed(&room));
    }
}

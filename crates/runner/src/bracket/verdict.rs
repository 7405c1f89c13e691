//! What the end of a bracket is as the outcome of a step. Pure.

use super::{record::Seen, units::Down};
use mastmaint_words::{Grade, Numbers, Outcome, Reason, UnitName, Verdict};

/// Code of the reason of a start that found services up while steps had relied on the stop.
const CAME_UP_EARLY: &str = "came-up-early";
/// Code of the reason of a start some of whose services are somebody else's.
const TAKEN_OVER: &str = "taken-over";

/// What was started was watched, and does not stay up or does not answer.
pub(crate) const NOT_CONFIRMED: &str = "not-confirmed";

/// Not all of what runs now, or is about to be stopped, was up before.
pub(crate) const NOT_ALL_UP: &str = "not-all-up";
/// There was nothing to start.
pub(crate) const NOTHING_STOPPED: &str = "nothing-stopped";
/// What was started is up; other services of the instance are not, since before it was stopped.
const NOT_RUNNING: &str = "not-running";

/// Whether all that a stop has stopped was up: what it was stopped for may be taken back in the hope that it is again.
pub fn was_all_up(stopped: &Verdict) -> bool {
    stopped.reasons.iter().all(|reason| reason.code != NOT_ALL_UP)
}

/// Whether all that was owed was started and is up, whatever of the rest does not run.
pub fn is_started(verdict: &Verdict) -> bool {
    let is_rest_down = || verdict.reasons.first().is_some_and(|reason| reason.code == NOT_RUNNING);
    match verdict.outcome {
        Outcome::Ok | Outcome::Skipped => true,
        outcome => outcome == Outcome::Partial && is_rest_down(),
    }
}

/// Whether a start had nothing to start.
pub fn has_started_nothing(verdict: &Verdict) -> bool {
    let is_said = || verdict.reasons.iter().any(|reason| reason.code == NOTHING_STOPPED);
    verdict.outcome == Outcome::Skipped || (is_started(verdict) && is_said())
}

/// Whether services were seen not to come back.
pub fn is_not_confirmed(verdict: &Verdict) -> bool {
    verdict.outcome == Outcome::Failed
        && verdict.reasons.first().is_some_and(|reason| reason.code == NOT_CONFIRMED)
}

/// Whether nothing is owed any more after a start that ended so.
pub fn has_closed(verdict: &Verdict) -> bool {
    let codes = [CAME_UP_EARLY, TAKEN_OVER];
    is_started(verdict) || verdict.reasons.iter().any(|reason| codes.contains(&reason.code.as_str()))
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
        return verdict(Outcome::Skipped, Grade::Read, NOTHING_STOPPED, how.to_owned());
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

/// The verdict of a start after a restore, with what of Mastodon does not run although nobody stopped it for the restore.
/// That is no success, unless somebody wants it so and the rest runs.
pub(crate) fn with_the_rest(mut verdict: Verdict, down: &Down) -> Verdict {
    let list =
        |units: &[UnitName], between| units.iter().map(UnitName::as_str).collect::<Vec<_>>().join(between);
    if !matches!(verdict.outcome, Outcome::Ok | Outcome::Skipped) {
        return verdict;
    }
    let what = if down.is_rest_up { "not all of Mastodon runs" } else { "Mastodon does not run" };
    let told = |text: String| Reason::new(NOT_RUNNING, text);
    let unwanted = || {
        let units = list(&down.unwanted, ", ");
        told(format!("{what}: {units} did not run before, disabled or masked, and was left so"))
    };
    if !down.wanted.is_empty() {
        let text = format!(
            "{what}: {} did not run before, and was not started; type \"systemctl start {}\"",
            list(&down.wanted, ", "),
            list(&down.wanted, " ")
        );
        verdict.outcome = Outcome::Partial;
        verdict.reasons.insert(0, told(text));
    } else if !(down.is_rest_up || down.unwanted.is_empty()) {
        verdict.outcome = Outcome::Partial;
        verdict.reasons.insert(0, unwanted());
        return verdict;
    }
    if !down.unwanted.is_empty() {
        verdict.reasons.push(unwanted());
    }
    verdict
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

    fn rest(of: &Verdict, wanted: &[&str], unwanted: &[&str], is_rest_up: bool) -> (Outcome, Vec<String>) {
        let down = Down { wanted: units(wanted), unwanted: units(unwanted), is_rest_up };
        let verdict = with_the_rest(of.clone(), &down);
        assert!(has_closed(&verdict) || verdict.outcome == Outcome::Failed, "{verdict:?}");
        (verdict.outcome, verdict.reasons.into_iter().map(|reason| reason.text).collect())
    }

    #[test]
    fn what_stays_down_after_a_restore_is_no_success_and_is_named() {
        let of = |up: &[&str]| of_closed(&Seen { up: units(up), ..Seen::default() }, "how");
        let (some, none) = (of(&["sidekiq"]), of(&[]));
        assert_eq!(rest(&some, &[], &[], true), (Outcome::Ok, vec!["how".into()]));
        let (outcome, texts) = rest(&some, &["web", "streaming"], &[], true);
        assert_eq!(outcome, Outcome::Partial);
        assert!(
            texts[0].starts_with("not all of Mastodon runs: web, streaming did not run before"),
            "{texts:?}"
        );
        assert!(texts[0].contains("\"systemctl start web streaming\""), "{texts:?}");
        let (outcome, texts) = rest(&none, &["web"], &["spare"], false);
        assert_eq!((outcome, texts.len()), (Outcome::Partial, 3));
        assert!(texts[0].starts_with("Mastodon does not run: web"), "{texts:?}");
        // Somebody's wish is told, and is no success either where it leaves nothing that runs.
        let (outcome, texts) = rest(&some, &[], &["spare"], true);
        assert_eq!((outcome, texts[0].as_str(), texts.len()), (Outcome::Ok, "how", 2));
        let (outcome, texts) = rest(&none, &[], &["web"], false);
        assert_eq!((outcome, texts.len()), (Outcome::Partial, 2));
        assert!(texts[0].contains("disabled or masked"), "{texts:?}");
        // Somebody runs it since; or it is not back at all, which says more.
        assert_eq!(rest(&none, &[], &[], true).0, Outcome::Skipped);
        let not = Verdict::because(Outcome::Failed, Grade::Read, Reason::new(NOT_CONFIRMED, "x"));
        assert_eq!(rest(&not, &["web"], &[], false), (Outcome::Failed, vec!["x".into()]));
    }

    #[test]
    fn what_was_started_and_what_was_not_is_told_apart() {
        let down = Down { wanted: units(&["web"]), ..Down::default() };
        let of = |up: &[&str]| of_closed(&Seen { up: units(up), ..Seen::default() }, "how");
        for (verdict, nothing) in [
            (of(&["web"]), false),
            (of(&[]), true),
            (with_the_rest(of(&["sidekiq"]), &down), false),
            (with_the_rest(of(&[]), &down), true),
        ] {
            assert!(is_started(&verdict), "{verdict:?}");
            assert_eq!(has_started_nothing(&verdict), nothing, "{verdict:?}");
        }
        let left =
            of_closed(&Seen { up: units(&["web"]), left: units(&["sidekiq"]), ..Seen::default() }, "how");
        assert!(!is_started(&left) && has_closed(&left));
    }
}

//! Which hold keeps a job from running. Pure: holds, a job and an instant in; the hold out.
//!
//! A hold keeps runs from starting. What runs already when it begins goes on, and a dry run changes nothing, so it is
//! never held.

use jiff::Timestamp;
use mastmaint_config::settings::{Action, Job};
use mastmaint_words::{Grade, Hold, HoldScope, Outcome, Reason, Verdict};
use std::cmp::Reverse;

/// The hold that keeps this job from starting at an instant; of several the one that is on longest. `change` is whether it
/// changes the server, by what is in force now.
pub fn keeping<'h>(
    holds: impl Iterator<Item = &'h Hold>,
    job: &Job,
    change: bool,
    at: Timestamp,
) -> Option<&'h Hold> {
    if !may_be_held(job) {
        return None;
    }
    let holds_job = |hold: &&Hold| hold.is_on(at) && (hold.scope == HoldScope::All || change);
    holds.filter(holds_job).max_by_key(|hold| hold.until)
}

/// The hold to tell of first, of those that are on: one for every job before one for some, then the longest.
pub fn foremost<'h>(holds: impl Iterator<Item = &'h Hold>, at: Timestamp) -> Option<&'h Hold> {
    holds.filter(|hold| hold.is_on(at)).max_by_key(|hold| (hold.scope, hold.until))
}

/// The next instant at which a hold begins or ends.
pub fn next_edge<'h>(holds: impl Iterator<Item = &'h Hold>, after: Timestamp) -> Option<Timestamp> {
    holds.flat_map(|hold| [hold.from, hold.until]).filter(|edge| *edge > after).min()
}

/// The verdict of a run that a hold kept from starting.
pub fn held(hold: &Hold) -> Verdict {
    let text = format!("hold: {}", hold.reason);
    Verdict::because(Outcome::Skipped, Grade::Exit, Reason::new("hold", text))
}

/// A freeze must never stand between an admin and a backup: a job with a step that restores is not held. The match
/// names every action, so that whoever adds one decides here.
fn may_be_held(job: &Job) -> bool {
    job.steps.iter().all(|step| match step.action {
        Action::Tootctl(_)
        | Action::Systemctl(_)
        | Action::Services(_)
        | Action::Run(_)
        | Action::Probe(_)
        | Action::Guard(_)
        | Action::Verify(_) => true,
        Action::Restore(_) | Action::Database(_) | Action::RedisFlush => false,
    })
}

/// In the order in which they are listed: what is on first, then by their begin.
pub fn sort_key(hold: &Hold, at: Timestamp) -> impl Ord + use<> {
    (Reverse(hold.is_on(at)), hold.from, hold.until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::policy::tests::{job, step};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn hold(from: i64, until: i64, scope: HoldScope) -> Hold {
        Hold { from: at(from), until: at(until), scope, reason: format!("{from} to {until}") }
    }

    #[test]
    fn a_freeze_is_for_changes_and_ones_own_work_for_everything() {
        let (plain, change) = (job(vec![step()]), Job { change: true, ..job(vec![step()]) });
        let kept =
            |holds: &[Hold], job: &Job, when| keeping(holds.iter(), job, job.change, at(when)).cloned();
        let freeze = [hold(10, 20, HoldScope::Change)];
        assert_eq!(kept(&freeze, &plain, 15), None);
        assert_eq!(kept(&freeze, &change, 15).as_ref(), Some(&freeze[0]));
        assert_eq!(kept(&freeze, &change, 20), None);
        let both = [freeze[0].clone(), hold(12, 18, HoldScope::All)];
        assert_eq!(kept(&both, &plain, 15).as_ref(), Some(&both[1]));
        assert_eq!(kept(&both, &change, 15).as_ref(), Some(&both[0]), "the one that ends last");
        assert_eq!(foremost(both.iter(), at(15)), Some(&both[1]));
        assert_eq!(foremost(both.iter(), at(19)), Some(&both[0]));
    }

    #[test]
    fn the_daemon_wakes_at_every_edge() {
        let holds = [hold(10, 20, HoldScope::Change), hold(15, 30, HoldScope::All)];
        let mut now = at(0);
        let mut edges = Vec::new();
        while let Some(edge) = next_edge(holds.iter(), now) {
            edges.push(edge.as_second());
            now = edge;
        }
        assert_eq!(edges, [10, 15, 20, 30]);
    }

    #[test]
    fn the_verdict_says_the_reason() {
        let verdict = held(&hold(10, 20, HoldScope::Change));
        assert_eq!((verdict.outcome, verdict.reasons[0].code.as_str()), (Outcome::Skipped, "hold"));
        assert_eq!(verdict.to_string(), "skipped (exit): hold: 10 to 20");
    }
}

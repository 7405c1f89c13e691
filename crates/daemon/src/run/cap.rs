//! How much a step may remove without a person's approval. Pure: what a look found in, a sentence out.

use mastmaint_config::settings::{AtMost, Job};
use mastmaint_ledger::Approval;
use mastmaint_words::{Bytes, Numbers, Reason, RunId, StepIndex};
use std::collections::BTreeMap;

/// Code of the reason of a run that waits for approval.
pub const NEEDS_APPROVAL: &str = "needs-approval";
/// A share of a handful of files says nothing.
const LEAST_FOR_SHARE: u64 = 50;
/// What is less than this is never many times the usual.
const LEAST_USUAL: u64 = 10;

/// What looks found, by step. As an allowance: so much of it is allowed.
pub type Found = BTreeMap<StepIndex, Numbers>;

/// What is too much about what a look found, if something is.
pub fn excess(cap: &AtMost, found: Numbers, usual: Option<u64>) -> Option<String> {
    let items = found.removed.unwrap_or(0);
    let bytes = found.bytes.unwrap_or(0);
    let would = format!("would remove {items} items ({})", Bytes::new(bytes).human());
    if let Some(most) = cap.items.filter(|most| items > *most) {
        return Some(format!("{would}, more than {most} items"));
    }
    if let Some(most) = cap.bytes.filter(|most| bytes > most.get()) {
        return Some(format!("{would}, more than {}", most.human()));
    }
    let all = found.visited.unwrap_or(0);
    if let Some(share) =
        cap.share.filter(|share| items >= LEAST_FOR_SHARE && all > 0 && share.is_exceeded_by(items, all))
    {
        return Some(format!("{would} of about {all} files, more than {share}"));
    }
    let usual = usual?.max(LEAST_USUAL);
    let times = cap.times_usual.filter(|times| items > usual.saturating_mul(u64::from(*times)))?;
    Some(format!("{would}, more than {times} times the usual {usual}"))
}

/// Whether a person has allowed as much. A tenth more than was approved: a day goes by until it runs.
pub fn is_allowed(allowed: Option<&Numbers>, found: Numbers) -> bool {
    let within = |allowed: Option<u64>, found: Option<u64>| {
        let allowed = allowed.unwrap_or(0);
        found.unwrap_or(0) <= allowed.saturating_add(allowed / 10)
    };
    allowed
        .is_some_and(|allowed| within(allowed.removed, found.removed) && within(allowed.bytes, found.bytes))
}

/// The reason of a run or step that waits for approval.
pub fn needs_approval(run: &RunId, step: StepIndex, title: &str, why: &str) -> Reason {
    let text = format!(
        "needs approval: step {step} ({title}) {why}; \"mastmaintctl approve {run}\" starts it within 24 h"
    );
    Reason::new(NEEDS_APPROVAL, text)
}

/// What an approval allows a run that was started with it.
pub fn allowance<'a>(approvals: impl IntoIterator<Item = &'a Approval>, run: &RunId) -> Found {
    let used = approvals.into_iter().find(|approval| approval.used_by.as_ref() == Some(run));
    used.map(|approval| approval.found.clone()).unwrap_or_default()
}

/// The first step that is not any more what it was when its look found too much: what was found says nothing about what
/// stands there now.
pub fn changed_since(approval: &Approval, job: &Job) -> Option<StepIndex> {
    let is_same = |step: &StepIndex| {
        let now = job.steps.get(usize::from(step.0)).map(|step| step.action.title());
        now.is_some() && now.as_ref() == approval.titles.get(step)
    };
    approval.found.keys().find(|step| !is_same(step)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::Percent;

    fn found(removed: u64, bytes: u64, visited: u64) -> Numbers {
        Numbers { removed: Some(removed), bytes: Some(bytes), visited: Some(visited), failed: None }
    }

    #[test]
    fn each_limit_holds_by_itself() {
        let items = AtMost { items: Some(2000), ..AtMost::default() };
        assert_eq!(excess(&items, found(2000, 1 << 40, 2000), None), None);
        let why = excess(&items, found(2001, 7 << 30, 2001), None).unwrap();
        assert_eq!(why, "would remove 2001 items (7 GB), more than 2000 items");
        let bytes = AtMost { bytes: Some(Bytes::new(5 << 30)), ..AtMost::default() };
        assert_eq!(excess(&bytes, found(1, 5 << 30, 1), None), None);
        assert!(excess(&bytes, found(1, (5 << 30) + 1, 1), None).unwrap().contains("more than 5 GB"));
        let share = AtMost { share: Some(Percent::TEN), ..AtMost::default() };
        assert_eq!(excess(&share, found(49, 0, 49), None), None, "a handful");
        assert_eq!(excess(&share, found(50, 0, 500), None), None);
        assert!(excess(&share, found(51, 0, 500), None).unwrap().contains("more than 10%"));
        assert_eq!(excess(&share, found(51, 0, 0), None), None, "not known of how many");
    }

    #[test]
    fn many_times_the_usual_is_too_much_once_the_usual_is_known() {
        let cap = AtMost { times_usual: Some(5), ..AtMost::default() };
        assert_eq!(excess(&cap, found(1_000_000, 0, 0), None), None);
        assert_eq!(excess(&cap, found(500, 0, 0), Some(100)), None);
        assert!(excess(&cap, found(501, 0, 0), Some(100)).is_some());
        assert_eq!(excess(&cap, found(50, 0, 0), Some(0)), None, "a few after nothing are no flood");
    }

    #[test]
    fn an_approval_is_for_what_was_looked_at() {
        use crate::run::policy::tests::{job, step};
        use mastmaint_config::settings::{Action, Step};
        let does = |words: &str| {
            let words = words.split_whitespace().map(str::to_owned).collect();
            Step { action: Action::Tootctl(words), ..step() }
        };
        let was = job(vec![step(), does("media remove-orphans")]);
        let titles = was.indexed_steps().skip(1).map(|(index, step)| (index, step.action.title()));
        let approval = Approval {
            run: "20261123T003000Z-7k3f9q".parse().unwrap(),
            job: "clean".parse().unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            found: [(StepIndex(1), found(5000, 0, 5000))].into(),
            titles: titles.collect(),
            why: String::new(),
            used_by: None,
        };
        assert_eq!(changed_since(&approval, &was), None);
        let other = job(vec![does("cache clear"), does("media remove-orphans")]);
        assert_eq!(changed_since(&approval, &other), None, "the step is the same");
        for changed in [job(vec![step(), does("accounts prune")]), job(vec![does("media remove-orphans")])] {
            assert_eq!(changed_since(&approval, &changed), Some(StepIndex(1)));
        }
        let of_an_older_version = Approval { titles: BTreeMap::new(), ..approval };
        assert_eq!(changed_since(&of_an_older_version, &was), Some(StepIndex(1)), "nobody knows what it was");
    }

    #[test]
    fn what_was_approved_is_allowed_and_a_little_more() {
        let allowed = found(1000, 1000, 0);
        assert!(is_allowed(Some(&allowed), found(1100, 1100, 0)));
        assert!(!is_allowed(Some(&allowed), found(1101, 0, 0)));
        assert!(!is_allowed(Some(&allowed), found(0, 1101, 0)));
        assert!(!is_allowed(None, found(1, 0, 0)));
    }
}

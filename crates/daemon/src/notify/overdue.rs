//! Whether a job should have begun and did not. Pure.
//!
//! The first slot after a job began last must be answered before its window closes, or within an hour where it has
//! none: a lock may be held that long by another job, or longer where `lock_wait` says so. Whether the run ended well is another question. A slot that was
//! passed over because a person paused or held the job is no slot here.

use super::policy::JobState;
use crate::schedule::policy::Terms;
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::settings::usual_lock_wait;
use mastmaint_words::Span;

/// How long after it is due a job without a window may wait.
const ALLOWANCE: SignedDuration = SignedDuration::from_hours(1);
/// A window that has closed is looked at a little later: a run that was skipped for it says so first.
const AFTER_WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// A slot and when a job is behind with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline {
    /// The slot.
    pub(super) slot: Timestamp,
    /// From here on it is late.
    pub(super) at: Timestamp,
}

/// The slot that has to be answered next.
pub(super) fn deadline(terms: &Terms<'_>, lock_wait: Span, state: &JobState) -> Option<Deadline> {
    let allowance = allowance(lock_wait);
    let watched = state.watched.as_ref()?.since;
    let mut from = state.attended.map_or(watched, |attended| attended.max(watched));
    loop {
        from = terms.schedule.next_after(from)?;
        // A slot that is closed from the beginning is none.
        if let Some(due) = terms.due(from) {
            let until = due.closes.map(|closes| closes.saturating_add(AFTER_WINDOW));
            let at = until.unwrap_or_else(|| due.at.saturating_add(allowance)).unwrap_or(Timestamp::MAX);
            return Some(Deadline { slot: due.slot, at });
        }
    }
}

/// A wait for a lock that is longer than the usual one was written on purpose: so long nobody is troubled.
fn allowance(lock_wait: Span) -> SignedDuration {
    let on_purpose = (lock_wait > usual_lock_wait()).then(|| SignedDuration::try_from(lock_wait.get()).ok());
    on_purpose.flatten().unwrap_or(ALLOWANCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{notify::policy::Watched, schedule::policy::Seed};

    /// The deadline of a job of these lines that is watched since noon and began last at `attended`.
    fn deadline_of(job: &str, attended: Option<&str>) -> Option<(String, String)> {
        let text = format!("jobs:\n  a:\n    {job}\n    steps: [{{run: /bin/true}}]\n");
        let settings = mastmaint_config::load_str("m.yaml", &text).unwrap().settings;
        let (name, job) = settings.jobs.first_key_value().unwrap();
        let seed = Seed::new("seed");
        let since = "2026-11-23T12:00:00Z".parse().unwrap();
        let mut state = JobState::default();
        state.watched = Some(Watched { since, schedule: String::new() });
        if let Some(at) = attended {
            state.begun(at.parse().unwrap());
        }
        let found = Terms::of(name, job, &seed).and_then(|terms| deadline(&terms, job.lock_wait, &state))?;
        Some((found.slot.to_string(), found.at.to_string()))
    }

    fn both(slot: &str, at: &str) -> (String, String) {
        (slot.to_owned(), at.to_owned())
    }

    #[test]
    fn a_slot_may_wait_for_an_hour() {
        let nightly = "schedule: '30 0 * * *'";
        let first = both("2026-11-24T00:30:00Z", "2026-11-24T01:30:00Z");
        assert_eq!(deadline_of(nightly, None), Some(first.clone()));
        assert_eq!(
            deadline_of(nightly, Some("2026-11-24T00:29:59Z")),
            Some(first),
            "by hand, before its slot"
        );
        let next = both("2026-11-25T00:30:00Z", "2026-11-25T01:30:00Z");
        assert_eq!(deadline_of(nightly, Some("2026-11-24T00:30:02Z")), Some(next));
    }

    #[test]
    fn a_longer_wait_for_a_lock_is_meant() {
        let deadline = |wait: &str| {
            let job = format!("schedule: '30 0 * * *'\n    lock_wait: {wait}");
            deadline_of(&job, None).unwrap().1
        };
        assert_eq!(deadline("20m"), "2026-11-24T01:30:00Z");
        assert_eq!(deadline("12h"), "2026-11-24T01:30:00Z", "as if nothing were written");
        assert_eq!(deadline("1d"), "2026-11-25T00:30:00Z");
    }

    #[test]
    fn what_was_before_it_was_watched_does_not_count() {
        let first = both("2026-11-24T00:30:00Z", "2026-11-24T01:30:00Z");
        assert_eq!(deadline_of("schedule: '30 0 * * *'", Some("2026-11-01T00:30:00Z")), Some(first));
    }

    #[test]
    fn a_window_says_how_long_it_may_wait() {
        let job = "schedule: '30 0 * * *'\n    window: {until: '04:00'}";
        let closed = both("2026-11-24T00:30:00Z", "2026-11-24T04:01:00Z");
        assert_eq!(deadline_of(job, None), Some(closed));
    }

    #[test]
    fn a_runbook_is_never_late() {
        assert_eq!(deadline_of("description: by hand", None), None);
    }
}

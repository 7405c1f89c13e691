//! Whether a backup is known to be fresh. Pure.
//!
//! A verification says what it finds old. This is for the time in which none says anything: the newest backup that was
//! seen is older than `max_age` allows, and there was time to look for a newer one. Where a job verifies by schedule
//! that time is its next slot and as long as it may take; where none does it is `max_age` again.

use jiff::{SignedDuration, Timestamp};
use mastmaint_config::settings::Job;
use mastmaint_ledger::Verified;
use serde::{Deserialize, Serialize};

/// Reminders of a backup that is not fresh.
const REMIND_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// What is known of a backup from night to night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BackupState {
    /// Since when it is watched.
    pub(super) since: Timestamp,
    /// When somebody was told that it is not fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<Timestamp>,
}

/// What the newest verification saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    /// When it was.
    pub(super) verified: Timestamp,
    /// When the newest complete one was made, if there was one.
    pub(super) newest: Option<Timestamp>,
}

impl From<&Verified> for Sight {
    fn from(known: &Verified) -> Self {
        Self { verified: known.at, newest: known.report.newest.as_ref().map(|newest| newest.at) }
    }
}

impl BackupState {
    pub(super) const fn watched_from(now: Timestamp) -> Self {
        Self { since: now, told: None }
    }

    /// From when on it is not known to be fresh. `jobs` are those that verify it by schedule.
    pub(super) fn deadline<'a>(
        &self,
        max_age: SignedDuration,
        sight: Option<Sight>,
        jobs: impl Iterator<Item = &'a Job>,
    ) -> Timestamp {
        // A backup that the configuration has only just named gets its time from then on.
        let looked = sight.map_or(self.since, |sight| sight.verified.max(self.since));
        let newest = sight.and_then(|sight| sight.newest).unwrap_or(looked);
        let stale = later(newest, max_age);
        let next_look = jobs.filter_map(|job| look_after(job, looked)).min();
        stale.max(next_look.unwrap_or_else(|| later(looked, max_age)))
    }

    /// When somebody has to be told again.
    pub(super) fn reminds_at(&self) -> Timestamp {
        self.told.map_or(Timestamp::MIN, |told| later(told, REMIND_EVERY))
    }
}

/// When the first verification after an instant must be over.
fn look_after(job: &Job, looked: Timestamp) -> Option<Timestamp> {
    let slot = job.schedule.as_ref()?.next_after(looked)?;
    let spans = [job.random_delay, job.timeout];
    Some(spans.iter().fold(slot, |at, span| later(at, span.get().try_into().unwrap_or(SignedDuration::MAX))))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    /// The deadline of a backup that is watched since the 20th at noon, of which 26 hours are allowed.
    fn deadline(sight: Option<(&str, Option<&str>)>, schedule: Option<&str>) -> Timestamp {
        let schedule = schedule.map_or(String::new(), |s| format!("schedule: '{s}', timeout: 1h, "));
        let text = format!(
            "backups: {{b: {{kind: tree, path: /b}}}}\njobs: {{j: {{{schedule}steps: [{{verify: b}}]}}}}\n"
        );
        let settings = mastmaint_config::load_str("m.yaml", &text).unwrap().settings;
        let sight = sight.map(|(at, newest)| Sight { verified: time(at), newest: newest.map(time) });
        let state = BackupState::watched_from(time("20T12:00"));
        state.deadline(SignedDuration::from_hours(26), sight, settings.jobs.values())
    }

    #[test]
    fn a_nightly_verification_has_until_the_next_one_is_over() {
        let nightly = Some("30 6 * * *");
        // Made at 2, seen at 6:40: at 4 the next day it is too old, but the next look at it comes at 6:30.
        let seen = Some(("23T06:40", Some("23T02:00")));
        assert_eq!(deadline(seen, nightly), time("24T07:30"));
        // It was seen old, and said so; the next verification says so again, or it does not come.
        assert_eq!(deadline(Some(("23T06:40", Some("20T02:00"))), nightly), time("24T07:30"));
        // Looked at every hour, it has all of its time.
        assert_eq!(deadline(Some(("23T06:40", Some("23T02:00"))), Some("0 * * * *")), time("24T04:00"));
    }

    #[test]
    fn without_a_schedule_and_without_a_look_the_time_runs_too() {
        assert_eq!(deadline(Some(("23T06:40", Some("23T02:00"))), None), time("24T08:40"));
        assert_eq!(deadline(Some(("23T06:40", None)), None), time("24T08:40"));
        assert_eq!(deadline(None, None), time("21T14:00"));
        assert_eq!(deadline(None, Some("30 6 * * 0")), time("22T07:30"), "the 22nd is a Sunday");
        // Seen long before it came into the configuration again.
        assert_eq!(deadline(Some(("01T06:40", Some("01T02:00"))), None), time("21T14:00"));
    }

    #[test]
    fn people_are_reminded_once_a_day() {
        let mut state = BackupState::watched_from(time("20T12:00"));
        assert_eq!(state.reminds_at(), Timestamp::MIN);
        state.told = Some(time("23T08:00"));
        assert_eq!(state.reminds_at(), time("24T08:00"));
    }
}

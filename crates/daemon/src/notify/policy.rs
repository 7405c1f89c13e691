//! What is worth telling about a job, and when again: pure decisions over what was told before. Only a change is told:
//! the first failure, another reason, the end of it; and while it lasts a reminder now and then, unless a person said
//! that they know.

use crate::run::cap::NEEDS_APPROVAL;
use jiff::{SignedDuration, Timestamp};
use mastmaint_words::{Occasion, Outcome, RunId, backup::FindingId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A job that does a part of its work is in no hurry.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A slot with this code was not answered: the job did nothing because it could not begin.
const NOT_BEGUN: [&str; 3] = ["still-running", "window-closed", "lock-wait"];

/// What is known about a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobState {
    /// The newest run that was dealt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<RunId>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<Trouble>,
    /// What it is behind with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    late: Option<Late>,
    /// When it began last, or decided to do nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) attended: Option<Timestamp>,
    /// Since when its schedule is watched, and which that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) watched: Option<Watched>,
    /// A person knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack: Option<Ack>,
}

/// A schedule that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watched {
    /// Since when.
    pub since: Timestamp,
    /// The schedule with its zone.
    pub schedule: String,
}

/// What is wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// `Failed`, `Partial` or `NeedsApproval`.
    pub occasion: Occasion,
    /// Stable code of the reason.
    pub code: String,
    /// Since when.
    pub since: Timestamp,
    /// How many runs ended so.
    pub runs: u32,
    /// The newest of them.
    pub run: RunId,
    /// What it found in backups and nobody has acknowledged.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub findings: BTreeSet<FindingId>,
    /// When somebody was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Timestamp>,
}

/// What a job is behind with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// The slot that nothing was begun for.
    pub slot: Timestamp,
    /// When somebody was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Timestamp>,
    /// It has begun since; whether it is well again is not known yet.
    #[serde(default)]
    pub begun: bool,
}

/// A person knows of what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Until then; for as long as it lasts where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who.
    pub uid: u32,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Code of the first reason.
    pub code: String,
    /// What it found in backups and nobody has acknowledged.
    pub findings: BTreeSet<FindingId>,
    /// All that is not well in it is findings that a person has acknowledged, this one the last.
    pub known_by: Option<u32>,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// Something is wrong with a run.
    Trouble {
        /// What.
        trouble: Trouble,
        /// It was told before.
        again: bool,
    },
    /// It did not begin.
    Overdue {
        /// What for.
        late: Late,
        /// It was told before.
        again: bool,
    },
    /// What was told is over.
    Recovered {
        /// Since when it was wrong.
        since: Timestamp,
        /// How many runs were not well; 0 for one that was only overdue.
        runs: u32,
        /// The run that was.
        run: RunId,
    },
}

impl Say {
    /// What it is about.
    pub const fn occasion(&self) -> Occasion {
        match self {
            Self::Trouble { trouble, .. } => trouble.occasion,
            Self::Overdue { .. } => Occasion::Overdue,
            Self::Recovered { .. } => Occasion::Recovered,
        }
    }
}

impl JobState {
    /// Whether anything happened to it.
    pub(super) const fn has_news(&self) -> bool {
        self.seen.is_some() || self.attended.is_some()
    }

    /// Cuts what lies ahead of now to now, and takes back a slot that has not come yet; false if there was nothing.
    pub(super) fn cut(&mut self, now: Timestamp) -> bool {
        let before = self.clone();
        let cut = |at: Timestamp| at.min(now);
        self.attended = self.attended.map(cut);
        if let Some(watched) = &mut self.watched {
            watched.since = cut(watched.since);
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.since = cut(trouble.since);
            trouble.told = trouble.told.map(cut);
        }
        self.late = self.late.and_then(|Late { slot, told, begun }| {
            let to_come = slot > now;
            // Whoever was told hears of its end when a run ends well.
            let kept = Late { slot: cut(slot), told: told.map(cut), begun: begun || to_come };
            (told.is_some() || !to_come).then_some(kept)
        });
        *self != before
    }

    /// A run began: the job is not behind any more.
    pub fn begun(&mut self, at: Timestamp) {
        self.attended = Some(at);
    }

    /// A run that was over before this daemon began: dealt with unless that was done then.
    pub fn remembered(&mut self, ended: &Ended) -> Option<Say> {
        // Ids follow the clock; a run that was skipped later may have been dealt with as well.
        if self.seen.as_ref().is_some_and(|seen| *seen >= ended.run) { None } else { self.ended(ended) }
    }

    /// A run is over. One that was dealt with before changes nothing.
    pub fn ended(&mut self, ended: &Ended) -> Option<Say> {
        if self.seen.as_ref() == Some(&ended.run) {
            return None;
        }
        self.seen = Some(ended.run.clone());
        let occasion = match ended.outcome {
            Outcome::Ok => return self.well_again(ended),
            Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted => Occasion::Failed,
            Outcome::Partial => Occasion::Partial,
            Outcome::Skipped if ended.code == NEEDS_APPROVAL => Occasion::NeedsApproval,
            Outcome::Skipped if NOT_BEGUN.contains(&ended.code.as_str()) => return None,
            // On purpose, or a person's doing: neither good nor bad news.
            Outcome::Skipped | Outcome::Cancelled => {
                self.begun(ended.at);
                return None;
            }
        };
        self.begun(ended.at);
        match &mut self.trouble {
            Some(trouble)
                if trouble.occasion == occasion
                    && trouble.code == ended.code
                    && ended.findings.is_subset(&trouble.findings) =>
            {
                trouble.runs = trouble.runs.saturating_add(1);
                trouble.run = ended.run.clone();
                trouble.findings.clone_from(&ended.findings);
                None
            }
            other => {
                let (since, runs) = other.as_ref().map_or((ended.at, 0), |t| (t.since, t.runs));
                self.ack = ended.known_by.map(|uid| Ack { until: None, uid });
                let trouble = Trouble {
                    occasion,
                    code: ended.code.clone(),
                    since,
                    runs: runs.saturating_add(1),
                    run: ended.run.clone(),
                    findings: ended.findings.clone(),
                    told: None,
                };
                *other = Some(trouble.clone());
                ended.known_by.is_none().then_some(Say::Trouble { trouble, again: false })
            }
        }
    }

    fn well_again(&mut self, ended: &Ended) -> Option<Say> {
        self.begun(ended.at);
        self.ack = None;
        let (trouble, late) = (self.trouble.take(), self.late.take());
        let trouble = trouble.filter(|trouble| trouble.told.is_some());
        let late = late.filter(|late| late.told.is_some());
        let since = trouble.as_ref().map(|trouble| trouble.since).or(late.map(|late| late.slot))?;
        let runs = trouble.map_or(0, |trouble| trouble.runs);
        Some(Say::Recovered { since, runs, run: ended.run.clone() })
    }

    /// It is behind with a slot, or with none.
    pub fn is_late(&mut self, slot: Option<Timestamp>) {
        match (slot, &mut self.late) {
            // What it is behind with first stays what it is behind with.
            (Some(_), Some(Late { begun: false, .. })) => {}
            (Some(slot), _) => {
                self.late = Some(Late { slot, told: None, begun: false });
                self.ack = None;
            }
            // The end is told when a run ends well.
            (None, Some(late @ Late { told: Some(_), .. })) if self.trouble.is_none() => late.begun = true,
            (None, _) => self.late = None,
        }
    }

    /// What has to be told at an instant without anything new: what nobody was told yet, and reminders.
    pub fn due(&self, now: Timestamp) -> Vec<Say> {
        let mut says = Vec::new();
        if let Some(trouble) = self.trouble.clone().filter(|t| self.reminds_at(t.occasion, t.told) <= now) {
            let again = trouble.told.is_some();
            says.push(Say::Trouble { trouble, again });
        }
        if let Some(late) = self.waiting().filter(|late| self.reminds_at(Occasion::Overdue, late.told) <= now)
        {
            says.push(Say::Overdue { late, again: late.told.is_some() });
        }
        says
    }

    /// When [`JobState::due`] has something, for those occasions that somebody wants to hear of.
    pub fn next(&self, wanted: impl Fn(Occasion) -> bool) -> Option<Timestamp> {
        let trouble = self.trouble.as_ref().map(|trouble| (trouble.occasion, trouble.told));
        let late = self.waiting().map(|late| (Occasion::Overdue, late.told));
        let both = [trouble, late].into_iter().flatten().filter(|(occasion, _)| wanted(*occasion));
        both.map(|(occasion, told)| self.reminds_at(occasion, told)).min()
    }

    /// What it is still behind with.
    fn waiting(&self) -> Option<Late> {
        self.late.filter(|late| !late.begun)
    }

    fn reminds_at(&self, occasion: Occasion, told: Option<Timestamp>) -> Timestamp {
        let every = if occasion == Occasion::Partial { WEEK } else { DAY };
        let regular =
            told.map_or(Timestamp::MIN, |told| told.saturating_add(every).unwrap_or(Timestamp::MAX));
        match self.ack {
            None => regular,
            Some(Ack { until: None, .. }) => Timestamp::MAX,
            Some(Ack { until: Some(until), .. }) => regular.max(until),
        }
    }

    /// Somebody was told.
    pub fn told(&mut self, say: &Say, at: Timestamp) {
        match say {
            Say::Trouble { .. } => {
                if let Some(trouble) = &mut self.trouble {
                    trouble.told = Some(at);
                }
            }
            Say::Overdue { .. } => {
                if let Some(late) = &mut self.late {
                    late.told = Some(at);
                }
            }
            Say::Recovered { .. } => {}
        }
    }

    /// The run that is not well, if its findings are what is wrong with it.
    pub fn run_with_findings(&self) -> Option<&RunId> {
        self.trouble.as_ref().filter(|trouble| !trouble.findings.is_empty()).map(|trouble| &trouble.run)
    }

    /// What is found and not acknowledged is only this any more.
    pub fn acknowledged(&mut self, left: BTreeSet<FindingId>, known_by: Option<u32>) {
        if let Some(trouble) = &mut self.trouble {
            trouble.findings = left;
        }
        if let Some(uid) = known_by {
            self.acknowledge(Ack { until: None, uid });
        }
    }

    /// A person knows; false if there is nothing to know of.
    pub fn acknowledge(&mut self, ack: Ack) -> bool {
        let wrong = self.trouble.is_some() || self.waiting().is_some();
        if wrong {
            self.ack = Some(ack);
        }
        wrong
    }
}

//! When a probe's answers make an incident, and when they end one. Pure. So many answers of no in a row open it, so many
//! of yes in a row close it; it begins with the first of those and ends with the first of these. What could not be asked
//! says nothing either way.

use jiff::Timestamp;
use mastmaint_config::probes::Probe;
use mastmaint_ledger::Incident;
use mastmaint_runner::probe::Said;
use mastmaint_words::ProbeName;

/// How many answers it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// So many of no.
    pub(super) down_after: u16,
    /// So many of yes.
    pub(super) up_after: u16,
}

impl Terms {
    /// Those of a probe.
    pub(super) const fn of(probe: &Probe) -> Self {
        Self { down_after: probe.down_after, up_after: probe.up_after }
    }
}

/// Where a probe stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    incident: Option<Incident>,
    /// Answers in a row that speak against that.
    against: Option<InARow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InARow {
    since: Timestamp,
    count: u16,
}

/// A change of where a probe stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// It has said no often enough.
    Opened(Incident),
    /// It has said yes often enough.
    Closed(Incident),
}

impl Standing {
    /// Where an earlier daemon left it.
    pub(super) fn with(incident: Option<Incident>) -> Self {
        Self { incident, against: None }
    }

    /// The incident that is open.
    pub(super) const fn incident(&self) -> Option<&Incident> {
        self.incident.as_ref()
    }

    /// Since when it says no without that being enough for an incident.
    pub(super) fn doubtful_since(&self) -> Option<Timestamp> {
        self.against.filter(|_| self.incident.is_none()).map(|row| row.since)
    }

    /// Takes an answer in.
    pub(super) fn hear(
        &mut self,
        probe: &ProbeName,
        terms: Terms,
        at: Timestamp,
        said: &Said,
    ) -> Option<Change> {
        let (speaks_against, needed) = match (said, &self.incident) {
            (Said::NotAsked { .. }, _) => return None,
            (Said::Silent { .. }, None) => (true, terms.down_after),
            (Said::Answers { .. }, Some(_)) => (true, terms.up_after),
            (Said::Answers { .. }, None) | (Said::Silent { .. }, Some(_)) => (false, 0),
        };
        if !speaks_against {
            self.against = None;
            return None;
        }
        let row = self.against.get_or_insert(InARow { since: at, count: 0 });
        row.count = row.count.saturating_add(1);
        // A clock that was set back must not make an end before its begin.
        let since = row.since.min(at);
        if row.count < needed {
            return None;
        }
        self.against = None;
        match (self.incident.take(), said) {
            (Some(incident), _) => {
                let closed = Some(since.max(incident.opened));
                Some(Change::Closed(Incident { closed, ..incident }))
            }
            (None, Said::Silent { why }) => {
                let (probe, why) = (probe.clone(), why.clone());
                let opened = Incident { probe, opened: since, known: at, closed: None, why, ended: None };
                self.incident = Some(opened.clone());
                Some(Change::Opened(opened))
            }
            (None, _) => None,
        }
    }

    /// It is not asked on purpose: what was said before is no part of a row with what is said after.
    pub(super) fn pause(&mut self) {
        self.against = None;
    }

    /// Nobody asks any more; the incident that ends by that.
    pub(super) fn give_up(self, at: Timestamp, why: &str) -> Option<Incident> {
        let incident = self.incident?;
        Some(Incident { closed: Some(at.max(incident.opened)), ended: Some(why.to_owned()), ..incident })
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;

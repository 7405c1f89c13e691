//! Incidents: each is told once when it is open and once when it is over, whoever asks again and however often this
//! daemon is started.

use super::{compose::Surroundings, task::Task};
use jiff::Timestamp;
use mastmaint_ledger::Incident;
use mastmaint_runner::protocol::Notice;
use mastmaint_words::{Occasion, ProbeName, human};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What was told of a probe: its newest incident, and whether its end was, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ToldIncident {
    opened: Timestamp,
    closed: bool,
}

impl ToldIncident {
    /// What there will have been told once this incident has been.
    pub(super) const fn of(incident: &Incident) -> Self {
        Self { opened: incident.opened, closed: incident.closed.is_some() }
    }

    /// Whether an incident as it stands is news after this.
    fn is_news(told: Option<Self>, incident: &Incident) -> bool {
        let now = Self::of(incident);
        told.is_none_or(|told| {
            now.opened > told.opened || (now.opened == told.opened && now.closed && !told.closed)
        })
    }
}

/// What was told of a probe, as the ledger keeps it.
pub(super) fn row(probe: &ProbeName, told: ToldIncident) -> (String, String) {
    (format!("probe:{probe}"), serde_json::to_string(&told).unwrap_or_default())
}

impl Task {
    /// An incident stands so: is that news?
    pub(super) async fn incident(&mut self, incident: Incident, now: Timestamp) {
        if !self.loaded {
            // Whether it was told is in the ledger.
            self.state.incidents_to_look_at.push(incident);
            return;
        }
        let told = self.state.incidents.get(&incident.probe).copied();
        if !ToldIncident::is_news(told, &incident) {
            return;
        }
        let told = ToldIncident::of(&incident);
        self.state.incidents.insert(incident.probe.clone(), told);
        let listeners = self.state.listeners(Occasion::Incident, None);
        let remedy = self.state.view.probes.get(&incident.probe).map(|probe| probe.question.remedy());
        let notice = compose(&self.state.around(now), &incident, remedy);
        let parcels = self.state.parcels(&listeners, &notice, true);
        self.owe(row(&incident.probe, told), &parcels).await;
        self.put(parcels).await;
    }

    /// Those that came before the ledger could be read.
    pub(super) async fn look_at_incidents(&mut self, now: Timestamp) {
        if self.loaded {
            for incident in std::mem::take(&mut self.state.incidents_to_look_at) {
                self.incident(incident, now).await;
            }
        }
    }
}

fn compose(around: &Surroundings, incident: &Incident, remedy: Option<&str>) -> Notice {
    let Incident { probe, opened, closed, why, ended, .. } = incident;
    let since = around.clock(*opened);
    let (headline, mut text, code) = match closed {
        None => {
            let mut text = format!("The probe {probe} says no since {since}.\n{why}\n");
            if let Some(remedy) = remedy {
                let _ = write!(text, "\nWhat to do first: {remedy}.\n");
            }
            (format!("{probe} says no: {why}"), text, "opened")
        }
        Some(closed) => {
            let long = human::span(human::between(*opened, *closed).unwrap_or_default());
            let how = match ended {
                Some(ended) => format!("is not asked any more ({ended})"),
                None => "says yes again".to_owned(),
            };
            let until = around.clock(*closed);
            let text =
                format!("The probe {probe} {how}. It said no from {since} to {until}, {long}:\n{why}\n");
            (format!("{probe} {how} after {long}"), text, "closed")
        }
    };
    text.push_str("\nTo look closer:\n  mastmaintctl status\n  mastmaintctl incidents\n");
    Notice {
        code: Some(code.to_owned()),
        ..around.notice(Occasion::Incident, &around.subject(&headline), &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn incident(opened: i64, closed: Option<i64>) -> Incident {
        let at = |second| Timestamp::from_second(1_800_000_000 + second).unwrap();
        Incident {
            probe: "web".parse().unwrap(),
            opened: at(opened),
            known: at(opened + 120),
            closed: closed.map(at),
            why: "/about answers 500".to_owned(),
            ended: None,
        }
    }

    #[test]
    fn each_end_of_an_incident_is_news_once() {
        let mut told: Option<ToldIncident> = None;
        let mut is_news = |incident: &Incident| {
            let news = ToldIncident::is_news(told, incident);
            if news {
                told = Some(ToldIncident::of(incident));
            }
            news
        };
        assert!(is_news(&incident(0, None)) && !is_news(&incident(0, None)));
        assert!(is_news(&incident(0, Some(600))) && !is_news(&incident(0, Some(600))));
        assert!(!is_news(&incident(0, None)), "an older daemon's word");
        assert!(is_news(&incident(900, Some(1200))), "one that nobody had heard of");
        assert!(!is_news(&incident(0, Some(600))) && !is_news(&incident(900, Some(1200))));
    }

    #[test]
    fn a_message_says_what_since_when_and_what_to_do() {
        let now = Timestamp::from_second(1_800_000_700).unwrap();
        let around = Surroundings { site: "social.example".into(), zone: TimeZone::UTC, now };
        let opened = compose(&around, &incident(0, None), Some("look at web"));
        assert_eq!(opened.subject, "[social.example] web says no: /about answers 500");
        assert!(
            opened.text.contains("since Fri 15 Jan 08:00") && opened.text.contains("look at web."),
            "{}",
            opened.text
        );
        let closed = compose(&around, &incident(0, Some(600)), None);
        assert_eq!(closed.subject, "[social.example] web says yes again after 10 min");
        assert!(closed.text.contains("from Fri 15 Jan 08:00 to Fri 15 Jan 08:10"), "{}", closed.text);
        assert_eq!((opened.code.as_deref(), closed.code.as_deref()), (Some("opened"), Some("closed")));
    }
}

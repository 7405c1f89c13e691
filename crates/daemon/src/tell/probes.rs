//! What is told of probes.

use super::entries::on_the_clock;
use mastmaint_health::{Entry, MessageId};
use mastmaint_ledger::Incident;
use mastmaint_words::{ProbeName, human};

/// Something about a probe.
#[derive(Debug)]
pub enum ProbeNews {
    /// It has said no often enough.
    Opened {
        /// What is wrong.
        incident: Incident,
        /// What to do first.
        remedy: &'static str,
    },
    /// It has said yes often enough.
    Closed {
        /// What was wrong.
        incident: Incident,
    },
    /// It cannot be asked.
    Blind {
        /// Which.
        probe: ProbeName,
        /// Why.
        why: String,
    },
    /// It can be asked again.
    SeesAgain {
        /// Which.
        probe: ProbeName,
    },
}

pub(super) fn entry(news: ProbeNews) -> Entry {
    match news {
        ProbeNews::Opened { incident, remedy } => {
            let Incident { probe, opened, why, .. } = incident;
            let text = format!("the probe {probe} says no since {}: {why}; {remedy}", on_the_clock(opened));
            Entry::error(text).id(MessageId::IncidentOpened)
        }
        ProbeNews::Closed { incident } => {
            let text = format!("{}; it was: {}", over(&incident), incident.why);
            Entry::notice(text).id(MessageId::IncidentClosed)
        }
        ProbeNews::Blind { probe, why } => {
            let text = format!("the probe {probe} cannot be asked, so nobody knows how that is: {why}");
            Entry::warning(text).id(MessageId::ProbeBlind)
        }
        ProbeNews::SeesAgain { probe } => {
            Entry::notice(format!("the probe {probe} can be asked again")).id(MessageId::ProbeSees)
        }
    }
}

/// `the probe web says yes again: it said no from … to …, 12 min`.
fn over(incident: &Incident) -> String {
    let Incident { probe, opened, closed, ended, .. } = incident;
    let how = match ended {
        Some(ended) => format!("the incident of {probe} is over, for {ended}"),
        None => format!("the probe {probe} says yes again"),
    };
    let closed = closed.unwrap_or(*opened);
    let long = human::between(*opened, closed).unwrap_or_default();
    format!(
        "{how}: it said no from {} to {}, {}",
        on_the_clock(*opened),
        on_the_clock(closed),
        human::span(long)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_health::Level;

    #[test]
    fn an_incident_says_what_since_when_and_what_to_do() {
        let incident = Incident {
            probe: "web".parse().unwrap(),
            opened: "2026-11-26T10:00:00Z".parse().unwrap(),
            known: "2026-11-26T10:02:00Z".parse().unwrap(),
            closed: None,
            why: "/about answers 500".to_owned(),
            ended: None,
        };
        let opened = entry(ProbeNews::Opened { incident: incident.clone(), remedy: "look at web" });
        assert_eq!(opened.level, Level::Error);
        assert!(opened.message.starts_with("the probe web says no since 2026-11-26 "), "{}", opened.message);
        assert!(opened.message.ends_with(": /about answers 500; look at web"), "{}", opened.message);
        let closed = Incident { closed: Some("2026-11-26T10:12:00Z".parse().unwrap()), ..incident };
        let over = entry(ProbeNews::Closed { incident: closed }).message;
        assert!(over.starts_with("the probe web says yes again: ") && over.contains(", 12 min;"), "{over}");
    }
}

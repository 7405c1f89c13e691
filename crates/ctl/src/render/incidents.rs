//! `mastmaintctl incidents`, and what `status` says of probes.

use super::{listed, one_line};
use crate::{
    table::{Cell, Tone, columns},
    when::When,
};
use mastmaint_control::words::{IncidentLine, ProbeLine, ProbeState};
use mastmaint_words::human;

/// One row an incident, newest first.
pub fn incidents(incidents: &[IncidentLine], when: &When, width: Option<usize>) -> String {
    let rows: Vec<[Cell; 5]> = incidents.iter().map(|incident| row(incident, when, width)).collect();
    columns(["OPENED", "CLOSED", "LASTED", "PROBE", "WHY"], &rows, width)
}

fn row(incident: &IncidentLine, when: &When, width: Option<usize>) -> [Cell; 5] {
    let until = incident.closed.unwrap_or(when.now);
    let lasted = human::span(human::between(incident.opened, until).unwrap_or_default());
    let closed = match incident.closed {
        Some(closed) => listed(when, closed, width).into(),
        None => Cell::toned("open", Tone::Bad),
    };
    let ended = incident.ended.as_ref().map_or_else(String::new, |ended| format!(" ({})", one_line(ended)));
    [
        listed(when, incident.opened, width).into(),
        closed,
        lasted.into(),
        incident.probe.as_str().into(),
        format!("{}{ended}", one_line(&incident.why)).into(),
    ]
}

/// `web says no since …: …` for each that is not well; one line for all that are.
pub(super) fn probes(probes: &[ProbeLine], when: &When) -> Vec<String> {
    let of = |state: ProbeState| probes.iter().filter(move |line| line.state == state);
    let said = |line: &ProbeLine| line.said.as_deref().map(one_line).unwrap_or_default();
    let since =
        |line: &ProbeLine| line.since.map(|at| format!(" since {}", when.both(at))).unwrap_or_default();
    let mut lines = Vec::new();
    for line in of(ProbeState::Down) {
        let text = format!("{} says no{}: {}", line.probe, since(line), said(line));
        lines.push(Tone::Bad.paint(&text));
    }
    for line in of(ProbeState::Doubtful) {
        let text = format!("{} says no{}, not yet often enough: {}", line.probe, since(line), said(line));
        lines.push(Tone::Odd.paint(&text));
    }
    for line in of(ProbeState::Unknown) {
        let why = if line.said.is_some() { said(line) } else { "not asked yet".to_owned() };
        lines.push(Tone::Odd.paint(&format!("{} is not known: {why}", line.probe)));
    }
    for (state, what) in [(ProbeState::Quiet, "not asked for the moment"), (ProbeState::Up, "well")] {
        let names: Vec<&str> = of(state).map(|line| line.probe.as_str()).collect();
        if !names.is_empty() {
            lines.push(format!("{what}: {}", names.join(", ")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    fn noon() -> When {
        When { now: "2026-11-23T12:00:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC }
    }

    #[test]
    fn an_incident_says_from_when_to_when_and_why() {
        let lines: Vec<IncidentLine> = serde_json::from_str(
            r#"[{"probe": "web", "opened": "2026-11-23T11:48:00Z", "known": "2026-11-23T11:50:00Z", "why": "/about\nanswers 500"},
                {"probe": "api", "opened": "2026-11-22T11:00:00Z", "known": "2026-11-22T11:02:00Z", "closed": "2026-11-22T12:30:00Z", "why": "nobody answers", "ended": "taken out"}]"#,
        )
        .unwrap();
        let text = strip_str(&incidents(&lines, &noon(), None)).to_string();
        let rows: Vec<&str> = text.lines().collect();
        assert!(
            rows[1].contains("open") && rows[1].contains("12 min") && rows[1].ends_with("/about answers 500"),
            "{text}"
        );
        assert!(rows[2].contains("1 h 30 min") && rows[2].ends_with("nobody answers (taken out)"), "{text}");
    }

    #[test]
    fn what_is_not_well_stands_first() {
        let line = |probe: &str, state: &str| {
            format!(
                r#"{{"probe": "{probe}", "kind": "{probe}", "state": "{state}", "since": "2026-11-23T11:48:00Z", "said": "it says {probe}"}}"#
            )
        };
        let text =
            format!("[{},{},{}]", line("api", "up"), line("web", "down"), line("redis", "a-newer-word"));
        let lines: Vec<ProbeLine> = serde_json::from_str(&text).unwrap();
        let said: Vec<String> =
            probes(&lines, &noon()).iter().map(|line| strip_str(line).to_string()).collect();
        assert_eq!(
            said,
            [
                "web says no since Mon 2026-11-23 11:48:00 UTC (12 min ago): it says web",
                "redis is not known: it says redis",
                "well: api"
            ]
        );
    }
}

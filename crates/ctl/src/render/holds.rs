//! `mastmaintctl hold list`, and what other listings say of holds.

use super::{listed, one_line};
use crate::{
    table::{Cell, Tone, columns},
    when::When,
};
use mastmaint_control::words::HoldLine;
use mastmaint_words::HoldScope;

/// One row a hold, those that are on first.
pub fn holds(holds: &[HoldLine], when: &When, width: Option<usize>) -> String {
    let rows: Vec<[Cell; 7]> = holds
        .iter()
        .map(|line| {
            let state = if line.on { Cell::toned("on", Tone::Odd) } else { "to come".into() };
            let left = if line.on { when.left(line.hold.until) } else { "-".to_owned() };
            [
                line.id.map_or_else(|| "config".to_owned(), |id| id.to_string()).into(),
                state,
                listed(when, line.hold.from, width).into(),
                listed(when, line.hold.until, width).into(),
                left.into(),
                held(line.hold.scope).into(),
                one_line(&line.hold.reason).into(),
            ]
        })
        .collect();
    columns(["ID", "STATE", "FROM", "UNTIL", "LEFT", "HOLDS", "REASON"], &rows, width)
}

/// `until Fri 2027-01-01 00:00:00 CET (in 30 d), changes: freeze after the outage`.
pub fn hold_on(line: &HoldLine, when: &When) -> String {
    let hold = &line.hold;
    format!("until {}, {}: {}", when.both(hold.until), held(hold.scope), one_line(&hold.reason))
}

const fn held(scope: HoldScope) -> &'static str {
    match scope {
        HoldScope::Change => "changes",
        HoldScope::All => "all jobs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    #[test]
    fn a_hold_says_since_when_until_when_and_why() {
        let lines: Vec<HoldLine> = serde_json::from_str(
            r#"[{"id": 2, "from": "2026-11-23T11:00:00Z", "until": "2026-11-23T13:00:00Z", "scope": "all", "reason": "own\nwork", "on": true, "uid": 0},
                {"from": "2026-12-01T00:00:00Z", "until": "2027-01-01T00:00:00Z", "reason": "freeze", "on": false}]"#,
        )
        .unwrap();
        let when = When { now: "2026-11-23T12:00:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        let text = strip_str(&holds(&lines, &when, Some(100))).to_string();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1][..4], ["2", "on", "11-23", "11:00"], "{text}");
        assert_eq!(rows[2][..5], ["config", "to", "come", "12-01", "00:00"], "{text}");
        assert!(text.contains("1 h") && text.contains("all jobs") && text.contains("changes"), "{text}");
        assert_eq!(
            hold_on(&lines[0], &when),
            "until Mon 2026-11-23 13:00:00 UTC (in 1 h), all jobs: own work"
        );
    }
}

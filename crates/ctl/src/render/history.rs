//! `mastmaintctl history`: past runs, newest first.

use super::{listed, numbers, tone};
use crate::{
    print::tame,
    table::{Cell, columns},
    when::{self, When},
};
use mastmaint_control::words::{RunLine, RunState};

/// One row a run; the last column says what was counted and why the run did not end well.
pub fn history(runs: &[RunLine], when: &When, width: Option<usize>) -> String {
    let rows: Vec<[Cell; 8]> = runs.iter().map(|run| row(run, when, width)).collect();
    columns(["STARTED", "PASSED", "TOOK", "OUTCOME", "TRIGGER", "JOB", "RUN", "DETAIL"], &rows, width)
}

fn row(run: &RunLine, when: &When, width: Option<usize>) -> [Cell; 8] {
    let begun = run.started.unwrap_or(run.queued);
    let outcome = match run.outcome {
        Some(outcome) => Cell::toned(outcome.as_str(), tone(outcome)),
        None if run.state == RunState::Queued => "queued".into(),
        None => "running".into(),
    };
    let trigger = if run.dry_run { format!("{} (dry)", run.trigger) } else { run.trigger.to_string() };
    let detail: Vec<String> = [run.reason.as_deref().map(tame).unwrap_or_default(), numbers(&run.numbers)]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    [
        listed(when, begun, width).into(),
        when.passed(begun).into(),
        run.took_seconds.map_or_else(|| "-".to_owned(), when::took).into(),
        outcome,
        trigger.into(),
        run.job.as_str().into(),
        run.run.as_str().into(),
        detail.join("; ").replace('\n', " ").into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    #[test]
    fn runs_stand_as_they_came_with_reason_and_numbers() {
        let runs: Vec<RunLine> =
            serde_json::from_str(include_str!("../../tests/replies/history.json")).unwrap();
        let when = When { now: "2026-11-23T12:00:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        assert_eq!(
            strip_str(&history(&runs, &when, None)).to_string(),
            include_str!("../../tests/replies/history.txt")
        );
        let narrow = strip_str(&history(&runs, &when, Some(128))).to_string();
        assert!(narrow.lines().all(|l| l.chars().count() <= 128), "{narrow}");
        assert!(narrow.contains('…'));
    }
}

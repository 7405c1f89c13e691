//! `mastmaintctl show`, and the sentences at the end of a followed step and run.

use super::{graded, numbers};
use crate::{
    print::tame,
    when::{self, When},
};
use mastmaint_control::words::{RunDetail, RunLine, RunState, StepLine};
use mastmaint_words::{Trigger, human};
use std::fmt::Write as _;

/// A run with its steps, verdicts, reasons and numbers.
pub fn run(detail: &RunDetail, when: &When) -> String {
    let run = &detail.run;
    let mut text = format!("{}  {}\n", run.job, run.run);
    let mut field = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<9}{value}");
    };
    field("outcome", ended(run));
    field("trigger", trigger(run, when));
    field("queued", when.both(run.queued));
    if let Some(started) = run.started {
        field("started", when.both(started));
    }
    if let Some(ended) = run.ended {
        field("ended", when.both(ended));
    }
    if let Some(took) = run.took_seconds {
        field("took", when::took(took));
    }
    let counted = numbers(&run.numbers);
    if !counted.is_empty() {
        field("counted", counted);
    }
    field("config", detail.digest.to_string());
    for step in &detail.steps {
        let _ = write!(text, "\n{}. {}\n", step.step, tame(&step.title));
        let _ = writeln!(text, "   {}", step_ended(step));
        for reason in &step.reasons {
            let _ = writeln!(text, "   - {} [{}]", tame(&reason.text), tame(&reason.code));
        }
        let _ = writeln!(text, "   {}", output_line(run, step));
    }
    text
}

/// How a run ended, or where it stands: `partial (read): 3 of 15 items failed`.
pub fn ended(run: &RunLine) -> String {
    let word = match (run.outcome, run.state) {
        (Some(outcome), _) => graded(outcome, run.grade),
        (None, RunState::Queued) => "queued".to_owned(),
        (None, RunState::Running | RunState::Ended) => "running".to_owned(),
    };
    match &run.reason {
        Some(reason) => format!("{word}: {}", tame(reason)),
        None => word,
    }
}

/// How a step ended in one line: `partial (read), exit 0, 4 min 51 s, 489 MB of memory, 15 visited, 3 failed`.
pub fn step_ended(step: &StepLine) -> String {
    let mut parts = vec![step.outcome.map_or_else(|| "running".to_owned(), |o| graded(o, step.grade))];
    parts.extend(step.exit.map(|exit| format!("exit {exit}")));
    parts.extend(step.signal.as_deref().map(|signal| format!("signal {}", tame(signal))));
    parts.push(when::took(step.took_seconds));
    parts.extend(step.peak_rss_bytes.map(|peak| format!("{} of memory", human::bytes(peak))));
    parts.extend(step.space.map(|space| {
        let (before, after) = (human::bytes(space.free_before_bytes), human::bytes(space.free_after_bytes));
        format!("media disk {before} free before, {after} after")
    }));
    let counted = numbers(&step.numbers);
    if !counted.is_empty() {
        parts.push(counted);
    }
    parts.join(", ")
}

fn output_line(run: &RunLine, step: &StepLine) -> String {
    let plural = if step.lines == 1 { "" } else { "s" };
    let amount = format!("{} line{plural} of output, {}", step.lines, human::bytes(step.bytes));
    match (step.bytes, step.output_kept) {
        (0, _) => "no output".to_owned(),
        (_, true) => format!("{amount}: mastmaintctl show {} --output", run.run),
        (_, false) => format!("{amount}, not kept"),
    }
}

fn trigger(run: &RunLine, when: &When) -> String {
    let mut text = match &run.trigger {
        Trigger::Schedule { slot } => format!("schedule, slot {}", when.at(*slot)),
        Trigger::CatchUp { slot } => format!("catch-up of the missed slot {}", when.at(*slot)),
        Trigger::Manual { uid, despite_hold: false } => format!("manual, by uid {uid}"),
        Trigger::Manual { uid, despite_hold: true } => format!("manual, by uid {uid}, in spite of a hold"),
        Trigger::Retry { of, attempt, .. } => format!("retry {attempt} of {of}"),
    };
    if run.dry_run {
        text.push_str(", dry run");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    #[test]
    fn a_run_tells_each_step_and_why() {
        let detail: RunDetail = serde_json::from_str(include_str!("../../tests/replies/show.json")).unwrap();
        let when = When { now: "2026-11-23T12:00:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        assert_eq!(strip_str(&run(&detail, &when)).to_string(), include_str!("../../tests/replies/show.txt"));
    }
}

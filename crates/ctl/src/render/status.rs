//! `mastmaintctl status`: one page about everything.

use super::{ended, hold_on, not_fresh, step_now};
use crate::{
    print::tame,
    table::Tone,
    when::{self, When},
};
use mastmaint_control::words::{BracketLine, JobLine, LedgerStatus, RunLine, SpaceLine, Status};
use mastmaint_words::UnitName;
use mastmaint_words::human;
use std::{cmp::Reverse, fmt::Write as _};

/// A start may be this late before it counts as overdue: the daemon may be in the middle of a reload.
const PATIENCE_SECONDS: i64 = 60;

/// Whether the job that is due next should have begun and neither runs nor waits.
pub fn is_overdue(status: &Status, when: &When) -> bool {
    status.next.as_ref().is_some_and(|next| {
        when.now.as_second() - next.at.as_second() > PATIENCE_SECONDS
            && !status.running.iter().chain(&status.queued).any(|run| run.job == next.job)
    })
}

/// Jobs whose newest run did not end well, the worst first.
fn not_well(jobs: &[JobLine]) -> Vec<&RunLine> {
    let newest = jobs.iter().filter_map(|job| job.last.as_ref());
    let mut bad: Vec<&RunLine> =
        newest.filter(|run| run.outcome.is_some_and(|outcome| !outcome.is_fine())).collect();
    bad.sort_by_key(|run| (Reverse(run.outcome), Reverse(run.ended)));
    bad
}

/// The page, and below it what did not end well.
pub fn status(status: &Status, jobs: &[JobLine], when: &When) -> String {
    let mut text = format!("mastmaintd {}: {}\n", tame(&status.daemon), tame(&status.sentence));
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<9}{value}");
    };
    field("process", &format!("{}, since {}", status.pid, when.both(status.since)));
    let config = &status.config;
    field(
        "config",
        &format!(
            "{} ({}), in force since {}",
            config.path.display(),
            config.digest.as_str().get(..8).unwrap_or_default(),
            when.both(config.since)
        ),
    );
    for warning in &config.warnings {
        field("", &format!("{} {}", Tone::Odd.paint("warning:"), tame(warning)));
    }
    if !config.refused.is_empty() {
        field("", &Tone::Bad.paint("a newer version was refused; mend it and run `mastmaintctl reload`:"));
        for mistake in &config.refused {
            for line in tame(mistake).lines() {
                field("", line);
            }
        }
    }
    match &status.ledger {
        LedgerStatus::Recording => field("ledger", "recording"),
        LedgerStatus::NotRecording { why } => {
            field("ledger", &format!("{}: {}", Tone::Bad.paint("not recording"), tame(why)));
        }
    }
    if status.journal_lost > 0 {
        let lost = format!("{} entries could not be written", status.journal_lost);
        field("journal", &Tone::Odd.paint(&lost));
    }
    for hold in &status.holds {
        field("hold", &Tone::Odd.paint(&hold_on(hold, when)));
    }
    for approval in &status.approvals {
        let until = when.both(approval.until);
        let text = format!("{} {}, {}", approval.job, approval.run, tame(&approval.why));
        field("approve", &Tone::Odd.paint(&text));
        field("", &format!("start it with `mastmaintctl approve {}` until {until}", approval.run));
    }
    if let Some(space) = &status.space {
        field("disk", &disk(space, when));
    }
    for (position, line) in super::incidents::probes(&status.probes, when).into_iter().enumerate() {
        field(if position == 0 { "probes" } else { "" }, &line);
    }
    for bracket in &status.brackets {
        field("stopped", &stopped(bracket, when));
    }
    if let Some(next) = &status.next {
        let overdue = if is_overdue(status, when) { Tone::Bad.paint(" overdue") } else { String::new() };
        field("next", &format!("{} {}{overdue}", next.job, when.both(next.at)));
    }
    for late in &status.overdue {
        let slot = format!("{}: nothing has begun for {}", late.job, when.both(late.slot));
        field("overdue", &Tone::Bad.paint(&slot));
    }
    for late in &status.overdue_backups {
        field("backup", &Tone::Bad.paint(&format!("{}: {}", late.backup, not_fresh(late, when))));
    }
    for target in &status.notify {
        let Some(why) = &target.failing else { continue };
        let text = format!(
            "{} ({}): {}; messages that wait: {}",
            target.target,
            target.kind,
            tame(why),
            target.waiting
        );
        field("notify", &Tone::Bad.paint(&text));
    }
    for run in &status.running {
        field("running", &current(run));
        for line in run.step.iter().flat_map(|step| step_now(step, when)) {
            field("", &line);
        }
    }
    for run in &status.queued {
        field("queued", &current(run));
        if let Some(wait) = &run.waits_for {
            field("", &format!("it is skipped if it still waits at {}", when.both(wait.until)));
        }
    }
    let bad = not_well(jobs);
    if !bad.is_empty() {
        text.push_str("\nDid not end well when they last ran:\n");
    }
    for run in bad {
        let at = when.passed(run.ended.unwrap_or(run.queued));
        let _ = writeln!(text, "  {} {at}: {}", run.job, ended(run).replace('\n', " "));
        let _ = writeln!(text, "    mastmaintctl show {} --output", run.run);
    }
    text
}

/// `30 GB of 100 GB free where media are, seen 11 h ago, 2 GB less than 7 d before`: information, no judgement.
fn disk(space: &SpaceLine, when: &When) -> String {
    let mut text = format!(
        "{} of {} free where media are, seen {}",
        human::bytes(space.free_bytes),
        human::bytes(space.total_bytes),
        when.passed(space.at)
    );
    if let (Some(earlier), Some(at)) = (space.earlier_free_bytes, space.earlier_at) {
        let change = match (space.free_bytes.checked_sub(earlier), earlier.checked_sub(space.free_bytes)) {
            (Some(0), _) => "as much as".to_owned(),
            (Some(more), _) => format!("{} more than", human::bytes(more)),
            (None, less) => format!("{} less than", human::bytes(less.unwrap_or(0))),
        };
        let before =
            human::between(at, space.at).map_or_else(String::new, |gone| format!("{} ", human::span(gone)));
        let _ = write!(text, ", {change} {before}before");
    }
    text
}

fn stopped(bracket: &BracketLine, when: &When) -> String {
    let units: Vec<&str> = bracket.units.iter().map(UnitName::as_str).collect();
    let text =
        format!("{} by {} {}, {}", units.join(" "), bracket.job, bracket.run, when.both(bracket.since));
    match &bracket.not_confirmed {
        None => text,
        Some(why) => format!("{text}; {}", Tone::Bad.paint(&format!("not back: {}", tame(why)))),
    }
}

fn current(run: &RunLine) -> String {
    let mut text = format!("{} {}", run.job, run.run);
    if let Some(took) = run.took_seconds {
        let _ = write!(text, ", for {}", when::took(took));
    }
    if let Some(reason) = &run.reason {
        let _ = write!(text, ", {}", tame(reason));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    fn sample() -> Status {
        serde_json::from_str(include_str!("../../tests/replies/status.json")).unwrap()
    }

    fn jobs() -> Vec<JobLine> {
        serde_json::from_str(include_str!("../../tests/replies/jobs.json")).unwrap()
    }

    #[test]
    fn what_did_not_end_well_is_named_the_worst_first() {
        let jobs = jobs();
        let named: Vec<_> = not_well(&jobs).into_iter().map(|run| run.job.as_str()).collect();
        assert_eq!(named, ["clean-previews", "rebuild-feeds"]);
        assert!(!status(&sample(), &jobs[..1], &at("2026-11-23T12:00:00Z")).contains("Did not end well"));
    }

    fn at(now: &str) -> When {
        When { now: now.parse().unwrap(), zone: jiff::tz::TimeZone::UTC }
    }

    #[test]
    fn the_page_says_what_a_person_asks_first() {
        let listed = jobs();
        assert_eq!(
            strip_str(&status(&sample(), &listed, &at("2026-11-23T12:00:00Z"))).to_string(),
            include_str!("../../tests/replies/status.txt")
        );
    }

    #[test]
    fn a_job_is_overdue_a_minute_after_its_time_unless_it_runs_or_waits() {
        let mut page = sample();
        page.running.clear();
        assert!(!is_overdue(&page, &at("2026-11-24T00:31:00Z")));
        assert!(is_overdue(&page, &at("2026-11-24T00:31:01Z")));
        assert!(status(&page, &[], &at("2026-11-24T00:31:01Z")).contains("overdue"));
        page.queued = sample().running;
        page.queued[0].job = page.next.as_ref().unwrap().job.clone();
        assert!(!is_overdue(&page, &at("2026-11-24T00:31:01Z")));
    }
}

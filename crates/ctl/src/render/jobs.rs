//! `mastmaintctl jobs`, like `systemctl list-timers`.

use super::{hold_on, listed, tone};
use crate::{
    print::tame,
    table::{Cell, Tone, columns},
    when::When,
};
use mastmaint_control::words::{HoldLine, JobLine, RunState};
use std::fmt::Write as _;

const NOTHING: &str = "-";

/// Jobs by their next start, then what is paused, then the runbooks; each with how its newest run went.
pub fn jobs(jobs: &[JobLine], when: &When, width: Option<usize>) -> String {
    let mut sorted: Vec<&JobLine> = jobs.iter().collect();
    sorted.sort_by_key(|job| (job.paused, job.next.is_none(), job.next, job.job.clone()));
    let rows: Vec<[Cell; 7]> = sorted.into_iter().map(|job| row(job, when, width)).collect();
    let mut text = columns(["NEXT", "LEFT", "LAST", "PASSED", "OUTCOME", "JOB", "ABOUT"], &rows, width);
    let plural = if jobs.len() == 1 { "" } else { "s" };
    let _ = write!(text, "\n{} job{plural}.\n", jobs.len());
    text.push_str(&waits(jobs, when));
    text.push_str(&held(jobs, when));
    text
}

/// Who waits for whom.
fn waits(jobs: &[JobLine], when: &When) -> String {
    let mut text = String::new();
    for run in jobs.iter().filter_map(|job| job.current.as_ref()) {
        if let (Some(wait), Some(why)) = (&run.waits_for, &run.reason) {
            let _ = writeln!(text, "{} {}, until {}.", run.job, tame(why), when.both(wait.until));
        }
    }
    text
}

/// Which jobs do not run, and until when.
fn held(jobs: &[JobLine], when: &When) -> String {
    let mut on: Vec<(&HoldLine, Vec<&str>)> = Vec::new();
    for (hold, job) in jobs.iter().filter_map(|job| Some((job.held.as_ref()?, job.job.as_str()))) {
        match on.iter_mut().find(|(known, _)| *known == hold) {
            Some((_, held)) => held.push(job),
            None => on.push((hold, vec![job])),
        }
    }
    let mut text = String::new();
    for (hold, held) in on {
        let _ = writeln!(text, "On hold {}. Not run: {}.", hold_on(hold, when), held.join(", "));
    }
    text
}

fn row(job: &JobLine, when: &When, width: Option<usize>) -> [Cell; 7] {
    let retry = job.retry.map(|attempt| format!(" (retry {attempt})")).unwrap_or_default();
    let (next, left) = match (job.paused, &job.schedule, job.next) {
        (true, ..) => ("paused".to_owned(), NOTHING.to_owned()),
        (false, _, Some(next)) => (format!("{}{retry}", listed(when, next, width)), when.left(next)),
        (false, None, None) => ("by hand".to_owned(), NOTHING.to_owned()),
        (false, Some(_), None) => (NOTHING.to_owned(), NOTHING.to_owned()),
    };
    // LAST, PASSED and OUTCOME are of one run: the one that goes on, else the newest that is over.
    let newest = job.current.as_ref().or(job.last.as_ref());
    let begun = newest.map(|run| run.started.unwrap_or(run.queued));
    let outcome = match (&job.current, job.last.as_ref().and_then(|last| last.outcome)) {
        (Some(run), _) if run.state == RunState::Running => Cell::toned("running", Tone::Plain),
        (Some(_), _) => Cell::toned("queued", Tone::Plain),
        (None, Some(outcome)) => Cell::toned(outcome.as_str(), tone(outcome)),
        (None, None) => NOTHING.into(),
    };
    [
        next.into(),
        left.into(),
        begun.map_or(NOTHING.to_owned(), |at| listed(when, at, width)).into(),
        begun.map_or(NOTHING.to_owned(), |at| when.passed(at)).into(),
        outcome,
        job.job.as_str().into(),
        job.description.as_deref().map(one_line).unwrap_or_default().into(),
    ]
}

/// A description may be folded over several lines of YAML; a column has one.
fn one_line(text: &str) -> String {
    tame(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;
    use mastmaint_control::words::WaitLine;

    fn sample() -> Vec<JobLine> {
        serde_json::from_str(include_str!("../../tests/replies/jobs.json")).unwrap()
    }

    fn when() -> When {
        When { now: "2026-11-23T12:00:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC }
    }

    #[test]
    fn the_next_job_stands_first_and_runbooks_last() {
        assert_eq!(
            strip_str(&jobs(&sample(), &when(), None)).to_string(),
            include_str!("../../tests/replies/jobs.txt")
        );
    }

    #[test]
    fn a_terminal_cuts_the_descriptions_and_a_narrow_one_shortens_the_times() {
        for (width, file) in [
            (150, include_str!("../../tests/replies/jobs-150.txt")),
            (100, include_str!("../../tests/replies/jobs-100.txt")),
        ] {
            let text = strip_str(&jobs(&sample(), &when(), Some(width))).to_string();
            assert!(text.lines().all(|l| l.chars().count() <= width), "{text}");
            assert_eq!(text, file);
        }
    }

    #[test]
    fn who_waits_and_what_is_held_stand_below() {
        let mut jobs = sample();
        jobs.truncate(3);
        let [first, second, third] = jobs.as_mut_slice() else { panic!("three jobs") };
        let mut run = first.last.clone().unwrap();
        run.job = "clean-cards".parse().unwrap();
        run.reason = Some("waits for the lock mastodon, held by clean-media (R)".to_owned());
        run.waits_for = Some(WaitLine {
            lock: Some("mastodon".parse().unwrap()),
            job: "clean-media".parse().unwrap(),
            run: run.run.clone(),
            running: true,
            until: "2026-11-23T14:00:00Z".parse().unwrap(),
        });
        first.current = Some(run);
        let hold: HoldLine = serde_json::from_str(
            r#"{"from": "2026-11-23T11:00:00Z", "until": "2026-11-23T13:00:00Z", "reason": "freeze", "on": true}"#,
        )
        .unwrap();
        (second.held, third.held) = (Some(hold.clone()), Some(hold));
        let (second, third) = (second.job.clone(), third.job.clone());
        let text = super::jobs(&jobs, &when(), None);
        let below: Vec<&str> = text.split("3 jobs.\n").nth(1).unwrap().lines().collect();
        assert_eq!(
            below,
            [
                "clean-cards waits for the lock mastodon, held by clean-media (R), until Mon 2026-11-23 14:00:00 UTC (in 2 h).".to_owned(),
                format!("On hold until Mon 2026-11-23 13:00:00 UTC (in 1 h), changes: freeze. Not run: {second}, {third}."),
            ]
        );
    }

    #[test]
    fn a_failure_is_red() {
        assert!(jobs(&sample(), &when(), None).contains("\u{1b}[1;31mfailed\u{1b}[0m"));
    }

    #[test]
    fn no_jobs_are_said_to_be_none() {
        assert!(jobs(&[], &when(), Some(80)).ends_with("\n0 jobs.\n"));
    }
}

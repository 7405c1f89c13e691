//! The words of a message. Pure: what is known in, a notice out.

use super::policy::{Late, Say, Trouble};
use jiff::{Timestamp, tz::TimeZone};
use mastmaint_ledger::{RunRecord, RunWithSteps, StepRecord};
use mastmaint_runner::protocol::Notice;
use mastmaint_words::{JobName, Occasion, Outcome, human};
use std::fmt::Write as _;

/// So many of the last lines of output are in a message.
const LAST_LINES: usize = 15;
/// A line is cut to so many characters.
const WIDEST: usize = 300;

/// What is known when a message is written.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The instance's host, else this one's: which server it is about.
    pub(super) site: String,
    /// The zone of people.
    pub(super) zone: TimeZone,
    /// When it is written.
    pub(super) now: Timestamp,
}

/// What is known of a run.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// As the ledger has it.
    pub(super) run: Option<RunWithSteps>,
    /// The kept output of its worst step, redacted.
    pub(super) output: Option<String>,
}

impl Surroundings {
    /// `[social.example] …`.
    pub(super) fn subject(&self, what: &str) -> String {
        format!("[{}] {what}", self.site)
    }

    /// `Tue 24 Nov 00:31`.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%a %-d %b %H:%M").to_string()
    }

    /// A message. What it is made of was redacted in the rooms; the notify room does it once more.
    pub(super) fn notice(&self, occasion: Occasion, subject: &str, text: &str) -> Notice {
        let notice = Notice {
            occasion,
            at: self.now,
            job: None,
            run: None,
            outcome: None,
            code: None,
            subject: subject.to_owned(),
            text: text.to_owned(),
        };
        notice.fitting()
    }
}

/// The message for something to tell about a job.
pub(super) fn compose(around: &Surroundings, job: &JobName, say: &Say, known: &Known) -> Notice {
    let run = known.run.as_ref().map(|run| &run.run);
    let (headline, mut text) = match say {
        Say::Trouble { trouble, again } => trouble_words(around, job, trouble, *again, run),
        Say::Overdue { late, again } => overdue_words(around, job, *late, *again),
        Say::Recovered { since, runs, .. } => recovered_words(around, job, *since, *runs),
    };
    if let Some(run) = &known.run {
        steps(&mut text, run);
    }
    if let (Some(output), Say::Trouble { .. }) = (&known.output, say) {
        last_lines(&mut text, output);
    }
    closer(&mut text, job, say);
    let code = match say {
        Say::Trouble { trouble, .. } => Some(trouble.code.clone()),
        Say::Overdue { .. } | Say::Recovered { .. } => None,
    };
    let run_id = match say {
        Say::Trouble { trouble, .. } => Some(trouble.run.clone()),
        Say::Recovered { run, .. } => Some(run.clone()),
        Say::Overdue { .. } => None,
    };
    Notice {
        job: Some(job.clone()),
        run: run_id,
        outcome: run.and_then(|run| run.outcome),
        code,
        ..around.notice(say.occasion(), &around.subject(&headline), &text)
    }
}

fn trouble_words(
    around: &Surroundings,
    job: &JobName,
    trouble: &Trouble,
    again: bool,
    run: Option<&RunRecord>,
) -> (String, String) {
    let why = run.and_then(|run| run.reason.as_ref()).map(|reason| reason.text.clone());
    let why = why.unwrap_or_else(|| trouble.code.clone());
    let did = match (trouble.occasion, run.and_then(|run| run.outcome)) {
        (Occasion::Partial, _) => "did only a part of its work",
        (Occasion::NeedsApproval, _) => "needs approval",
        (_, Some(Outcome::TimedOut)) => "reached its time limit",
        (_, Some(Outcome::Interrupted)) => "was interrupted",
        _ => "failed",
    };
    let mut text = format!("{job} {did}.\n{why}\n\n");
    if trouble.runs > 1 {
        let since = around.clock(trouble.since);
        let _ = writeln!(text, "{} runs in a row did not end well, since {since}.", trouble.runs);
    }
    if let Some(run) = run {
        let _ = writeln!(text, "{}", when(around, run));
    }
    let still = if again { " (still)" } else { "" };
    (format!("{job} {did}{still}: {why}"), text)
}

fn overdue_words(around: &Surroundings, job: &JobName, late: Late, again: bool) -> (String, String) {
    let slot = around.clock(late.slot);
    let still = if again { "still overdue" } else { "overdue" };
    let headline = format!("{job} is {still}: nothing has begun for {slot}");
    let text = format!(
        "{job} should have begun at {slot} and did not. It may wait for a lock, its room may not open, an earlier run \
         may stand still, or this host was off and the job has no catch_up.\n"
    );
    (headline, text)
}

fn recovered_words(around: &Surroundings, job: &JobName, since: Timestamp, runs: u32) -> (String, String) {
    let past = match runs {
        0 => format!("it was overdue since {}", around.clock(since)),
        1 => format!("1 run since {} was not", around.clock(since)),
        many => format!("{many} runs since {} were not", around.clock(since)),
    };
    (format!("{job} is well again"), format!("{job} is well again; {past}.\n"))
}

/// `Run 20261124T…, by schedule, from Tue 24 Nov 00:31 to 00:36, 4 min 51 s.`
fn when(around: &Surroundings, run: &RunRecord) -> String {
    let mut text = format!("Run {} ({})", run.id, run.trigger.as_str());
    if let (Some(started), Some(ended)) = (run.started, run.ended) {
        let took = ended.duration_since(started).try_into().unwrap_or_default();
        let _ = write!(text, " began {} and took {}", around.clock(started), human::took(took));
    }
    text.push('.');
    text
}

fn steps(text: &mut String, run: &RunWithSteps) {
    if run.steps.is_empty() {
        return;
    }
    text.push_str("\nSteps:\n");
    for step in &run.steps {
        let Some(end) = &step.end else { continue };
        let _ = writeln!(text, "  {} {}: {}", step.key.step, step.title, end.verdict);
        for reason in end.verdict.reasons.iter().skip(1) {
            let _ = writeln!(text, "      {}", reason.text);
        }
    }
}

fn last_lines(text: &mut String, output: &str) {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    if last.is_empty() {
        return;
    }
    text.push_str("\nThe last lines of its output:\n");
    for line in last {
        let shown: String = line.chars().take(WIDEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(text, "  {shown}");
    }
}

/// What to type next.
fn closer(text: &mut String, job: &JobName, say: &Say) {
    match say {
        Say::Trouble { trouble, .. } => {
            let run = &trouble.run;
            if trouble.occasion == Occasion::NeedsApproval {
                let _ = write!(text, "\nTo let it do so, within a day:\n  mastmaintctl approve {run}\n");
            }
            let _ = write!(
                text,
                "\nTo look closer:\n  mastmaintctl show {run} --output\nTo be reminded no more of this:\n  mastmaintctl ack {job}\n"
            );
        }
        Say::Overdue { .. } => {
            let _ = write!(
                text,
                "\nTo look closer:\n  mastmaintctl status\n  mastmaintctl history {job}\nTo be reminded no more of this:\n  mastmaintctl ack {job}\n"
            );
        }
        Say::Recovered { run, .. } => {
            let _ = write!(text, "\nTo look closer:\n  mastmaintctl show {run}\n");
        }
    }
}

/// The step whose output says most: the worst, and of those the first.
pub(super) fn worst(run: &RunWithSteps) -> Option<&StepRecord> {
    let ended = run.steps.iter().filter(|step| step.output_kept);
    ended.rev().max_by_key(|step| step.end.as_ref().map(|end| end.verdict.outcome))
}

/// A run of which only the end is known.
pub(super) fn bare(run: &RunRecord) -> RunWithSteps {
    RunWithSteps { run: run.clone(), steps: Vec::new() }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;

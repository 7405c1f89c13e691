//! The commands that only look: `status`, `jobs`, `history`, `show`.

use crate::{
    client::{Daemon, understood},
    error::CtlError,
    exit, print, render,
    when::When,
};
use mastmaint_control::words::{
    IncidentLine, JobLine, LedgerStatus, ProbeState, Reply, Request, RunDetail, RunLine, SpaceLine, Status,
    VERSION,
};
use mastmaint_words::{JobName, StepIndex};
use serde::Serialize;
use std::time::Duration;

/// A piece of kept output comes from the disk; this is long for one.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(30);

/// Every listing says which version of the format it is.
#[derive(Serialize)]
struct Versioned<T> {
    version: u16,
    #[serde(flatten)]
    listing: T,
}

pub(crate) fn print_json(listing: impl Serialize) -> Result<(), CtlError> {
    Ok(print::json(&Versioned { version: VERSION, listing })?)
}

#[derive(Serialize)]
struct Jobs {
    jobs: Vec<JobLine>,
}

#[derive(Serialize)]
struct Runs {
    runs: Vec<RunLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<SpaceLine>,
}

#[derive(Serialize)]
struct Incidents {
    incidents: Vec<IncidentLine>,
}

#[derive(Serialize)]
struct StatusPage<'a> {
    #[serde(flatten)]
    status: &'a Status,
    overdue: bool,
}

#[derive(Serialize)]
struct RunWithOutput<'a> {
    #[serde(flatten)]
    run: &'a RunDetail,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Vec<StepOutput>>,
}

#[derive(Serialize)]
struct StepOutput {
    step: StepIndex,
    text: String,
}

pub(crate) fn status(daemon: &Daemon, when: &When, json: bool) -> Result<u8, CtlError> {
    let Reply::Status(status) = daemon.ask(&Request::Status)? else {
        return Err(CtlError::BadReply);
    };
    let overdue = render::is_overdue(&status, when)
        || !(status.overdue.is_empty() && status.overdue_backups.is_empty());
    if json {
        print_json(StatusPage { status: &status, overdue })?;
    } else {
        // What the sentence only counts ("and 6 more") is named below the page.
        let Reply::Jobs { jobs } = daemon.ask(&Request::Jobs)? else {
            return Err(CtlError::BadReply);
        };
        print::data(&render::status(&status, &jobs, when))?;
    }
    let is_up = status.probes.iter().all(|probe| probe.state != ProbeState::Down);
    let is_back = status.brackets.iter().all(|bracket| bracket.not_confirmed.is_none());
    let is_whole =
        is_up && is_back && status.config.refused.is_empty() && status.ledger == LedgerStatus::Recording;
    Ok(match (overdue, is_whole) {
        (true, _) => exit::OVERDUE,
        (false, false) => exit::NOT_FINE,
        (false, true) => exit::FINE,
    })
}

pub(crate) fn jobs(daemon: &Daemon, when: &When, json: bool) -> Result<u8, CtlError> {
    let Reply::Jobs { jobs } = daemon.ask(&Request::Jobs)? else {
        return Err(CtlError::BadReply);
    };
    if json {
        print_json(Jobs { jobs })?;
    } else {
        print::data(&render::jobs(&jobs, when, print::width()))?;
    }
    Ok(exit::FINE)
}

pub(crate) fn history(
    daemon: &Daemon,
    when: &When,
    job: Option<JobName>,
    limit: u32,
    json: bool,
) -> Result<u8, CtlError> {
    let Reply::History { runs, space } = daemon.ask(&Request::History { job, limit })? else {
        return Err(CtlError::BadReply);
    };
    if json {
        print_json(Runs { runs, space })?;
    } else if runs.is_empty() {
        print::talk("nothing has run yet");
    } else {
        print::data(&render::history(&runs, when, print::width()))?;
    }
    Ok(exit::FINE)
}

pub(crate) fn incidents(daemon: &Daemon, when: &When, limit: u32, json: bool) -> Result<u8, CtlError> {
    let Reply::Incidents { incidents } = daemon.ask(&Request::Incidents { limit })? else {
        return Err(CtlError::BadReply);
    };
    if json {
        print_json(Incidents { incidents })?;
    } else if incidents.is_empty() {
        print::talk("no probe has said no yet");
    } else {
        print::data(&render::incidents(&incidents, when, print::width()))?;
    }
    Ok(exit::FINE)
}

pub(crate) fn show(
    daemon: &Daemon,
    when: &When,
    run: &str,
    output: bool,
    json: bool,
) -> Result<u8, CtlError> {
    let Reply::Run(detail) = daemon.ask(&Request::Show { run: run.to_owned() })? else {
        return Err(CtlError::BadReply);
    };
    match (json, output) {
        (true, _) => {
            let output = output.then(|| kept_output(daemon, &detail)).transpose()?;
            print_json(RunWithOutput { run: &detail, output })?;
        }
        (false, false) => print::data(&render::run(&detail, when))?,
        (false, true) => print_output(daemon, &detail)?,
    }
    Ok(exit::FINE)
}

/// The kept output of every step that has one, for JSON.
fn kept_output(daemon: &Daemon, detail: &RunDetail) -> Result<Vec<StepOutput>, CtlError> {
    let mut all = Vec::new();
    for step in detail.steps.iter().filter(|s| s.output_kept) {
        let mut text = String::new();
        each_piece(daemon, detail, step.step, |piece| {
            text.push_str(piece);
            Ok(())
        })?;
        all.push(StepOutput { step: step.step, text });
    }
    Ok(all)
}

fn print_output(daemon: &Daemon, detail: &RunDetail) -> Result<(), CtlError> {
    for step in &detail.steps {
        let kept = if step.output_kept { "" } else { " (no output is kept)" };
        print::talk(&format!("-- step {}: {}{kept}", step.step, print::tame(&step.title)));
        if !step.output_kept {
            continue;
        }
        let mut last = '\n';
        each_piece(daemon, detail, step.step, |piece| {
            last = piece.chars().next_back().unwrap_or(last);
            // Into a file goes what was printed; a terminal gets nothing that it would obey.
            let shown = if print::width().is_some() { print::tame(piece) } else { piece.to_owned() };
            Ok(print::data(&shown)?)
        })?;
        if last != '\n' {
            print::data("\n")?;
        }
    }
    Ok(())
}

fn each_piece(
    daemon: &Daemon,
    detail: &RunDetail,
    step: StepIndex,
    mut take: impl FnMut(&str) -> Result<(), CtlError>,
) -> Result<(), CtlError> {
    let request = Request::Output { run: detail.run.run.clone(), step };
    let mut client = daemon.connect(&request, Some(OUTPUT_PATIENCE))?;
    for reply in client.stream(&request)? {
        match understood(reply?)? {
            Reply::Output { text } => take(&text)?,
            Reply::Done => return Ok(()),
            _ => return Err(CtlError::BadReply),
        }
    }
    Err(CtlError::BadReply)
}

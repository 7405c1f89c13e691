//! The commands that change something: `run`, `approve`, `cancel`, `pause`, `resume`, `reload`.

use crate::{client::Daemon, error::CtlError, exit, follow, print, render};
use mastmaint_control::words::{Reply, Request};
use mastmaint_words::JobName;

/// How a job is run by hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) follow: bool,
    pub(crate) dry_run: bool,
    pub(crate) despite_hold: bool,
}

pub(crate) fn run(daemon: &Daemon, job: JobName, how: How) -> Result<u8, CtlError> {
    let How { follow, dry_run, despite_hold } = how;
    // Before the run exists: a Ctrl-C from here on must find somebody who says what became of it.
    let detach = follow.then(follow::Detach::prepare).transpose()?;
    let name = job.to_string();
    queued(daemon, &Request::Run { job, dry_run, despite_hold }, &name, detach)
}

pub(crate) fn approve(daemon: &Daemon, run: String, follow: bool) -> Result<u8, CtlError> {
    let detach = follow.then(follow::Detach::prepare).transpose()?;
    let name = run.clone();
    queued(daemon, &Request::Approve { run }, &name, detach)
}

/// Asks for a run and tells its id, or follows it.
fn queued(
    daemon: &Daemon,
    request: &Request,
    name: &str,
    detach: Option<follow::Detach>,
) -> Result<u8, CtlError> {
    let asked = daemon.ask(request)?;
    let Reply::Queued { run, waits_for, already, unrecorded, over } = asked else {
        return Err(CtlError::BadReply);
    };
    if already && detach.is_none() {
        return Err(CtlError::Refused {
            code: "already-running".to_owned(),
            message: format!("{name} runs or waits already as {run}; see `mastmaintctl show {run}`"),
        });
    }
    if unrecorded {
        print::talk(
            "the ledger cannot be written: `show` and `history` will not know this run, the journal does",
        );
    }
    if let Some(over) = over {
        if detach.is_none() {
            print::data(&format!("{run}\n"))?;
        }
        print::talk(&format!("run {run} {}", render::ended(&over)));
        return Ok(over.outcome.map_or(exit::NOT_FINE, exit::of));
    }
    let wait = waits_for.map(|why| format!("; it {}", print::tame(&why))).unwrap_or_default();
    if let Some(detach) = detach {
        let state = if already { "runs or waits already; this follows it" } else { "is queued" };
        print::talk(&format!("run {run} {state}{wait}"));
        detach.watch(&run)?;
        return follow::follow(daemon, &run);
    }
    print::data(&format!("{run}\n"))?;
    print::talk(&format!("queued{wait}; see how it goes with `mastmaintctl show {run}`"));
    Ok(exit::FINE)
}

pub(crate) fn cancel(daemon: &Daemon, run: String) -> Result<u8, CtlError> {
    let sentence = format!("{run} is being cancelled; `mastmaintctl show {run}` tells when it is over");
    done(daemon, &Request::Cancel { run }, &sentence)
}

pub(crate) fn pause(daemon: &Daemon, job: JobName) -> Result<u8, CtlError> {
    let sentence = format!("{job} is paused until `mastmaintctl resume {job}`; what runs of it goes on");
    done(daemon, &Request::Pause { job }, &sentence)
}

pub(crate) fn resume(daemon: &Daemon, job: JobName) -> Result<u8, CtlError> {
    let sentence = format!("{job} runs by its schedule again");
    done(daemon, &Request::Resume { job }, &sentence)
}

pub(crate) fn reload(daemon: &Daemon) -> Result<u8, CtlError> {
    match daemon.ask(&Request::Reload)? {
        Reply::Reloaded { digest, warnings } => {
            for warning in warnings {
                print::talk(&format!("warning: {}", print::tame(&warning)));
            }
            print::talk(&format!("configuration {digest} is in force"));
            Ok(exit::FINE)
        }
        Reply::ReloadRefused { mistakes } => {
            for mistake in &mistakes {
                print::talk(&print::tame(mistake));
            }
            Err(CtlError::BadConfig(format!(
                "the new configuration was refused and the old one stays in force ({}); mend it and reload again",
                count(mistakes.len(), "mistake")
            )))
        }
        _ => Err(CtlError::BadReply),
    }
}

pub(crate) fn done(daemon: &Daemon, request: &Request, sentence: &str) -> Result<u8, CtlError> {
    match daemon.ask(request)? {
        Reply::Done => {
            print::talk(sentence);
            Ok(exit::FINE)
        }
        _ => Err(CtlError::BadReply),
    }
}

/// `1 mistake`, `3 mistakes`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

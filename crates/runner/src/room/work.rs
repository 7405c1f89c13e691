//! Working on a step: it is run to its end whoever listens, its outcome is made durable before it is said, and the
//! runner stays a little for those who want to forget it.

use super::around;
use super::client::{self, Desk};
use super::connection::{Connection, refused};
use super::hub::{Hub, Linger};
use super::orphans;
use super::plan::{DONE, NOTHING_TO_DO, Process, Work};
use crate::exec::{Orders, Sink};
use crate::protocol::{EndingCause, EventKind, Op, StepReport};
use crate::step_dir::{Child, StepDir};
use base64::Engine;
use jiff::Timestamp;
use mastmaint_failpoints::failpoint;
use mastmaint_words::{Grade, Outcome, Reason, Span, StepKey, Verdict, backup};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io::{self, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a finished step waits to be forgotten.
const LINGER: Duration = Duration::from_secs(10);
/// How long clients have to take the last words.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long it is tried to write an outcome for which there is no room.
const WRITE_AGAIN: Duration = Duration::from_mins(10);

/// A step that is begun: its start is durable and its socket is there.
pub(super) struct Begun {
    pub(super) key: StepKey,
    pub(super) dir: StepDir,
    pub(super) listener: UnixListener,
    pub(super) work: Work,
}

/// Runs the step and serves everybody who asks for it, first of all the client that started it.
pub(super) fn work(begun: Begun, first: Connection, op: &Op) -> io::Result<()> {
    let Begun { key, dir, listener, work } = begun;
    let hub = Arc::new(Hub::default());
    let (orders, mut receiver) = Orders::new()?;
    heed_signals(&hub, orders.clone())?;
    let desk = Desk { key: key.clone(), hub: Arc::clone(&hub), orders };
    client::seat(&desk, first, Some(op));
    client::accept_all(desk, listener);
    let mut sink = Keeper { hub: &hub, dir: &dir, copy: Vec::new() };
    let report = match work {
        Work::Settled(verdict) => settled(key, verdict),
        Work::Run(process) => {
            let mut run = || around::run(key.clone(), &process, &mut receiver, &mut sink);
            let mut report = run();
            if process.is_last && is_of_others(&report) && !hub.is_stopping() {
                let (started, before) = (report.started, report.took);
                let again = run();
                report = StepReport { started, took: Span::new(before.get() + again.took.get()), ..again };
            }
            report.backup = left_behind(&process, &report);
            if report.signal.is_some() {
                tidy(&process);
            }
            report
        }
        Work::Services(end) => {
            let (started, clock) = (Timestamp::now(), Instant::now());
            let verdict = end.act(&mut sink, &|| hub.is_stopping());
            StepReport { started, took: Span::new(clock.elapsed()), ..settled(key, verdict) }
        }
        Work::Flush(flush) => {
            let (started, clock) = (Timestamp::now(), Instant::now());
            let verdict = flush.act(&mut sink, &|| hub.is_stopping());
            StepReport { started, took: Span::new(clock.elapsed()), ..settled(key, verdict) }
        }
        Work::Guard(part) => {
            let (started, clock) = (Timestamp::now(), Instant::now());
            let verdict = part.act(&mut sink);
            StepReport { started, took: Span::new(clock.elapsed()), ..settled(key, verdict) }
        }
    };
    let report = fitting(report);
    failpoint!("step.before-outcome");
    let copy = std::mem::take(&mut sink.copy);
    let kept = dir.finish(&report, &hub.recorded(), &copy);
    failpoint!("step.outcome");
    hub.finish(report.clone());
    if let Err(error) = kept {
        write_again(&hub, &dir, &report, &error);
    }
    say_goodbye(&hub, dir);
    Ok(())
}

/// Whether somebody else killed it: the kernel for memory, a person by mistake. What we kill is cancelled or timed out.
fn is_of_others(report: &StepReport) -> bool {
    let is_ours = matches!(report.verdict.outcome, Outcome::Cancelled | Outcome::TimedOut);
    report.signal.as_deref() == Some("SIGKILL") && !is_ours
}

/// What a verification came to; nothing if it did not come to its end.
fn left_behind(process: &Process, report: &StepReport) -> Option<Box<backup::Report>> {
    let is_whole = report.verdict.grade == Grade::Proved;
    let leaves = process.leaves.as_ref().filter(|_| is_whole)?;
    Some(Box::new(leaves()?.in_short()))
}

/// Removes what a process has left that was killed half done.
pub(super) fn tidy(process: &Process) {
    let Some(tidies) = &process.tidies else { return };
    let done = Command::new(&tidies.program)
        .args(&tidies.args)
        .env_clear()
        .envs(&tidies.environment)
        .current_dir(&tidies.directory)
        .stdin(Stdio::null())
        .output();
    match done {
        Ok(done) if matches!(done.status.code(), Some(DONE | NOTHING_TO_DO)) => {}
        // The step is over all the same; the next one of its kind removes it.
        Ok(done) => complain(String::from_utf8_lossy(&done.stderr).trim()),
        Err(error) => complain(&format!("{} cannot be started: {error}", tidies.program.display())),
    }
}

/// A step that is settled without a process.
pub(super) fn settled(key: StepKey, verdict: Verdict) -> StepReport {
    let now = Timestamp::now();
    StepReport {
        key,
        verdict,
        started: now,
        ended: now,
        took: Span::default(),
        exit: None,
        signal: None,
        lines: 0,
        bytes: 0,
        omitted: 0,
        peak_rss_bytes: None,
        space: None,
        backup: None,
    }
}

/// TERM and INT end the step, because its room is being stopped; a second one kills it at once. HUP means nothing:
/// the step has no terminal. Handlers and not a mask, because a child inherits a mask.
fn heed_signals(hub: &Arc<Hub>, orders: Orders) -> io::Result<()> {
    let (mut told, tell) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, tell.try_clone()?)?;
    }
    signal_hook::flag::register(SIGHUP, Arc::default())?;
    let hub = Arc::clone(hub);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut byte = [0];
        while told.read_exact(&mut byte).is_ok() {
            hub.stop();
            orders.cancel(EndingCause::RoomStopped);
        }
    })?;
    Ok(())
}

/// The disk filled up, beyond what was set aside: whoever listens knows the outcome; for the others it is tried again.
fn write_again(hub: &Hub, dir: &StepDir, report: &StepReport, first: &io::Error) {
    complain(&format!("the outcome of {} cannot be written: {first}; trying for 10 minutes", report.key));
    let begin = Instant::now();
    while begin.elapsed() < WRITE_AGAIN && !hub.is_stopping() {
        if let Linger::Forget(id) = hub.linger(Duration::from_secs(1)) {
            // The ledger has it, so it needs not be here: the goodbye takes it from there.
            hub.ask_to_forget(id);
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
        if dir.finish(report, &hub.recorded(), &[]).is_ok() {
            return;
        }
    }
}

fn say_goodbye(hub: &Hub, dir: StepDir) {
    if let Linger::Forget(id) = hub.linger(LINGER) {
        match dir.remove() {
            Ok(()) => hub.reply(id, EventKind::Forgotten),
            Err(error) => {
                hub.reply(id, refused("no-state", format!("the step cannot be forgotten: {error}")));
            }
        }
    }
    hub.close(LAST_WORDS);
}

/// Reasons quote output; a report must fit a frame all the same.
pub(super) fn fitting(mut report: StepReport) -> StepReport {
    const MOST_REASONS: usize = 8;
    const MOST_BYTES: usize = 1000;
    report.verdict.reasons.truncate(MOST_REASONS);
    for Reason { text, .. } in &mut report.verdict.reasons {
        if text.len() > MOST_BYTES {
            let end = (0..=MOST_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
    }
    report
}

#[expect(clippy::print_stderr, reason = "standard error is the runner's journal, for its own trouble only")]
fn complain(text: &str) {
    eprintln!("mastmaint-runner: {text}");
}

/// Passes events on to the hub and keeps what outlives the runner.
struct Keeper<'a> {
    hub: &'a Hub,
    dir: &'a StepDir,
    copy: Vec<u8>,
}

impl Sink for Keeper<'_> {
    fn event(&mut self, kind: EventKind) {
        match &kind {
            EventKind::Started { pid, .. } => {
                if let Some(start_ticks) = orphans::start_ticks(*pid) {
                    // Without it the mark in the environment still finds the process.
                    let _ = self.dir.note_child(Child { pid: *pid, start_ticks });
                }
            }
            EventKind::Copy { data } => {
                if let Ok(piece) = base64::engine::general_purpose::STANDARD.decode(data) {
                    self.copy.extend(piece);
                }
            }
            _ => {}
        }
        self.hub.publish(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::StepIndex;

    #[test]
    fn only_what_others_killed_is_done_once_more() {
        let key = || StepKey { run: "20261123T003000Z-7k3f9q".parse().unwrap(), step: StepIndex(0) };
        let of = |outcome, signal: Option<&str>| {
            let verdict = Verdict::because(outcome, Grade::Exit, Reason::new("signal", "x"));
            is_of_others(&StepReport { signal: signal.map(str::to_owned), ..settled(key(), verdict) })
        };
        assert!(of(Outcome::Failed, Some("SIGKILL")) && of(Outcome::Interrupted, Some("SIGKILL")));
        assert!(!of(Outcome::Failed, None) && !of(Outcome::Failed, Some("SIGTERM")));
        assert!(!of(Outcome::Cancelled, Some("SIGKILL")) && !of(Outcome::TimedOut, Some("SIGKILL")));
    }

    #[test]
    fn a_report_fits_a_frame_whatever_the_output_said() {
        let key = StepKey { run: "20261123T003000Z-7k3f9q".parse().unwrap(), step: StepIndex(0) };
        let reason = Reason::new("exit", "\u{1}é".repeat(50_000));
        let mut verdict = Verdict::because(Outcome::Failed, Grade::Exit, reason.clone());
        verdict.reasons.extend(std::iter::repeat_n(reason, 50));
        let report = Box::new(fitting(settled(key, verdict)));
        crate::codec::encode_event(0, EventKind::Finished { report }).unwrap();
    }
}

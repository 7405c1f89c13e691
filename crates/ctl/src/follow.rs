//! `run --follow`: what a run does, as it does it. The child's lines go to standard output, all talk and the live
//! progress line to standard error. Ctrl-C ends the looking, never the run.

use crate::{
    client::{Daemon, understood},
    error::CtlError,
    exit, print, render,
    table::cut,
    when::When,
};
use mastmaint_control::{
    ClientError,
    words::{FollowEvent, Reply, Request, StepProgress},
};
use mastmaint_words::RunId;
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::SignalFd,
};
use std::{
    io::{self, IsTerminal as _, Write as _},
    thread,
    time::{Duration, Instant},
};

/// A daemon that restarts is back within seconds; the run goes on meanwhile.
const COMES_BACK_WITHIN: Duration = Duration::from_mins(1);
/// A terminal that does not tell its size (a serial line) is taken for one of the usual width.
const UNKNOWN_WIDTH: usize = 80;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// Takes Ctrl-C away from the kernel's default, which would end this program without a word.
pub(crate) struct Detach {
    interrupts: SignalFd,
}

impl Detach {
    /// Blocks the signal; from now on it waits for [`Detach::watch`].
    pub(crate) fn prepare() -> Result<Self, CtlError> {
        Self::prepare_for(&[Signal::SIGINT])
    }

    /// The same for these signals.
    pub(crate) fn prepare_for(signals: &[Signal]) -> Result<Self, CtlError> {
        let system = |e: nix::Error| CtlError::System { what: "cannot prepare for Ctrl-C", source: e.into() };
        let mask: SigSet = signals.iter().copied().collect();
        mask.thread_block().map_err(system)?;
        Ok(Self { interrupts: SignalFd::new(&mask).map_err(system)? })
    }

    /// Ends the program at Ctrl-C, saying that the run goes on and how to end it.
    pub(crate) fn watch(self, run: &RunId) -> Result<(), CtlError> {
        self.watch_then(run, || ())
    }

    /// The same, after something has been tidied up.
    pub(crate) fn watch_then(
        self,
        run: &RunId,
        tidy: impl FnOnce() + Send + 'static,
    ) -> Result<(), CtlError> {
        let farewell = format!(
            "\ndetached; run {run} goes on. See it with `mastmaintctl show {run}`, end it with `mastmaintctl cancel {run}`"
        );
        thread::Builder::new()
            .spawn(move || {
                if self.interrupts.read_signal().is_ok() {
                    print::talk(&farewell);
                    tidy();
                    std::process::exit(exit::DETACHED.into());
                }
            })
            .map(|_| ())
            .map_err(|source| CtlError::System { what: "cannot watch for Ctrl-C", source })
    }
}

/// Follows a run to its end and exits with its outcome.
pub(crate) fn follow(daemon: &Daemon, run: &RunId) -> Result<u8, CtlError> {
    let request = Request::Follow { run: run.clone() };
    let mut live = Live::new();
    loop {
        match follow_once(daemon, &request, &mut live) {
            Err(CtlError::Daemon(ClientError::Unreachable { .. })) => match live.gone_since {
                None => {
                    live.gone_since = Some(Instant::now());
                    live.talk("mastmaintd went away; the run goes on, waiting for mastmaintd to come back");
                }
                Some(since) if since.elapsed() > COMES_BACK_WITHIN => {
                    return Err(CtlError::Lost(run.clone()));
                }
                Some(_) => thread::sleep(BETWEEN_TRIES),
            },
            decided => return decided,
        }
    }
}

fn follow_once(daemon: &Daemon, request: &Request, live: &mut Live) -> Result<u8, CtlError> {
    let mut client = daemon.connect(request, None)?;
    for reply in client.stream(request)? {
        let Reply::Follow(event) = understood(reply?)? else {
            return Err(CtlError::BadReply);
        };
        live.gone_since = None;
        if let Some(code) = live.show(&event)? {
            return Ok(code);
        }
    }
    Err(CtlError::BadReply)
}

/// What is on the screen.
struct Live {
    /// Width of standard error, if it is a terminal.
    width: Option<usize>,
    /// Whether a live line stands there now.
    stands: bool,
    gone_since: Option<Instant>,
    step: String,
}

impl Live {
    fn new() -> Self {
        let err = io::stderr();
        let width = err.is_terminal().then(|| {
            terminal_size::terminal_size_of(err).map_or(UNKNOWN_WIDTH, |(width, _)| usize::from(width.0))
        });
        Self { width, stands: false, gone_since: None, step: String::new() }
    }

    /// Shows an event; the exit status once the run is over.
    fn show(&mut self, event: &FollowEvent) -> Result<Option<u8>, CtlError> {
        match event {
            FollowEvent::Waiting { why } => self.talk(&format!("waiting: {}", print::tame(why))),
            FollowEvent::StepStarted { step, of, title } => {
                self.step = format!("step {step}/{of}");
                self.talk(&format!("{} {}", self.step, print::tame(title)));
            }
            FollowEvent::Line { text, .. } => {
                self.clear();
                print::data(&format!("{}\n", print::tame(text)))?;
            }
            FollowEvent::Progress { progress, .. } => {
                let line = progress_line(&self.step, progress, &When::of_this_host());
                self.replace(&line);
            }
            FollowEvent::StepEnded { step } => {
                let reason = step.reasons.first().map(|r| format!(": {}", print::tame(&r.text)));
                let ended = render::step_ended(step);
                self.talk(&format!("step {} {ended}{}", step.step, reason.unwrap_or_default()));
            }
            FollowEvent::RunEnded { run } => {
                self.talk(&format!("run {} {}", run.run, render::ended(run)));
                return Ok(Some(run.outcome.map_or(exit::NOT_FINE, exit::of)));
            }
        }
        Ok(None)
    }

    fn talk(&mut self, line: &str) {
        self.clear();
        print::talk(line);
    }

    fn replace(&mut self, line: &str) {
        if let Some(width) = self.width {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K{}", cut(line, width.saturating_sub(1)));
            self.stands = true;
        }
    }

    fn clear(&mut self) {
        if self.stands {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
            self.stands = false;
        }
    }
}

/// The time of the newest sign of life stands on the clock: the line stays as it is while the step is silent.
fn progress_line(step: &str, progress: &StepProgress, when: &When) -> String {
    let sign = progress.sign_at.map(|at| format!(", alive at {}", when.clock(at))).unwrap_or_default();
    format!("{step}, {}{sign}  {}", render::how_far(progress), render::one_line(&progress.last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_line_is_one_line() {
        let at = "2026-11-23T12:00:00Z".parse().unwrap();
        let when = When { now: at, zone: jiff::tz::TimeZone::UTC };
        let mut progress = StepProgress {
            lines: 21,
            bar_percent: Some(40),
            last: "Progress:\n|==\u{1b}[2J=".to_owned(),
            ..StepProgress::default()
        };
        assert_eq!(
            progress_line("step 1/2", &progress, &when),
            "step 1/2, about 40 %, 21 lines  Progress: |==="
        );
        progress.sign_at = Some(at);
        assert_eq!(
            progress_line("step 1/2", &progress, &when),
            "step 1/2, about 40 %, 21 lines, alive at 12:00:00  Progress: |==="
        );
    }
}

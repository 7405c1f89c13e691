//! Why a step cannot be fine, from its end alone: what ended it, or the exit status.

use super::{Signals, explain};
use crate::{
    exec::{Ended, Ending},
    protocol::EndingCause,
};
use mastmaint_words::{Grade, Outcome, Reason, Verdict};
use nix::sys::signal::Signal;

/// What ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tootctl,
    Rails,
    Other,
}

/// The verdict on a bad end; `None` after exit status 0.
pub(super) fn bad(ended: &Ended, kind: Kind, signals: Signals) -> Option<Verdict> {
    let (outcome, reasons) = match (ended.cut_short, &ended.ending) {
        (Some(cause), _) => return Some(cut_short(cause)),
        (None, Ending::Exited(0)) => return None,
        (None, Ending::CouldNotStart { code, text }) => (Outcome::Failed, vec![Reason::new(code, text)]),
        (None, Ending::Signalled { by_oom_killer: true, .. }) => (Outcome::Failed, vec![out_of_memory()]),
        (None, Ending::Signalled { name, .. }) => signalled(name, ended, signals),
        (None, Ending::Exited(status)) => exited(*status, ended, kind, signals),
    };
    Some(Verdict { outcome, grade: Grade::Exit, reasons, numbers: mastmaint_words::Numbers::default() })
}

/// The verdict on what was ended on purpose.
pub(crate) fn cut_short(cause: EndingCause) -> Verdict {
    let (outcome, code, text) = match cause {
        EndingCause::StepTimeout => {
            (Outcome::TimedOut, "step-timeout", "it took longer than the step's timeout and was ended")
        }
        EndingCause::JobTimeout => {
            (Outcome::TimedOut, "job-timeout", "the job's timeout was used up, so the step was ended")
        }
        EndingCause::QuietLimit => (
            Outcome::TimedOut,
            "quiet-limit",
            "it showed no sign of life within its quiet_limit (no output, no processor time) and was ended",
        ),
        EndingCause::Cancel => (Outcome::Cancelled, "cancelled", "it was cancelled"),
        EndingCause::RoomStopped => {
            (Outcome::Interrupted, "room-stopped", "its room was stopped while it ran")
        }
    };
    Verdict::because(outcome, Grade::Exit, Reason::new(code, text))
}

fn out_of_memory() -> Reason {
    Reason::new(
        "out-of-memory",
        "the kernel's OOM killer ended it: the memory of the host or of its room was used up (see `journalctl -k`)",
    )
}

fn signalled(name: &str, ended: &Ended, signals: Signals) -> (Outcome, Vec<Reason>) {
    let is_persons = matches!(name, "SIGKILL" | "SIGTERM" | "SIGINT" | "SIGHUP");
    let (outcome, reason) = match name {
        _ if is_persons && signals == Signals::Person => {
            (Outcome::Cancelled, Reason::new("cancelled", format!("it was ended with {name}")))
        }
        "SIGKILL" | "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT" => {
            let text = format!("something outside of mastmaintd ended it with {name}");
            (Outcome::Failed, Reason::new("killed-from-outside", text))
        }
        "SIGSEGV" | "SIGBUS" | "SIGILL" | "SIGABRT" | "SIGFPE" | "SIGSYS" | "SIGTRAP" => {
            return (Outcome::Failed, explain::crash(name, &ended.summary));
        }
        "SIGPIPE" => {
            let text = "nobody read its output any more (SIGPIPE), so it did not get to its end";
            (Outcome::Failed, Reason::new("output-closed", text))
        }
        _ => (Outcome::Failed, Reason::new("ended-by-signal", format!("it was ended by {name}"))),
    };
    (outcome, vec![reason])
}

fn exited(status: i32, ended: &Ended, kind: Kind, signals: Signals) -> (Outcome, Vec<Reason>) {
    // Rails raises what it is sent, and exits with 1.
    if let Some(name) = ended.summary.ruby_signal.as_deref().filter(|_| status == 1) {
        return signalled(name, ended, signals);
    }
    match behind_shell(status) {
        // git and others mean wrong usage by 129, and nobody here has a terminal to hang up.
        Some("SIGHUP") if kind == Kind::Other => {
            (Outcome::Failed, explain::exit_status(status, &ended.summary, false))
        }
        Some("SIGKILL") if ended.oom_kills > 0 => (Outcome::Failed, vec![out_of_memory()]),
        Some(name) => signalled(name, ended, signals),
        None => (Outcome::Failed, explain::exit_status(status, &ended.summary, kind == Kind::Tootctl)),
    }
}

/// A shell between us and the program turns a signal into 128 + its number; Ruby does so with INT.
fn behind_shell(status: i32) -> Option<&'static str> {
    let signal = Signal::try_from(status.checked_sub(128)?).ok()?;
    // Programs use 255 and what is near it for themselves; those numbers are no signals anyway.
    Some(signal.as_str())
}

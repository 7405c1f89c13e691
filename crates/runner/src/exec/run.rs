//! The life of one step: started, read, perhaps ended, judged, reported.

use super::{
    Ended, Ending, Limits, OrderReceiver, Sink, StepCommand, descriptors, dispositions, oom,
    start::start,
    tree::Tree,
    watch::{Cut, Watch},
};
use crate::{
    output::{KeptCopy, Reader},
    protocol::{EventKind, StepReport},
    redact::Redactor,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use mastmaint_words::{Span, StepKey, Verdict};
use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        signal::Signal,
        stat::{Mode, umask},
    },
    unistd::Pid,
};
use std::{
    os::unix::process::ExitStatusExt,
    process::{Child, ExitStatus},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Bytes of the copy in one event: 44,000 in base64.
const COPY_PIECE: usize = 33_000;
/// What the main process leaves behind has this long between TERM and KILL.
const MOMENT: Duration = Duration::from_millis(500);

/// Every descendant of this process belongs to the one step that runs.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a step to its end and says what became of it. Emits `Started`, `Line`, `Omitted`, `Progress`, `Slow`, `Ending`
/// and last the pieces of the copy; making the report durable and telling it is the caller's.
pub fn execute(
    key: StepKey,
    command: &StepCommand,
    limits: Limits,
    orders: &mut OrderReceiver,
    redactor: &Redactor,
    judge: &dyn Fn(&Ended) -> Verdict,
    sink: &mut dyn Sink,
) -> StepReport {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    descriptors::close_inherited();
    dispositions::reset();
    umask(Mode::from_bits_truncate(0o022));
    let oom_kills_before = oom::kills();
    let mut tree = Tree::new();
    let (started, clock) = (Timestamp::now(), Instant::now());
    let mut reader = Reader::new(redactor).watching(&command.patterns);
    let (status, cut) = match start(command) {
        Ok(child) => {
            let (status, cut) = attend(child, &mut tree, limits, orders, &mut reader, sink);
            (Ok(status), cut)
        }
        Err(ending) => (Err(ending), Cut::default()),
    };
    let (ended, took) = (Timestamp::now(), clock.elapsed());
    let (summary, copy) = reader.finish(ended, &mut |kind| sink.event(kind));
    let oom_kills =
        oom_kills_before.zip(oom::kills()).map_or(0, |(before, after)| after.saturating_sub(before));
    let (lines, bytes) = (summary.lines, summary.bytes);
    let has_run = status.is_ok();
    let facts = Ended {
        ending: match status {
            Ok(status) => ending_of(status, oom_kills > 0 && !cut.was_killed),
            Err(Ending::CouldNotStart { code, text }) => {
                Ending::CouldNotStart { code, text: redactor.redact(&text).into_owned() }
            }
            Err(other) => other,
        },
        cut_short: cut.cause,
        summary,
        survivors_killed: cut.survivors,
        oom_kills,
    };
    let mut verdict = judge(&facts);
    for reason in &mut verdict.reasons {
        reason.text = redactor.redact(&reason.text).into_owned();
    }
    let omitted = tell_copy(copy, sink);
    StepReport {
        key,
        verdict,
        started,
        ended,
        took: Span::new(took),
        exit: match facts.ending {
            Ending::Exited(status) => Some(status),
            _ => None,
        },
        signal: match facts.ending {
            Ending::Signalled { name, .. } => Some(name),
            _ => None,
        },
        lines,
        bytes,
        omitted,
        peak_rss_bytes: has_run.then(peak_rss).flatten(),
        space: None,
        backup: None,
    }
}

/// Reads until the main process and its tree have ended, and reaps it.
fn attend(
    mut child: Child,
    tree: &mut Tree,
    limits: Limits,
    orders: &mut OrderReceiver,
    reader: &mut Reader<'_>,
    sink: &mut dyn Sink,
) -> (ExitStatus, Cut) {
    let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
    tree.set_main(Pid::from_raw(pid));
    sink.event(EventKind::Started { at: Timestamp::now(), pid });
    let mut cut = Watch::new(&mut child, tree, limits, orders, reader, sink).run();
    cut.survivors = tree.sweep(if cut.was_killed { Duration::ZERO } else { MOMENT });
    // It has ended already. Nobody else waits for it: an error means a kernel that lost it, which is no success.
    let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(Signal::SIGKILL as i32));
    (status, cut)
}

fn ending_of(status: ExitStatus, is_oom: bool) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, signal) => {
            let number = signal.unwrap_or(0);
            let name = Signal::try_from(number)
                .map_or_else(|_| format!("signal {number}"), |s| s.as_str().to_owned());
            let by_oom_killer = is_oom && name == "SIGKILL";
            Ending::Signalled { name, by_oom_killer }
        }
    }
}

/// Emits the copy and says how many lines are not in it.
fn tell_copy(copy: KeptCopy, sink: &mut dyn Sink) -> u64 {
    // Writing to memory does not fail; if it ever does, there is no copy and the report stands.
    let Ok((gzip, omitted)) = copy.into_gzip() else { return 0 };
    for piece in gzip.chunks(COPY_PIECE) {
        sink.event(EventKind::Copy { data: BASE64_STANDARD.encode(piece) });
    }
    omitted
}

/// The largest resident set of a process of the tree.
fn peak_rss() -> Option<u64> {
    let kib = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?.max_rss();
    u64::try_from(kib).ok().map(|kib| kib * 1024)
}

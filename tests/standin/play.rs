//! Plays a recording: the same bytes on the same streams, its time compressed, its effect on rows and files, its end.

use crate::{calls::Calls, extras, weather::Scenario};
use mastmaint_tests::{effects, recordings::Case};
use nix::sys::signal::{SigSet, Signal};
use std::{
    io::{self, Write as _},
    path::Path,
    process::exit,
    thread,
    time::{Duration, Instant},
};

/// Pieces at most into which a stream is cut.
const PIECES: usize = 64;

/// Plays a recording to its end; returns only if something hinders it.
pub(crate) fn play(case: &'static Case, live: &Path, scenario: &Scenario, calls: &Calls) -> io::Error {
    if let Err(e) = watch_signals(case, calls.clone()) {
        return e;
    }
    match perform(case, live, scenario) {
        Ok(()) => end(case, calls),
        // Real tootctl does nothing more then, and 4.6 calls it success.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
            if case.version.starts_with("4.3") {
                return extras::die_of_sigpipe();
            }
            calls.end(case.name, Some(0));
            exit(0)
        }
        Err(e) => e,
    }
}

/// Whether the recorded process outlived its signal for a while to say something.
fn speaks_after_signal(case: &Case) -> bool {
    case.exit.is_some() && case.name.ends_with("-sigterm")
}

fn waits_for_signal(case: &Case) -> bool {
    speaks_after_signal(case) || case.name.ends_with("-sigint") || case.signal.is_some_and(|s| s != "SIGPIPE")
}

/// SIGINT ends every command with 130; SIGTERM ends all at once but the build, which says so first.
fn watch_signals(case: &'static Case, calls: Calls) -> io::Result<()> {
    let mut watched: SigSet = [Signal::SIGINT].into_iter().collect();
    if speaks_after_signal(case) {
        watched.add(Signal::SIGTERM);
    }
    watched.thread_block()?;
    thread::spawn(move || {
        let status = match watched.wait() {
            Ok(Signal::SIGTERM) => {
                drop(io::stderr().write_all(case.stderr));
                case.exit.unwrap_or(1)
            }
            _ => 130,
        };
        calls.end(case.name, Some(status));
        exit(status)
    });
    Ok(())
}

fn perform(case: &Case, live: &Path, scenario: &Scenario) -> io::Result<()> {
    let started = Instant::now();
    let mut pieces: Vec<(f64, bool, &[u8])> = Vec::new();
    // Rails tells its first line early and is then silent until it has booted.
    let first = case.stdout.iter().position(|b| *b == b'\n').map_or(0, |n| n + 1);
    pieces.push((0.3, false, &case.stdout[..first]));
    pieces.extend(spread(&case.stdout[first..], false));
    if !speaks_after_signal(case) {
        pieces.extend(spread(case.stderr, true));
    }
    pieces.sort_by(|a, b| a.0.total_cmp(&b.0));
    let last = pieces.len() - 1;
    for (n, (at, stderr, bytes)) in pieces.into_iter().enumerate() {
        let due = Duration::from_secs_f64((case.seconds * at / scenario.speed.max(0.001)).min(86_400.0));
        thread::sleep(due.saturating_sub(started.elapsed()));
        if n == last {
            scenario.elsewhere.follow(live, || effects::apply(case, live))?;
        }
        if stderr {
            io::stderr().write_all(bytes)?;
        } else {
            io::stdout().write_all(bytes)?;
            io::stdout().flush()?;
        }
    }
    Ok(())
}

/// Cuts a stream after lines and every few marks of a progress bar, and spreads the pieces over the time after boot.
fn spread(bytes: &[u8], stderr: bool) -> Vec<(f64, bool, &[u8])> {
    let mut cuts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let line = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |n| n + 1);
        let (piece, after) =
            rest.split_at(if rest.starts_with(b"=") { line.min(8) } else { bar_begin(&rest[..line]) });
        cuts.push(piece.len());
        rest = after;
    }
    let group = cuts.len().div_ceil(PIECES).max(1);
    let sizes: Vec<usize> = cuts.chunks(group).map(|c| c.iter().sum()).collect();
    let (mut pieces, mut rest, mut share) = (Vec::new(), bytes, 0.6);
    let step = 0.4 / f64::from(u32::try_from(sizes.len().max(1)).unwrap_or(u32::MAX));
    for size in sizes {
        let (piece, after) = rest.split_at(size);
        share += step;
        pieces.push((share, stderr, piece));
        rest = after;
    }
    pieces
}

/// Length up to and with the `|` where a bar begins, else the whole line.
fn bar_begin(line: &[u8]) -> usize {
    line.windows(2).position(|w| w == b"|=").map_or(line.len(), |n| n + 1)
}

fn end(case: &'static Case, calls: &Calls) -> io::Error {
    if waits_for_signal(case) {
        calls.waits(case.name);
        // The signal comes from the test; long after every test has given up this says what was forgotten.
        thread::sleep(Duration::from_mins(10));
        return io::Error::other(format!("the recording {} ends by a signal and none came", case.name));
    }
    if case.signal.is_some() {
        return extras::die_of_sigpipe();
    }
    calls.end(case.name, case.exit);
    exit(case.exit.unwrap_or(1))
}

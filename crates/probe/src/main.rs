//! `mastmaint-probe`: reads which probes to ask from standard input, asks all of them at once, and writes what each was
//! answered to standard output, one line of JSON each. As a step it asks one until that says yes. All it does is in the
//! library.

use mastmaint_probe::{Asker, ask_all, until};
use mastmaint_runner::{probe::Prober, protocol::AskedProbe, systemctl::Systemctl};
use mastmaint_words::{Digest, ProbeName};
use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

const USAGE: &str = "usage: mastmaint-probe --accepted DIR --digest DIGEST [--unwalled] < PROBES, or with --until-yes \
                     PROBE --within-ms N";

/// What is asked.
struct Order {
    prober: Prober,
    digest: Digest,
    /// One probe until it says yes, for so long; else those on standard input.
    until: Option<(ProbeName, Duration)>,
}

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)).and_then(|order| run(&order)) {
        Ok(status) => ExitCode::from(status),
        Err(error) => complain(&error),
    }
}

fn run(Order { prober, digest, until }: &Order) -> Result<u8, String> {
    if let Some((probe, within)) = until {
        return Ok(until::yes(&Asker::of(prober, digest)?, probe, *within));
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let questions: Vec<AskedProbe> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let asker = Asker::of(prober, digest)?;
    let mut out = io::stdout().lock();
    for answer in ask_all(&asker, questions) {
        let line = serde_json::to_string(&answer).map_err(|error| error.to_string())?;
        // Nobody hears the others either.
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(0)
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Order, String> {
    let (mut accepted, mut digest, mut walled) = (None, None, true);
    let (mut probe, mut within) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.to_string_lossy().as_ref() {
            "--accepted" => accepted = arguments.next().map(PathBuf::from),
            "--digest" => digest = arguments.next().and_then(|d| d.to_string_lossy().parse().ok()),
            "--until-yes" => probe = arguments.next().and_then(|p| p.to_string_lossy().parse().ok()),
            "--within-ms" => within = arguments.next().and_then(|n| n.to_string_lossy().parse().ok()),
            "--unwalled" => walled = false,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let (Some(accepted), Some(digest)) = (accepted, digest) else { return Err(USAGE.to_owned()) };
    let until = probe.zip(within.map(Duration::from_millis));
    Ok(Order { prober: Prober { accepted, systemctl: Systemctl::new(walled) }, digest, until })
}

#[expect(clippy::print_stderr, reason = "standard error is where its trouble goes")]
fn complain(text: &str) -> ExitCode {
    eprintln!("mastmaint-probe: {text}");
    ExitCode::from(2)
}

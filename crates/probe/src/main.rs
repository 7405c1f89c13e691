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
                     PROBE or --visit, and --within-ms N";

/// What is asked.
struct Order {
    prober: Prober,
    digest: Digest,
    /// This until it says yes, for so long; else the probes on standard input.
    until: Option<(Until, Duration)>,
}

/// What is asked until it says yes.
enum Until {
    /// One probe.
    Probe(ProbeName),
    /// The site, as a visitor gets it.
    Visit,
}

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)).and_then(|order| run(&order)) {
        Ok(status) => ExitCode::from(status),
        Err(error) => complain(&error),
    }
}

fn run(Order { prober, digest, until }: &Order) -> Result<u8, String> {
    if let Some((what, within)) = until {
        let asker = Asker::of(prober, digest)?;
        return Ok(match what {
            Until::Probe(probe) => until::yes(&asker, probe, *within),
            Until::Visit => until::well(&asker, *within),
        });
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
    let (mut what, mut within) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.to_string_lossy().as_ref() {
            "--accepted" => accepted = arguments.next().map(PathBuf::from),
            "--digest" => digest = arguments.next().and_then(|d| d.to_string_lossy().parse().ok()),
            "--until-yes" => {
                what = arguments.next().and_then(|p| p.to_string_lossy().parse().ok()).map(Until::Probe);
            }
            "--visit" => what = Some(Until::Visit),
            "--within-ms" => within = arguments.next().and_then(|n| n.to_string_lossy().parse().ok()),
            "--unwalled" => walled = false,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let (Some(accepted), Some(digest)) = (accepted, digest) else { return Err(USAGE.to_owned()) };
    let until = what.zip(within.map(Duration::from_millis));
    Ok(Order { prober: Prober { accepted, systemctl: Systemctl::new(walled) }, digest, until })
}

#[expect(clippy::print_stderr, reason = "standard error is where its trouble goes")]
fn complain(text: &str) -> ExitCode {
    eprintln!("mastmaint-probe: {text}");
    ExitCode::from(2)
}

//! `mastmaint-probe`: reads which probes to ask from standard input, asks all of them at once, and writes what each was
//! answered to standard output, one line of JSON each. All it does is in the library.

use mastmaint_probe::{Asker, ask_all};
use mastmaint_runner::{probe::Prober, protocol::AskedProbe, systemctl::Systemctl};
use mastmaint_words::Digest;
use std::{
    ffi::OsString,
    io::{self, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

const USAGE: &str = "usage: mastmaint-probe --accepted DIR --digest DIGEST [--unwalled] < PROBES";

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)).and_then(|(prober, digest)| run(&prober, &digest)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

fn run(prober: &Prober, digest: &Digest) -> Result<(), String> {
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
    Ok(())
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<(Prober, Digest), String> {
    let (mut accepted, mut digest, mut walled) = (None, None, true);
    while let Some(argument) = arguments.next() {
        match argument.to_string_lossy().as_ref() {
            "--accepted" => accepted = arguments.next().map(PathBuf::from),
            "--digest" => digest = arguments.next().and_then(|d| d.to_string_lossy().parse().ok()),
            "--unwalled" => walled = false,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let (Some(accepted), Some(digest)) = (accepted, digest) else { return Err(USAGE.to_owned()) };
    Ok((Prober { accepted, systemctl: Systemctl::new(walled) }, digest))
}

#[expect(clippy::print_stderr, reason = "standard error is where its trouble goes")]
fn complain(text: &str) -> ExitCode {
    eprintln!("mastmaint-probe: {text}");
    ExitCode::from(2)
}

//! `mastmaintctl judge`: the verdict on a saved run, by the same rules as a room's, without daemon or configuration.

use crate::{error::CtlError, exit, print, render};
use clap::Args;
use mastmaint_runner::{
    exec::Ending,
    saved,
    verdict::{Judge, Signals, Terms},
};
use mastmaint_tootctl::{Series, Version};
use mastmaint_words::{Numbers, Outcome, Verdict};
use nix::sys::signal::Signal;
use serde::Serialize;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// A saved run.
#[derive(Debug, Args)]
pub struct Saved {
    /// Which Mastodon it was, like 4.6.5; without it the newest rules hold.
    #[arg(long, value_name = "VERSION")]
    pub mastodon: Option<Version>,
    /// The status it exited with.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..=255), required_unless_present = "signal")]
    pub exit: Option<i32>,
    /// The signal that ended it: TERM, SIGTERM or 15.
    #[arg(long, value_name = "NAME", value_parser = signal, conflicts_with = "exit")]
    pub signal: Option<Signal>,
    /// What it wrote to standard output.
    #[arg(long, value_name = "FILE")]
    pub stdout: PathBuf,
    /// What it wrote to standard error.
    #[arg(long, value_name = "FILE")]
    pub stderr: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// What was called: bin/tootctl or bin/rails with its arguments, as it was typed.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

fn signal(word: &str) -> Result<Signal, String> {
    let unknown = || format!("there is no signal {word:?}; write it like TERM");
    if let Ok(number) = word.parse::<i32>() {
        return Signal::try_from(number).map_err(|_| unknown());
    }
    let name = word.to_ascii_uppercase();
    let name = if name.starts_with("SIG") { name } else { format!("SIG{name}") };
    name.parse().map_err(|_| unknown())
}

#[derive(Serialize)]
struct Told<'a> {
    version: u8,
    outcome: Outcome,
    grade: mastmaint_words::Grade,
    reasons: Vec<ToldReason<'a>>,
    numbers: &'a Numbers,
}

#[derive(Serialize)]
struct ToldReason<'a> {
    code: &'a str,
    text: &'a str,
}

/// Prints the verdict and says whether it is `ok`.
pub fn judge(saved: &Saved) -> Result<u8, CtlError> {
    let version = saved.mastodon.as_ref().map(Version::series);
    if let Some(note) = version.and_then(note) {
        print::talk(&note);
    }
    let ending = match (saved.exit, saved.signal) {
        (_, Some(signal)) => Ending::Signalled { name: signal.as_str().to_owned(), by_oom_killer: false },
        (status, None) => Ending::Exited(status.unwrap_or_default()),
    };
    let terms = Terms { version, signals: Signals::Person, ..Terms::default() };
    let judge = Judge::of_line(&words(&saved.command)).with(terms);
    let (stdout, stderr) = (open(&saved.stdout)?, open(&saved.stderr)?);
    let verdict = saved::judge(&judge, ending, stdout, stderr).map_err(|source| CtlError::File {
        what: "cannot read",
        path: saved.stdout.clone(),
        source,
        advice: "name the files that hold the output of the run",
    })?;
    if saved.json {
        print::json(&told(&verdict))?;
    } else {
        print::data(&render::verdict(&verdict))?;
    }
    Ok(if verdict.outcome == Outcome::Ok { exit::FINE } else { exit::NOT_FINE })
}

/// What is to be said of a version that the rules were not made for.
fn note(series: Series) -> Option<String> {
    if series.is_newer_than_known() {
        let newest = Series::NEWEST;
        return Some(format!(
            "Mastodon {series} is newer than what is known here; judged by the rules of {newest}"
        ));
    }
    series.is_older_than_known().then(|| {
        format!(
            "Mastodon {series} is older than what is known here; judged by the rules of {}",
            Series::OLDEST
        )
    })
}

/// A command line that was quoted as a whole is one all the same.
fn words(command: &[String]) -> Vec<String> {
    match command {
        [line] if line.contains(' ') => shell_words::split(line).unwrap_or_else(|_| command.to_vec()),
        _ => command.to_vec(),
    }
}

fn open(path: &Path) -> Result<File, CtlError> {
    File::open(path).map_err(|source| CtlError::File {
        what: "cannot read",
        path: path.to_owned(),
        source,
        advice: "name the file that holds the output of the run; /dev/null if there was none",
    })
}

fn told(verdict: &Verdict) -> Told<'_> {
    Told {
        version: 1,
        outcome: verdict.outcome,
        grade: verdict.grade,
        reasons: verdict.reasons.iter().map(|r| ToldReason { code: &r.code, text: &r.text }).collect(),
        numbers: &verdict.numbers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_any_of_their_names() {
        for word in ["TERM", "SIGTERM", "term", "15"] {
            assert_eq!(signal(word), Ok(Signal::SIGTERM), "{word}");
        }
        assert!(signal("TREM").is_err());
        assert!(signal("99").is_err());
    }

    #[test]
    fn a_line_that_was_quoted_as_a_whole_is_taken_apart() {
        let own = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(words(&own(&["bin/tootctl media remove"])), own(&["bin/tootctl", "media", "remove"]));
        assert_eq!(words(&own(&["bin/tootctl", "a b"])), own(&["bin/tootctl", "a b"]));
    }
}

//! `mastmaint-prove`: started by the runner in the room of a command, before it and after it. All it does is in the
//! library.

use mastmaint_prove::{Blind, Instance, after, assets, before, migrations, modules, together};
use mastmaint_words::{Looked, Sample};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "usage: mastmaint-prove --live DIR before ROWS COMMAND…, or after (the sample on standard input), \
                     or together, or assets, or migrations, or, for people, told (what assets found: exit status 0 they \
                     are whole, 1 they are not, 3 nobody knows), or told streaming (the same once nothing is missing \
                     that streaming needs, else 4)";
const NOT_WHOLE: u8 = 1;
const UNKNOWN: u8 = 3;
const MISSING: u8 = 4;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if let [_, live, told, streaming] = args.as_slice()
        && (told.as_str(), streaming.as_str()) == ("told", "streaming")
        && let Some(missing) = missing(Path::new(live))
    {
        return missing;
    }
    let Some(reply) = answer(&args) else {
        return complain(USAGE);
    };
    let reply = reply.unwrap_or_else(|blind: Blind| Looked::Blind {
        why: blind.to_string(),
        silent: matches!(blind, Blind::Silent { .. }),
    });
    if args.get(2).is_some_and(|what| what == "told") {
        return told(&reply);
    }
    match serde_json::to_writer(std::io::stdout(), &reply) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string()),
    }
}

/// What is found out; `None` if the arguments make no sense.
fn answer(args: &[String]) -> Option<Result<Looked, Blind>> {
    let [flag, live, what, rest @ ..] = args else { return None };
    let instance = Instance {
        live: (flag == "--live").then(|| PathBuf::from(live))?,
        environment: std::env::vars_os()
            .map(|(n, v)| (n.to_string_lossy().into_owned(), v.to_string_lossy().into_owned()))
            .collect(),
    };
    match (what.as_str(), rest) {
        ("before", [rows, command @ ..]) => {
            Some(before::sample(&instance, command, rows.parse().ok()?).map(Looked::Sample))
        }
        ("after", []) => Some(read_sample().and_then(|before| after::look(&instance, &before))),
        ("assets" | "told", []) => Some(assets::look(&instance)),
        ("told", [streaming]) if streaming == "streaming" => Some(assets::look(&instance)),
        ("migrations", []) => Some(migrations::look(&instance)),
        ("together", []) => Some(together::look(&instance).map(Looked::State)),
        _ => None,
    }
}

fn read_sample() -> Result<Sample, Blind> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| Blind::Settings(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| Blind::Settings(format!("the sample is damaged: {e}")))
}

/// Says what streaming lacks, if it lacks something.
fn missing(live: &Path) -> Option<ExitCode> {
    let text = match modules::missing(live) {
        Ok(missing) if missing.is_empty() => return None,
        Ok(missing) => format!("without {} in node_modules streaming does not start", missing.join(", ")),
        Err(why) => format!("streaming does not start with this: {why}"),
    };
    say(&text);
    Some(ExitCode::from(MISSING))
}

/// Says what was found of the assets in a sentence.
fn told(looked: &Looked) -> ExitCode {
    let (text, status) = match (looked.of_assets(), looked) {
        (Some(Ok(whole)), _) => (whole, ExitCode::SUCCESS),
        (Some(Err(wrong)), _) => (wrong, ExitCode::from(NOT_WHOLE)),
        (None, Looked::Blind { why, .. }) => {
            (format!("whether the assets are whole cannot be told: {why}"), ExitCode::from(UNKNOWN))
        }
        (None, _) => return complain(USAGE),
    };
    say(&text);
    status
}

#[expect(clippy::print_stdout, reason = "its output is what it was asked for")]
fn say(text: &str) {
    println!("{}", text.replace('\n', "; "));
}

#[expect(clippy::print_stderr, reason = "standard error is where its trouble goes")]
fn complain(text: &str) -> ExitCode {
    eprintln!("mastmaint-prove: {text}");
    ExitCode::from(2)
}

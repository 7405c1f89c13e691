//! A stand-in for Mastodon's `bin/tootctl` and `bin/rails`, for tests and the demo only: it plays recordings of the
//! real ones and moves rows and files of a made-up instance as they did. What a call meets is said in
//! `live/standin.yaml`; its own troubles end it with status 70 and a line that begins with `standin:`.
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "this is where a command speaks")]

mod build;
mod calls;
mod elsewhere;
mod extras;
mod play;
mod weather;

use calls::Calls;
use mastmaint_tests::{
    pick::{Present, pick},
    recordings::{self, Case},
    rows::{Kind, Table},
};
use nix::sys::signal::{SigSet, Signal};
use std::{
    fs,
    path::Path,
    process::{ExitCode, exit},
};
use weather::{Extras, Scenario, Weather};

fn main() -> ExitCode {
    let first_us = calls::now_us();
    match run(first_us) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("standin: {message}");
            ExitCode::from(70)
        }
    }
}

fn run(first_us: u64) -> Result<(), String> {
    let argv: Vec<_> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if let [flag, live] = &argv[..]
        && flag == extras::GRANDCHILD
    {
        return extras::stay_behind(Path::new(live)).map_err(|e| e.to_string());
    }
    let exe = std::env::current_exe().map_err(|e| format!("cannot find myself: {e}"))?;
    let program = exe.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let live = exe.parent().and_then(Path::parent).ok_or("not in the bin/ of an instance")?;
    // A copy that is restored has no uploads before its switch, and so no rows that a recording could move.
    if argv == ["--version"] && !live.join("public/system").exists() {
        println!("{}", version(live)?);
        return Ok(());
    }
    let scenario = Scenario::read(live)?;
    let met = scenario.meets(&argv);
    let (calls, nth) = Calls::begin(live, first_us, &program, &argv, met.map_or("", |(key, _)| key));
    let version = version(live)?;
    let mut extras = Extras::default();
    match met.map(|(_, weather)| of_call(weather, nth)) {
        Some(Weather::Play(name)) => extras.play = Some(name.clone()),
        Some(Weather::Extras(given)) => extras = (**given).clone(),
        Some(Weather::Each(_)) => return Err("a list in a list of standin.yaml".to_owned()),
        None => {}
    }
    let case = if extras.exit.is_some() || extras.build.is_some() {
        None
    } else {
        Some(case(&extras, &version, &program, &argv, live)?)
    };
    if extras.ignore_term {
        let deaf: SigSet = [Signal::SIGTERM].into_iter().collect();
        deaf.thread_block().map_err(|e| e.to_string())?;
    }
    extras::run(&extras, live).map_err(|e| e.to_string())?;
    if let Some(build) = extras.build {
        extras.exit = Some(build::run(build, live).map_err(|e| e.to_string())?);
    }
    match (case, extras.exit) {
        (Some(case), None) => Err(play::play(case, live, &scenario, &calls).to_string()),
        (_, status) => {
            calls.end("exit", status);
            exit(status.unwrap_or(0))
        }
    }
}

fn of_call(weather: &Weather, nth: usize) -> &Weather {
    match weather {
        Weather::Each(list) => list.get(nth).or(list.last()).unwrap_or(weather),
        single => single,
    }
}

fn case(
    extras: &Extras,
    version: &str,
    program: &str,
    argv: &[String],
    live: &Path,
) -> Result<&'static Case, String> {
    if let Some(name) = &extras.play {
        return recordings::find(version, name).ok_or_else(|| format!("no recording is named {name}"));
    }
    if std::env::var_os("RAILS_ENV").is_none() {
        return recordings::find(version, "rails-env-missing").ok_or_else(|| "no RAILS_ENV".to_owned());
    }
    let present = present(live).map_err(|e| format!("cannot read the rows: {e}"))?;
    pick(version, program, argv, present)
        .ok_or_else(|| format!("no recording of `{program} {}`; name one in standin.yaml", argv.join(" ")))
}

fn present(live: &Path) -> std::io::Result<Present> {
    let table = Table::open(live)?;
    Ok(Present {
        media: table.count(Kind::Media),
        cards: table.count(Kind::Card),
        statuses: table.count(Kind::Status),
        orphans: table.orphans()?,
    })
}

/// The version as `lib/mastodon/version.rb` says it: the numbers below `def major`, `def minor`, `def patch`.
fn version(live: &Path) -> Result<String, String> {
    let path = live.join("lib/mastodon/version.rb");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let number = |name: &str| {
        let after = text.lines().skip_while(|l| l.trim() != format!("def {name}")).nth(1)?;
        Some(after.trim().to_owned())
    };
    let parts: Option<Vec<_>> = ["major", "minor", "patch"].into_iter().map(number).collect();
    parts.map(|p| p.join(".")).ok_or_else(|| format!("{} names no version", path.display()))
}

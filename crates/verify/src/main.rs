//! `mastmaint-verify`: one verification, one manifest, one stage, or the load of one dump. All it does is in the library; here it is asked and answered.

use mastmaint_verify::{
    Finding, Order, Report, Request, Severity, VerifyError, asked,
    drill::Door,
    keep,
    load::{self, NotLoaded},
    manifest,
    prove::{Progress, Tell, Told},
    stage_for_who_waits, verify,
};
use mastmaint_words::{database::LoadOrder, stage::Stage};
use serde::de::DeserializeOwned;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

const USAGE: &str = "usage: mastmaint-verify [--manifest] --state DIR [--drills SOCKET --boots SOCKET] ORDER; ORDER is JSON: what \
                     mastmaintd makes of its configuration. With --stage it comes over standard input, with what \
                     mastmaintctl asks of the boot room. Without --drills a dump is brought to life by \
                     mastmaint-drill, started beside this. Exit status: 0 nothing to mend, 10 warnings, 11 failures, 1 not verified. \
                     Or: mastmaint-verify --load [--tidy] --state DIR [--databases SOCKET] [--accepted DIR] ORDER, which loads a dump beside \
                     the database of the running instance (--tidy: which drops what a load that was killed has left); without --databases by mastmaint-database, started beside this. Exit \
                     status: 0 loaded, 1 not";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(status) => status,
        Err(Failure::Usage(why)) => complain(&format!("{why}\n{USAGE}"), 2),
        Err(Failure::Verify(error)) => complain(&format!("error: {error} [{}]", error.code()), 1),
        Err(Failure::Load(error)) => complain(&format!("error: {error} [{}]", error.code()), 1),
        Err(Failure::Signals(error)) => complain(&format!("error: signals cannot be caught: {error}"), 1),
        Err(Failure::Told(error)) => complain(&format!("error: the result cannot be kept: {error}"), 1),
    }
}

enum Failure {
    Usage(String),
    Verify(VerifyError),
    Load(NotLoaded),
    Signals(std::io::Error),
    Told(std::io::Error),
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, Failure> {
    let usage = |why: &str| Failure::Usage(why.to_owned());
    let (mut state, mut order, mut wants_manifest) = (None, None, false);
    let (mut drills, mut boots, mut databases, mut is_stage) = (None, None, None, false);
    let (mut is_load, mut is_tidy, mut accepted) = (false, false, PathBuf::from(ACCEPTED));
    let door = |socket: String| Door::Socket(socket.into());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--manifest" => wants_manifest = true,
            "--load" => is_load = true,
            "--tidy" => is_tidy = true,
            "--databases" => databases = arguments.next().map(door),
            "--accepted" => accepted = arguments.next().map_or(accepted, PathBuf::from),
            "--stage" => is_stage = true,
            "--state" => state = arguments.next().map(PathBuf::from),
            "--drills" => drills = arguments.next().map(door),
            "--boots" => boots = arguments.next().map(door),
            text if text.starts_with('{') => order = Some(argument),
            other => return Err(Failure::Usage(format!("unknown argument {other:?}"))),
        }
    }
    let state = state.ok_or_else(|| usage("--state is missing"))?;
    let given = || order.as_deref().ok_or_else(|| usage("the order is missing"));
    if is_load {
        let door = databases.unwrap_or_else(|| Door::database(beside("mastmaint-database"), &accepted));
        return load_one(&state, &door, &read(given()?)?, is_tidy);
    }
    let (order, staged): (Order, Option<Stage>) = if is_stage {
        let asked = asked().map_err(|e| Failure::Usage(format!("the stage: {e}")))?;
        (asked.order, Some(asked.stage))
    } else {
        (read(given()?)?, None)
    };
    let proofs = state.join("proofs");
    let now = jiff::Timestamp::now();
    if wants_manifest {
        let mut out = BufWriter::new(std::io::stdout().lock());
        manifest(order.name.as_str(), &order.backup, &proofs, now, &mut out).map_err(Failure::Verify)?;
        out.flush().map_err(Failure::Told)?;
        return Ok(ExitCode::SUCCESS);
    }
    let program = || Door::drill(beside("mastmaint-drill"), state.join("drill"));
    let (drills, boots) = (drills.unwrap_or_else(program), boots.unwrap_or_else(program));
    let request = Request {
        name: order.name.as_str(),
        backup: &order.backup,
        files: order.files.as_ref(),
        inside: order.inside.as_ref(),
        proofs: &proofs,
        scratch: &state.join("scratch"),
        drills: Some(&drills),
        boots: Some(&boots),
        full: order.full,
        now,
    };
    if let Some(staged) = staged {
        return Ok(if stage_for_who_waits(&request, &staged) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let report = verify(&request, &Progress::new("read")).map_err(Failure::Verify)?;
    tell(&report);
    keep(&report, &order.name, &state).map_err(Failure::Told)?;
    Ok(ExitCode::from(match report.worst() {
        Some(Severity::Fail) => Report::FAILED,
        Some(Severity::Warn) => Report::PARTIAL,
        Some(Severity::Info) | None => 0,
    }))
}

fn read<T: DeserializeOwned>(order: &str) -> Result<T, Failure> {
    serde_json::from_str(order).map_err(|error| Failure::Usage(format!("the order: {error}")))
}

/// Where accepted configurations are kept.
const ACCEPTED: &str = "/var/lib/mastmaintd-accepted";

/// It is installed beside this program.
fn beside(program: &str) -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name(program)
}

fn load_one(state: &Path, door: &Door, order: &LoadOrder, is_tidy: bool) -> Result<ExitCode, Failure> {
    // Who is told to end hangs up, and waits until nothing is left of the new database.
    let is_cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&is_cancelled)).map_err(Failure::Signals)?;
    }
    let tell = Ending { progress: Progress::new("loaded"), is_cancelled };
    let variable = |name: &str| std::env::var(name).ok();
    let site = load::Site { state, door, variable: &variable, tell: &tell };
    if is_tidy {
        return load::tidy(&site, order).map(|()| ExitCode::SUCCESS).map_err(Failure::Load);
    }
    let plan = load::load(&site, order).map_err(Failure::Load)?;
    for text in plan.would_be_lost.iter().chain(&plan.differs).chain(&plan.notes) {
        tell.say(text);
    }
    tell.say(&plan.sentence);
    Ok(ExitCode::SUCCESS)
}

/// Prints, until it is told to end.
struct Ending {
    progress: Progress,
    is_cancelled: Arc<AtomicBool>,
}

impl Tell for Ending {
    fn progress(&self, told: Told) {
        self.progress.progress(told);
    }

    fn say(&self, text: &str) {
        self.progress.say(text);
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

#[expect(clippy::print_stdout, reason = "its output is what people read of it")]
fn tell(report: &Report) {
    for Finding { code, severity, what, evidence, advice } in &report.findings {
        let word = severity.word();
        println!("{word}: {what} [{code}]");
        for line in evidence {
            println!("    {line}");
        }
        println!("    what to do: {advice}");
    }
    println!("{}: {}", report.backup, report.sentence);
}

#[expect(clippy::print_stderr, reason = "a program on its own has nowhere else to say why it ended")]
fn complain(text: &str, status: u8) -> ExitCode {
    eprintln!("mastmaint-verify: {text}");
    ExitCode::from(status)
}

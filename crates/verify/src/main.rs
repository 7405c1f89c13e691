//! `mastmaint-verify`: one verification, one manifest, or one stage. All it does is in the library; here it is asked and answered.

use mastmaint_verify::{
    Finding, Order, Report, Request, Severity, VerifyError, drill::Door, keep, manifest, prove::Progress,
    stage_for_who_waits, verify,
};
use mastmaint_words::stage::Stage;
use std::{
    io::{BufWriter, Write as _},
    path::PathBuf,
    process::ExitCode,
};

const USAGE: &str = "usage: mastmaint-verify [--manifest | --stage STAGE] --state DIR [--drills SOCKET --boots SOCKET] ORDER; ORDER is JSON: what \
                     mastmaintd makes of its configuration, STAGE what mastmaintctl asks of the boot room. Without --drills a dump is brought to life by \
                     mastmaint-drill, started beside this. Exit status: 0 nothing to mend, 10 warnings, 11 failures, 1 not verified";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(status) => status,
        Err(Failure::Usage(why)) => complain(&format!("{why}\n{USAGE}"), 2),
        Err(Failure::Verify(error)) => complain(&format!("error: {error} [{}]", error.code()), 1),
        Err(Failure::Told(error)) => complain(&format!("error: the result cannot be kept: {error}"), 1),
    }
}

enum Failure {
    Usage(String),
    Verify(VerifyError),
    Told(std::io::Error),
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<ExitCode, Failure> {
    let usage = |why: &str| Failure::Usage(why.to_owned());
    let (mut state, mut order, mut wants_manifest) = (None, None, false);
    let (mut drills, mut boots, mut staged) = (None, None, None);
    let door = |socket: String| Door::Socket(socket.into());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--manifest" => wants_manifest = true,
            "--stage" => staged = arguments.next(),
            "--state" => state = arguments.next().map(PathBuf::from),
            "--drills" => drills = arguments.next().map(door),
            "--boots" => boots = arguments.next().map(door),
            text if text.starts_with('{') => order = Some(argument),
            other => return Err(Failure::Usage(format!("unknown argument {other:?}"))),
        }
    }
    let state = state.ok_or_else(|| usage("--state is missing"))?;
    let order = order.ok_or_else(|| usage("the order is missing"))?;
    let order: Order = serde_json::from_str(&order).map_err(|e| Failure::Usage(format!("the order: {e}")))?;
    let proofs = state.join("proofs");
    let now = jiff::Timestamp::now();
    if wants_manifest {
        let mut out = BufWriter::new(std::io::stdout().lock());
        manifest(order.name.as_str(), &order.backup, &proofs, now, &mut out).map_err(Failure::Verify)?;
        out.flush().map_err(Failure::Told)?;
        return Ok(ExitCode::SUCCESS);
    }
    let program = || Door::Program { program: beside(), place: state.join("drill") };
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
        let staged: Stage =
            serde_json::from_str(&staged).map_err(|e| Failure::Usage(format!("the stage: {e}")))?;
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

/// It is installed beside this program.
fn beside() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("mastmaint-drill")
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

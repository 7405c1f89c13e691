//! `mastmaint-restore`: one verb of one restore. All it does is in the library; here it is asked and answered.

use mastmaint_restore::{
    Did, Door, Patient, RestoreError, Site, Untold, back, list, prepare, prune, prune_but_settings, pull,
    receive, resume, send, switch, tidy,
};
use mastmaint_verify::prove::Progress;
use mastmaint_words::{Digest, RunId, restore::RestoreOrder};
use std::{
    fs::File,
    io::{self, BufReader},
    os::fd::AsFd as _,
    path::PathBuf,
    process::ExitCode,
};

const USAGE: &str = "usage: mastmaint-restore --state DIR --proofs DIR [--group NAME] (prepare [--stdin]|send) ORDER, or \
                     mastmaint-restore --state DIR (switch|back|prune [--leave-settings]|tidy) --run RUN, or mastmaint-restore --state DIR \
                     (list|resume); ORDER is JSON: what mastmaintd makes of its configuration. What lies on another host \
                     is pulled with --digest DIGEST, the accepted configuration in which it stands, and --fetch SOCKET, \
                     of who reaches that host, or --accepted DIR, for mastmaint-fetch beside this program. Exit \
                     status: 0 done, 1 refused or failed, 3 nothing to do";
/// So much of a stream is read at once.
const PIECE: usize = 256 * 1024;
const NOTHING: u8 = 3;

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(Did::Done) => ExitCode::SUCCESS,
        Ok(Did::Nothing) => ExitCode::from(NOTHING),
        Err(Failure::Usage(why)) => complain(&format!("{why}\n{USAGE}"), 2),
        Err(Failure::Restore(error)) => complain(&format!("error: {error} [{}]", error.code()), 1),
        Err(Failure::Input(error)) => complain(&format!("error: standard input cannot be read: {error}"), 1),
        Err(Failure::Output(error)) => {
            complain(&format!("error: standard output cannot be written: {error}"), 1)
        }
        Err(Failure::Json(error)) => complain(&format!("error: the list cannot be written: {error}"), 1),
    }
}

enum Failure {
    Usage(String),
    Restore(RestoreError),
    Json(serde_json::Error),
    Input(io::Error),
    Output(io::Error),
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        Self::Restore(error)
    }
}

/// How what lies on another host is had.
#[derive(Default)]
struct Away {
    socket: Option<PathBuf>,
    accepted: Option<PathBuf>,
    digest: Option<String>,
}

impl Away {
    fn known(self) -> Result<(Door, Digest), &'static str> {
        let digest = self.digest.and_then(|digest| digest.parse().ok());
        let digest = digest.ok_or("what lies on another host needs --digest, that of the configuration")?;
        let door = match (self.socket, self.accepted) {
            (Some(socket), _) => Door::Socket(socket),
            (None, Some(accepted)) => {
                let program = std::env::current_exe().unwrap_or_default().with_file_name("mastmaint-fetch");
                Door::Program { program, accepted }
            }
            (None, None) => return Err("what lies on another host needs --fetch, or --accepted"),
        };
        Ok((door, digest))
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Prepare,
    Resume,
    Switch,
    Back,
    Prune,
    PruneButSettings,
    Tidy,
    Send,
    List,
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<Did, Failure> {
    let usage = |why: &str| Failure::Usage(why.to_owned());
    let (mut state, mut proofs, mut group, mut verb) = (None, None, None, None);
    let (mut order, mut of_run) = (None, None);
    let (mut from_stdin, mut away) = (false, Away::default());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--state" => state = arguments.next().map(PathBuf::from),
            "--proofs" => proofs = arguments.next().map(PathBuf::from),
            "--group" => group = arguments.next(),
            "prepare" => verb = Some(Verb::Prepare),
            "switch" => verb = Some(Verb::Switch),
            "back" => verb = Some(Verb::Back),
            "prune" => verb = Some(Verb::Prune),
            "--leave-settings" if matches!(verb, Some(Verb::Prune)) => verb = Some(Verb::PruneButSettings),
            "tidy" => verb = Some(Verb::Tidy),
            "send" => verb = Some(Verb::Send),
            "--stdin" => from_stdin = true,
            "--fetch" => away.socket = arguments.next().map(PathBuf::from),
            "--accepted" => away.accepted = arguments.next().map(PathBuf::from),
            "--digest" => away.digest = arguments.next(),
            "list" => verb = Some(Verb::List),
            "resume" => verb = Some(Verb::Resume),
            "--run" => of_run = arguments.next(),
            text if text.starts_with('{') => order = Some(argument),
            other => return Err(Failure::Usage(format!("unknown argument {other:?}"))),
        }
    }
    let state = state.ok_or_else(|| usage("--state is missing"))?;
    let verb = verb.ok_or_else(|| usage("what to do is missing"))?;
    if matches!(verb, Verb::List) {
        return print(&state);
    }
    let progress = Progress::new("copied and read back");
    let nowhere = state.join("proofs");
    let tell = &progress;
    let site = Site { state: &state, proofs: &nowhere, group: group.as_deref(), tell, reach: &reach };
    if matches!(verb, Verb::Resume) {
        return Ok(resume(&site)?);
    }
    let order: Option<RestoreOrder> = order
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Failure::Usage(format!("the order: {error}")))?;
    let of_run = of_run.map(|run| run.parse::<RunId>()).transpose();
    let of_run = of_run.map_err(|_| usage("--run takes the id of a run"))?;
    let run = of_run.or_else(|| order.as_ref().map(|order| order.run.clone()));
    let run = run.ok_or_else(|| usage("which restore is missing: --run RUN, or an order"))?;
    match verb {
        Verb::Switch => return Ok(switch(&site, &run)?),
        Verb::Back => return Ok(back(&site, &run)?),
        Verb::Prune => return Ok(prune(&site, &run)?),
        Verb::PruneButSettings => return Ok(prune_but_settings(&site, &run)?),
        Verb::Tidy => return Ok(tidy(&site, &run)?),
        Verb::Prepare | Verb::Send | Verb::List | Verb::Resume => {}
    }
    let proofs = proofs.ok_or_else(|| usage("--proofs is missing"))?;
    let order = order.ok_or_else(|| usage("the order is missing"))?;
    let site = Site { proofs: &proofs, ..site };
    match verb {
        // What is said goes where the stream does not. Standard output itself would look for the end of each line.
        Verb::Send => {
            let out = io::stdout().as_fd().try_clone_to_owned().map_err(Failure::Output)?;
            Ok(send(&Site { tell: &Untold, ..site }, &order, &mut File::from(out))?)
        }
        _ if from_stdin => {
            let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(Failure::Input)?;
            let stream = Patient::of(File::from(stdin));
            Ok(receive(&site, &order, &mut BufReader::with_capacity(PIECE, stream))?)
        }
        _ if order.backup.place.is_pulled() => {
            let (door, digest) = away.known().map_err(usage)?;
            Ok(pull(&site, &order, &door, &digest)?)
        }
        _ => Ok(prepare(&site, &order)?),
    }
}

#[expect(clippy::print_stdout, reason = "its output is what it was asked for")]
fn print(state: &std::path::Path) -> Result<Did, Failure> {
    let all = list(state)?;
    println!("{}", serde_json::to_string(&all).map_err(Failure::Json)?);
    Ok(Did::Done)
}

/// Where tests kill.
#[cfg(feature = "failpoints")]
fn reach(point: &'static str) {
    mastmaint_failpoints::reach(point);
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
const fn reach(_: &'static str) {}

#[expect(clippy::print_stderr, reason = "a program on its own has nowhere else to say why it ended")]
fn complain(text: &str, status: u8) -> ExitCode {
    eprintln!("mastmaint-restore: {text}");
    ExitCode::from(status)
}

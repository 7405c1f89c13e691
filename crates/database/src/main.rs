//! `mastmaint-database`: one verb of the restore of a database. All it does is in the library; here it is asked and
//! answered.

use mastmaint_database::{
    DatabaseError, Did, Pending, Settings, Site, Wanted, answer, back, fits, prune, ready, resume, switch,
};
use mastmaint_instance::settings_of;
use mastmaint_verify::{load::Outcome, prove::Progress};
use mastmaint_words::RunId;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    collections::BTreeMap,
    io,
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    thread::sleep,
    time::{Duration, Instant},
};

const USAGE: &str = "usage: mastmaint-database --accepted DIR load, with the connection as descriptor 0, or mastmaint-database \
                     --live DIR [--wait SECONDS] (ready|switch|back|prune) --run RUN, or mastmaint-database --live DIR [--code DIR] [--wait SECONDS] match [--run RUN] [--after RUN] \
                     [--strict [--but-post]], which looks at today's database (switched in by the run --after) or at the one that --run has loaded, \
                     and refuses migrations that are still to be run and were not before (but for post-deployment ones), or mastmaint-database --paused DIR resume; \
                     switch and back pause PgBouncer only with --paused DIR. Exit \
                     status: 0 done, 1 refused or failed, 3 nothing to do";
const NOTHING: u8 = 3;
const ASK_AGAIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(Did::Done(sentence)) => say(&sentence, ExitCode::SUCCESS),
        Ok(Did::Nothing(sentence)) => say(&sentence, ExitCode::from(NOTHING)),
        Err(Failure::Usage(why)) => complain(&format!("{why}\n{USAGE}"), 2),
        Err(Failure::Database(error)) => complain(&format!("error: {error} [{}]", error.code()), 1),
        Err(Failure::Refused { code, why }) => complain(&format!("error: {why} [{code}]"), 1),
        Err(Failure::Io(error)) => complain(&format!("error: {error} [io]"), 1),
    }
}

enum Failure {
    Usage(String),
    Database(DatabaseError),
    Refused { code: String, why: String },
    Io(io::Error),
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Load,
    Match,
    Resume,
    OfRun(fn(&Site<'_>, &RunId) -> Result<Did, DatabaseError>),
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<Did, Failure> {
    let usage = |why: &str| Failure::Usage(why.to_owned());
    let (mut accepted, mut live, mut verb, mut of_run) = (None, None, None, None);
    let (mut paused, mut code): (Option<PathBuf>, Option<PathBuf>) = (None, None);
    let (mut strict, mut but_post, mut wait) = (false, false, Duration::ZERO);
    let mut after: Option<String> = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--accepted" => accepted = arguments.next().map(PathBuf::from),
            "--live" => live = arguments.next().map(PathBuf::from),
            "--paused" => paused = arguments.next().map(PathBuf::from),
            "--code" => code = arguments.next().map(PathBuf::from),
            "--run" => of_run = arguments.next(),
            "--after" => after = arguments.next(),
            "--strict" => strict = true,
            "--but-post" => but_post = true,
            "--wait" => {
                let seconds = arguments.next().and_then(|text| text.parse().ok());
                wait = Duration::from_secs(seconds.ok_or_else(|| usage("--wait takes seconds"))?);
            }
            "load" => verb = Some(Verb::Load),
            "ready" => verb = Some(Verb::OfRun(ready)),
            "switch" => verb = Some(Verb::OfRun(switch)),
            "back" => verb = Some(Verb::OfRun(back)),
            "prune" => verb = Some(Verb::OfRun(prune)),
            "resume" => verb = Some(Verb::Resume),
            "match" => verb = Some(Verb::Match),
            other => return Err(Failure::Usage(format!("unknown argument {other:?}"))),
        }
    }
    let verb = verb.ok_or_else(|| usage("what to do is missing"))?;
    let missing = |what: &str| Failure::Usage(format!("{what} is missing"));
    let id = |run: String| run.parse().map_err(|_| usage("--run and --after take the id of a run"));
    let of_run: Option<RunId> = of_run.map(id).transpose()?;
    let after: Option<RunId> = after.map(id).transpose()?;
    match verb {
        Verb::Load => load(&accepted.ok_or_else(|| missing("--accepted"))?),
        Verb::Resume => Ok(resume(&paused.ok_or_else(|| missing("--paused"))?)?),
        Verb::Match => {
            let pending = match (strict, but_post) {
                (false, _) => Pending::Told,
                (true, false) => Pending::Refused,
                (true, true) => Pending::RefusedButPost,
            };
            let asked = Asked { live, code, of_run, paused, wait };
            let live = asked.live.clone().unwrap_or_default();
            let wanted =
                Wanted { loaded: asked.of_run.as_ref(), after: after.as_ref(), live: &live, pending };
            at(&asked, |site| fits(site, &wanted))
        }
        Verb::OfRun(verb) => {
            let of_run = of_run.ok_or_else(|| missing("--run"))?;
            let asked = Asked { live, code, of_run: Some(of_run.clone()), paused, wait };
            at(&asked, |site| verb(site, &of_run))
        }
    }
}

/// Where a verb works, as it is asked.
struct Asked {
    live: Option<PathBuf>,
    /// The Rails root that will be live, where that is another one.
    code: Option<PathBuf>,
    of_run: Option<RunId>,
    paused: Option<PathBuf>,
    wait: Duration,
}

/// Does it at the instance whose Rails root this is, with the settings that count for the run. A server that is just being
/// restarted answers in a moment, and each verb can be asked again.
fn at(asked: &Asked, verb: impl Fn(&Site<'_>) -> Result<Did, DatabaseError>) -> Result<Did, Failure> {
    let live = asked.live.as_ref().ok_or_else(|| Failure::Usage("--live is missing".to_owned()))?;
    // What the step sets counts more than the files of the instance.
    let text = |part: std::ffi::OsString| part.to_string_lossy().into_owned();
    let over = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let settings_at = asked.of_run.as_ref().map_or_else(|| live.clone(), |run| settings_of(live, run));
    let settings =
        Settings::read(asked.code.as_ref().unwrap_or(live), &settings_at, &BTreeMap::new(), &over)?;
    let (paused, tell) = (asked.paused.as_deref(), &Progress::new("done"));
    let site = Site { settings: &settings, paused, tell, reach: &reach };
    let begin = Instant::now();
    loop {
        match verb(&site) {
            Err(DatabaseError::Silent { .. }) if begin.elapsed() < asked.wait => sleep(ASK_AGAIN),
            other => return Ok(other?),
        }
    }
}

fn load(accepted: &Path) -> Result<Did, Failure> {
    // Who is told to end drops what there is of the new database first.
    let is_cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&is_cancelled)).map_err(Failure::Io)?;
    }
    let connection = io::stdin().as_fd().try_clone_to_owned().map_err(Failure::Io)?;
    match answer(&UnixStream::from(connection), accepted, &is_cancelled, &reach).map_err(Failure::Io)? {
        Outcome::Loaded(plan) => Ok(Did::Done(plan.sentence)),
        Outcome::Refused { code, why } => Err(Failure::Refused { code, why }),
    }
}

/// Where tests kill.
#[cfg(feature = "failpoints")]
fn reach(point: &'static str) {
    mastmaint_failpoints::reach(point);
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
const fn reach(_: &'static str) {}

#[expect(clippy::print_stdout, reason = "its last line is what came of it")]
fn say(sentence: &str, status: ExitCode) -> ExitCode {
    if !sentence.is_empty() {
        println!("{sentence}");
    }
    status
}

#[expect(clippy::print_stderr, reason = "a program on its own has nowhere else to say why it ended")]
fn complain(text: &str, status: u8) -> ExitCode {
    eprintln!("mastmaint-database: {text}");
    ExitCode::from(status)
}

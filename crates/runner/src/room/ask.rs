//! Probes are asked by `mastmaint-probe`, a program of its own beside the runner: with TLS and a client of PostgreSQL in
//! it the runner would cost every step their size. It asks all of them at once and keeps their timeouts itself.

use super::{
    Options,
    connection::{Connection, refused},
};
use crate::{
    probe::Said,
    protocol::{AskedProbe, EventKind, ProbeAnswer},
};
use mastmaint_config::{Store, probes::Probes};
use mastmaint_words::{Digest, ProbeName, Room};
use std::{
    collections::BTreeSet,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How much later than the last timeout the program may be done.
const BEYOND: Duration = Duration::from_secs(10);
/// More than all answers together take.
const MOST_BYTES: u64 = 1024 * 1024;
/// What a child may need of its invoker's environment where no unit gives it one.
const PASSED_ON: [&str; 3] = ["PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The program that asks, installed beside the runner.
pub(super) fn ask_program() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("mastmaint-probe")
}

/// What it finds of the environment of whoever started a room that has no walls.
pub(super) fn passed_on() -> impl Iterator<Item = (String, String)> {
    PASSED_ON.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
}

/// Asks probes and says what each was answered.
///
/// # Errors
/// If the client is gone.
pub(super) fn ask(
    options: &Options,
    connection: &mut Connection,
    digest: &Digest,
    asked: &[AskedProbe],
) -> io::Result<()> {
    if options.room != Room::Probe {
        let text = format!("the {} room asks no probes; ask the probe room", options.room);
        return connection.say(refused("wrong-room", text));
    }
    let known = match Store::new(options.accepted.clone()).room_view(options.room, digest) {
        Ok(view) => view.probes,
        Err(error) => return connection.say(refused("not-in-config", error.to_string())),
    };
    if let Some(unknown) = asked.iter().find(|asked| !known.contains_key(&asked.name)) {
        let text = format!("the configuration {digest} has no probe {}", unknown.name);
        return connection.say(refused("not-in-config", text));
    }
    let mut left: BTreeSet<ProbeName> = asked.iter().map(|asked| asked.name.clone()).collect();
    let why = match start(options, digest, asked) {
        Ok(mut child) => {
            let said = relay(&mut child, connection, &mut left, patience(&known, asked));
            // One that has answered or has had its time has nothing more to do.
            let _ = child.kill();
            let _ = child.wait();
            said?;
            "mastmaint-probe broke off without an answer".to_owned()
        }
        Err(error) => format!("mastmaint-probe cannot be started: {error}"),
    };
    for name in left {
        let said = Said::NotAsked { why: why.clone() };
        connection.say(EventKind::Answered(ProbeAnswer { name, said, note: None }))?;
    }
    connection.say(EventKind::Listed)
}

/// How long all of them may take.
fn patience(known: &Probes, asked: &[AskedProbe]) -> Duration {
    let timeouts = asked.iter().filter_map(|asked| known.get(&asked.name)).map(|probe| probe.timeout.get());
    timeouts.max().unwrap_or_default() + BEYOND
}

fn start(options: &Options, digest: &Digest, asked: &[AskedProbe]) -> io::Result<Child> {
    let mut command = Command::new(ask_program());
    command.arg("--accepted").arg(&options.accepted).args(["--digest", digest.as_str()]).env_clear();
    if !options.walled {
        command.arg("--unwalled").envs(passed_on());
    }
    command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let questions = serde_json::to_vec(asked)?;
    if let Some(mut stdin) = child.stdin.take() {
        thread::spawn(move || {
            // A program that reads nothing says so by its answer.
            let _ = stdin.write_all(&questions);
        });
    }
    Ok(child)
}

/// Passes answers on as they come, each probe's once, until all are there or the time is over.
fn relay(
    child: &mut Child,
    connection: &mut Connection,
    left: &mut BTreeSet<ProbeName>,
    patience: Duration,
) -> io::Result<()> {
    let Some(stdout) = child.stdout.take() else { return Ok(()) };
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout.take(MOST_BYTES)).lines() {
            let answer = line.ok().and_then(|line| serde_json::from_str::<ProbeAnswer>(&line).ok());
            // Nobody listens once the time is over.
            let Some(true) = answer.map(|answer| tell.send(answer).is_ok()) else { return };
        }
    });
    let end = Instant::now() + patience;
    while !left.is_empty() {
        let Ok(answer) = told.recv_timeout(end.saturating_duration_since(Instant::now())) else {
            return Ok(());
        };
        if left.remove(&answer.name) {
            connection.say(EventKind::Answered(answer))?;
        }
    }
    Ok(())
}

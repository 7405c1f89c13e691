//! The dump goes into the scratch PostgreSQL: an archive by `pg_restore`, text by `psql`. Any complaint that is not
//! known to be harmless ends it.

use super::{
    Order, Shape, Stop,
    cluster::{Cluster, DATABASE},
    complaint::Complaints,
    space,
};
use crate::{
    dump::is_ended,
    error::VerifyError,
    finding::{Code, Finding},
    stream,
};
use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    process::{Child, ChildStdin, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Who has ended has said everything by then.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Enough for the completion line and what follows it.
const TAIL: usize = 600;

/// How the program that restores came to its end.
enum Ended {
    Exited(ExitStatus),
    GivenUp,
    ServerDied,
    DiskFull,
    Cancelled,
}

/// What was fed of a text.
#[derive(Default)]
struct Fed {
    tail: Vec<u8>,
    broken: Option<io::Error>,
}

/// Restores; what was harmless is told.
pub(super) fn restore(
    cluster: &mut Cluster,
    order: &Order,
    dump: File,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Vec<String>, Stop> {
    let error = VerifyError::drill(cluster.directory());
    let (mut child, feeding) = start(cluster, order.shape, dump).map_err(error)?;
    let complaints = Arc::new(Mutex::new(Complaints::default()));
    let listening = listen(&mut child, &complaints);
    let heard = || complaints.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ended = wait(&mut child, cluster, order.reserve, is_cancelled, &|| !heard().fatal.is_empty())?;
    await_end(&listening);
    // Who was ended may leave the feeding thread at a pipe in which nothing comes: it goes with this process.
    let has_fed = matches!(ended, Ended::Exited(_));
    let fed = feeding.filter(|_| has_fed).map(|feeding| {
        await_end(&feeding);
        if feeding.is_finished() { feeding.join().unwrap_or_default() } else { Fed::default() }
    });
    judge(cluster, order, &ended, &heard(), fed.as_ref())
}

fn start(cluster: &Cluster, shape: Shape, dump: File) -> io::Result<(Child, Option<JoinHandle<Fed>>)> {
    if let Shape::Archive(..) = shape {
        let mut restore = cluster.client("pg_restore", DATABASE);
        restore.args(["--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions"]);
        let child = restore.stdin(dump).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        return Ok((child, None));
    }
    let database = if shape == Shape::Cluster { "postgres" } else { DATABASE };
    let mut psql = cluster.client("psql", database);
    // Not ON_ERROR_STOP: what is harmless must not end it, and what is not is seen by us.
    psql.args(["-X", "-q", "-f", "-"]);
    let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let feeding = child.stdin.take().map(|to| thread::spawn(move || feed(dump, to)));
    Ok((child, feeding))
}

/// Unpacks the dump into `psql` and keeps its end.
fn feed(dump: File, mut to: ChildStdin) -> Fed {
    let mut fed = Fed::default();
    let mut text = match stream::unpack_file(dump) {
        Ok(text) => text,
        Err(error) => return Fed { broken: Some(error), ..fed },
    };
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = match text.read(&mut buffer) {
            Ok(0) => return fed,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Fed { broken: Some(error), ..fed },
        };
        fed.tail.extend_from_slice(&buffer[..count]);
        let surplus = fed.tail.len().saturating_sub(TAIL);
        fed.tail.drain(..surplus);
        if to.write_all(&buffer[..count]).is_err() {
            // psql has ended; it has said why.
            return Fed::default();
        }
    }
}

fn listen(child: &mut Child, complaints: &Arc<Mutex<Complaints>>) -> JoinHandle<()> {
    let (from, complaints) = (child.stderr.take(), Arc::clone(complaints));
    thread::spawn(move || {
        if let Some(from) = from {
            Complaints::read(from, |heard| {
                complaints.lock().unwrap_or_else(PoisonError::into_inner).clone_from(heard);
            });
        }
    })
}

fn await_end<T>(thread: &JoinHandle<T>) {
    let begun = Instant::now();
    while !thread.is_finished() && begun.elapsed() < LAST_WORDS {
        thread::sleep(LOOK_EVERY / 4);
    }
}

fn wait(
    child: &mut Child,
    cluster: &mut Cluster,
    reserve: u64,
    is_cancelled: &dyn Fn() -> bool,
    has_failed: &dyn Fn() -> bool,
) -> Result<Ended, VerifyError> {
    let ended = loop {
        if let Some(status) = child.try_wait().map_err(VerifyError::drill(cluster.directory()))? {
            return Ok(Ended::Exited(status));
        }
        if is_cancelled() {
            break Ended::Cancelled;
        }
        if space::free(cluster.directory())? < reserve {
            break Ended::DiskFull;
        }
        if cluster.is_dead() {
            break Ended::ServerDied;
        }
        if has_failed() {
            // A moment for the lines that explain it.
            thread::sleep(LOOK_EVERY * 5);
            break Ended::GivenUp;
        }
        thread::sleep(LOOK_EVERY);
    };
    let _ = child.kill();
    let _ = child.wait();
    Ok(ended)
}

/// The cause is told and not its consequences: a full disk and a dead server come before what failed because of them.
fn judge(
    cluster: &mut Cluster,
    order: &Order,
    ended: &Ended,
    heard: &Complaints,
    fed: Option<&Fed>,
) -> Result<Vec<String>, Stop> {
    if matches!(ended, Ended::Cancelled) {
        return Err(VerifyError::Cancelled.into());
    }
    let dump = &order.dump;
    let has_died = matches!(ended, Ended::ServerDied) || (heard.say_server_died() && dies(cluster));
    let log = cluster.log();
    let no_space = |line: &&String| line.contains("No space left on device");
    if matches!(ended, Ended::DiskFull) || heard.fatal.iter().chain(&log).any(|l| no_space(&l)) {
        let evidence: Vec<String> =
            heard.fatal.iter().chain(&log).filter(no_space).take(3).cloned().collect();
        return Err(space::filled_up(dump, cluster.directory(), evidence).into());
    }
    if has_died || cluster.is_dead() {
        let what = format!("the drill of {dump} was given up: its scratch PostgreSQL ended in the middle");
        let advice = "See the journal for who ended it (the OOM killer?), then run it again. Whether the dump comes back is not known.";
        return Err(Finding::fail(Code::DrillDied, what, advice).with(log).into());
    }
    if let Some(error) = fed.and_then(|f| f.broken.as_ref()) {
        return Err(stream::broken(dump, error).into());
    }
    let version = match order.shape {
        Shape::Archive(a, b) => Some((a, b)),
        Shape::Text | Shape::Cluster => None,
    };
    if let Some(finding) = heard.finding(dump, version, cluster.programs.major) {
        return Err(finding.into());
    }
    let is_fine = match ended {
        Ended::Exited(status) if status.success() => true,
        Ended::Exited(status) => status.code() == Some(1) && version.is_some() && heard.explain_ignored(),
        _ => false,
    };
    if !is_fine {
        let how = match ended {
            Ended::Exited(status) => status.to_string(),
            _ => "it was ended".to_owned(),
        };
        let what = format!("{dump} cannot be restored: the program that restores it ended with {how}");
        let advice = "See what it says; it would not come back whole.";
        return Err(Finding::fail(Code::RestoreErrors, what, advice).with(heard.last()).into());
    }
    if let Some(fed) = fed
        && !is_ended(&String::from_utf8_lossy(&fed.tail), order.shape == Shape::Cluster)
    {
        let what = format!("{dump} ends before its end: the completion line is missing");
        let advice = "It would not come back whole. Keep older dumps until there is a good one again, and see why: the disk it lies on, the end of pg_dump's output.";
        return Err(Finding::fail(Code::CutShort, what, advice).into());
    }
    Ok(heard.harmless())
}

/// A server that crashed takes a moment to be gone.
fn dies(cluster: &mut Cluster) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < LAST_WORDS {
        if cluster.is_dead() {
            return true;
        }
        thread::sleep(LOOK_EVERY);
    }
    false
}

//! A room's side of the protocol: one process a connection. Each request is answered from what the room's state
//! directory says about the step, so that it does not matter which runner a client reaches: the one that works, or a
//! fresh one, which passes it on.

mod accept;
mod around;
mod ask;
mod client;
pub mod connection;
mod copied;
mod database;
mod flush;
mod guarded;
mod hub;
mod orphans;
mod plan;
mod probed;
mod relay;
mod restore;
mod services;
mod uploads;
mod verify;
mod work;

use crate::probe::{self, Prober};
use crate::protocol::{EventKind, OLDEST_VERSION, Op, StepReport};
use crate::requires::{self, Looker};
use crate::step_dir::{Begun, Known, StepDir, Steps};
use crate::systemctl::Systemctl;
use base64::Engine;
use connection::{Asked, Connection, refused};
use jiff::Timestamp;
use mastmaint_config::InUse;
use mastmaint_failpoints::failpoint;
use mastmaint_words::{Digest, Grade, JobName, Outcome, Reason, Room, StepKey, UnitName, Verdict};
use relay::Relayed;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a client may stay without a request.
const IDLE: Duration = Duration::from_secs(30);
/// How long another runner may take between its lock and its socket.
const HANDOVER: Duration = Duration::from_secs(5);
/// What nobody collected for so long is thrown away.
const KEEP: Duration = Duration::from_hours(30 * 24);
/// Bytes of the kept copy in one frame.
const PIECE: usize = 33 * 1024;

/// Code of a refusal because nothing can be recorded.
const NO_STATE: &str = "no-state";

/// Where a room finds its things.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which room it is.
    pub room: Room,
    /// Root of the accepted configurations.
    pub accepted: PathBuf,
    /// The room's state directory.
    pub state: PathBuf,
    /// Where a step is kept while the state directory cannot be written: a place in memory that outlives the daemon
    /// and the runner, though not the host. In the systemctl room only for a start of services that is owed.
    pub spare: Option<PathBuf>,
    /// The configuration that the systemctl room accepts.
    pub config: PathBuf,
    /// Where the sockets of the other rooms are.
    pub rooms: PathBuf,
    /// Whether systemd has put walls around it; if not, its invoker is trusted as root is.
    pub walled: bool,
}

/// Serves one client until it goes, and the step that it starts until that has ended.
///
/// # Errors
/// If the connection cannot be used. Everything else is said to the client.
pub fn serve(options: &Options, stream: UnixStream) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    let program = env!("CARGO_PKG_VERSION").to_owned();
    connection.say(EventKind::Hello { room: options.room, program, oldest: OLDEST_VERSION })?;
    let mut first = true;
    loop {
        match connection.ask(Some(IDLE)) {
            Asked::Nonsense(refusal) => return connection.say(refusal),
            Asked::Nothing if first => {
                let text = format!("no request came within {} s", IDLE.as_secs());
                return connection.say(refused("bad-request", text));
            }
            // One that has had its answers and idles needs no sermon.
            Asked::Nothing | Asked::Gone => return Ok(()),
            Asked::For(Op::Accept { in_use, keep_all }) => {
                let in_use = if keep_all { InUse::Unknown } else { InUse::These(&in_use) };
                connection.say(accept::accept(options, in_use))?;
            }
            Asked::For(Op::Notify { .. }) => {
                let text = format!("the {} room tells nobody anything; ask the notify room", options.room);
                connection.say(refused("wrong-room", text))?;
            }
            Asked::For(Op::Resume { run }) => connection.say(services::resume(options, &run))?,
            Asked::For(Op::Probe { digest, unit, since }) => {
                connection.say(probe(options, &digest, &unit, since))?;
            }
            Asked::For(Op::Ask { digest, probes }) => ask::ask(options, &mut connection, &digest, &probes)?,
            Asked::For(Op::Look { digest, job }) => connection.say(look(options, &digest, &job))?,
            Asked::For(Op::Brackets) => {
                for bracket in services::list(options) {
                    connection.say(bracket)?;
                }
                connection.say(EventKind::Listed)?;
            }
            Asked::For(Op::List) => {
                for kept in kept(options) {
                    connection.say(kept)?;
                }
                connection.say(EventKind::Listed)?;
            }
            Asked::For(op) => {
                let Some(key) = op.key().cloned() else { continue };
                match about_step(options, connection, &key, &op)? {
                    Some(still_there) => connection = still_there,
                    None => return Ok(()),
                }
            }
        }
        first = false;
    }
}

/// Answers a request about a step; gives the connection back if more may be asked on it.
fn about_step(
    options: &Options,
    mut connection: Connection,
    key: &StepKey,
    op: &Op,
) -> io::Result<Option<Connection>> {
    let deadline = Instant::now() + HANDOVER;
    let starts = plan::Named::of(op);
    loop {
        let (known, steps) = match find(options, key, starts.is_some()) {
            // Thrown away by another runner just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < deadline => continue,
            Err(error) => {
                connection.say(refused("no-state", cannot_record(options, &error)))?;
                return Ok(Some(connection));
            }
            Ok(found) => found,
        };
        match (known, &starts) {
            (Known::Fresh(dir), Some(named)) => {
                match begin(options, named, dir).or_else(|refusal| begin_in_memory(options, named, refusal)) {
                    Ok(begun) => {
                        std::thread::spawn(move || steps.sweep(KEEP));
                        work::work(begun, connection, op)?;
                        return Ok(None);
                    }
                    Err(refusal) => connection.say(refused(refusal.code, refusal.message))?,
                }
                return Ok(Some(connection));
            }
            (Known::Fresh(_) | Known::Unknown, _) => {
                let answer =
                    if matches!(op, Op::Forget { .. }) { EventKind::Forgotten } else { EventKind::Unknown };
                connection.say(answer)?;
                return Ok(Some(connection));
            }
            (Known::Working, _) => {
                if relay::relay(&steps, key, &connection, op)? == Relayed::Done {
                    return Ok(None);
                }
                if Instant::now() > deadline {
                    let text = format!("another runner holds the step {key} and does not answer; try again");
                    connection.say(refused("busy", text))?;
                    return Ok(Some(connection));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            (Known::Died(dir), _) => {
                // A start of services that was cut is owed still, and the end of a change: this runner goes on with it.
                let dir = match begin_again(options, key, dir) {
                    Ok(begun) => {
                        work::work(begun, connection, op)?;
                        return Ok(None);
                    }
                    Err(dir) => dir,
                };
                let report = bury(key, &dir);
                tidy(options, key, &dir);
                // Where it cannot be written, it is found out again next time.
                let _ = dir.finish(&report, &[], &[]);
                finished(&mut connection, dir, report, op)?;
                return Ok(Some(connection));
            }
            (Known::Finished(dir), _) => {
                match dir.outcome() {
                    Ok(report) => finished(&mut connection, dir, report, op)?,
                    Err(error) => {
                        let text = format!(
                            "the outcome of the step {key} cannot be read: {error}; it was not run again"
                        );
                        connection.say(refused("no-state", text))?;
                    }
                }
                return Ok(Some(connection));
            }
        }
    }
}

/// What is known of a step, and where it is kept. A step that is to be started and of which nothing is known is
/// claimed in the state directory, or in memory where that cannot be written.
fn find(options: &Options, key: &StepKey, claim: bool) -> io::Result<(Known, Steps)> {
    let in_memory = options.spare.as_deref();
    if let Some(steps) = in_memory.and_then(|spare| Steps::there(spare).ok()) {
        match steps.look(key)? {
            Known::Unknown => {}
            known => return Ok((known, steps)),
        }
    }
    let kept = Steps::open(&options.state).and_then(|steps| {
        let known = if claim { steps.claim(key) } else { steps.look(key) };
        Ok((known?, steps))
    });
    match (kept, in_memory) {
        (Err(error), Some(spare)) if error.kind() != io::ErrorKind::NotFound => {
            let steps = Steps::open(spare).map_err(|_| error)?;
            let known = if claim { steps.claim(key) } else { steps.look(key) };
            Ok((known?, steps))
        }
        (kept, _) => kept,
    }
}

/// Every step that is kept, on disk or in memory.
fn kept(options: &Options) -> Vec<EventKind> {
    let places = [Some(options.state.as_path()), options.spare.as_deref()];
    let steps = places.into_iter().flatten().filter_map(|place| Steps::there(place).ok());
    steps
        .flat_map(|steps| steps.list())
        .map(|(begun, working)| {
            let Begun { key, job, digest, at } = begun;
            EventKind::Kept { key, job, digest, at, working }
        })
        .collect()
}

/// Asks a service of the instance whether it works.
fn probe(options: &Options, digest: &Digest, unit: &UnitName, since: Timestamp) -> EventKind {
    if options.room != Room::Probe {
        return refused(
            "wrong-room",
            format!("the {} room asks no services; ask the probe room", options.room),
        );
    }
    let prober = Prober { accepted: options.accepted.clone(), systemctl: Systemctl::new(options.walled) };
    match probe::probe(&prober, digest, unit, since) {
        Ok(said) => EventKind::Probed { said },
        Err(why) => refused("not-in-config", why),
    }
}

/// Looks at what a job requires.
fn look(options: &Options, digest: &Digest, job: &JobName) -> EventKind {
    let prober = Prober { accepted: options.accepted.clone(), systemctl: Systemctl::new(options.walled) };
    match requires::look(&Looker { room: options.room, prober }, digest, job) {
        Ok(unmet) => EventKind::Looked { unmet },
        Err(why) => refused("not-in-config", why),
    }
}

/// Whether a step is kept in memory, from where a restart of the host takes it away.
fn is_in_memory(options: &Options, dir: &StepDir) -> bool {
    options.spare.as_ref().is_some_and(|spare| std::path::Path::new(&dir.mark()).starts_with(spare))
}

/// Goes on with a step whose runner died, if it is one that is owed; else gives it back. What the dead one has left
/// running is ended first: nothing is done twice at once.
fn begin_again(options: &Options, key: &StepKey, dir: StepDir) -> Result<work::Begun, StepDir> {
    let Some(mut work) = planned_again(options, key, &dir).filter(plan::Work::is_owed) else {
        return Err(dir);
    };
    if let plan::Work::Run(process) = &mut work {
        orphans::end(&dir.mark(), dir.child());
        process.command.environment.insert(orphans::MARK.to_owned(), dir.mark());
    }
    match dir.listen_again() {
        Ok(listener) => Ok(work::Begun { key: key.clone(), dir, listener, work }),
        Err(_) => Err(dir),
    }
}

/// What was to be done for a step that is begun.
fn planned_again(options: &Options, key: &StepKey, dir: &StepDir) -> Option<plan::Work> {
    let Begun { digest, job, .. } = dir.begun()?;
    let named = plan::Named { digest, job, key: key.clone(), dry_run: false, limit: None };
    plan::plan(options, &named).ok()
}

/// Removes what a step has left whose runner died, once nothing of it runs any more.
fn tidy(options: &Options, key: &StepKey, dir: &StepDir) {
    if let Some(plan::Work::Run(process)) = planned_again(options, key, dir) {
        work::tidy(&process);
    }
}

/// A start that could not be made durable, tried again in memory: a full disk stops no maintenance.
fn begin_in_memory(
    options: &Options,
    named: &plan::Named,
    refusal: plan::Refusal,
) -> Result<work::Begun, plan::Refusal> {
    let Some(spare) = options.spare.as_deref().filter(|_| refusal.code == NO_STATE) else {
        return Err(refusal);
    };
    match Steps::open(spare).and_then(|steps| steps.claim(&named.key)) {
        Ok(Known::Fresh(dir)) => begin(options, named, dir),
        _ => Err(refusal),
    }
}

/// Decides what is done, and makes the start durable before anything is.
fn begin(options: &Options, named: &plan::Named, dir: StepDir) -> Result<work::Begun, plan::Refusal> {
    let no_state =
        |error: io::Error| plan::Refusal { code: NO_STATE, message: cannot_record(options, &error) };
    let begun = Begun {
        key: named.key.clone(),
        job: named.job.clone(),
        digest: named.digest.clone(),
        at: Timestamp::now(),
    };
    let prepared = plan::plan(options, named).and_then(|mut work| {
        // What can stop services is not begun without a durable record.
        if options.room == Room::Systemctl && !work.is_owed() && is_in_memory(options, &dir) {
            return Err(no_state(io::Error::from(io::ErrorKind::StorageFull)));
        }
        if let plan::Work::Run(process) = &mut work {
            process.command.environment.insert(orphans::MARK.to_owned(), dir.mark());
        }
        failpoint!("step.before-begin");
        dir.begin(&begun).map_err(no_state)?;
        failpoint!("step.begun");
        Ok((work, dir.listen().map_err(no_state)?))
    });
    match prepared {
        Ok((work, listener)) => Ok(work::Begun { key: named.key.clone(), dir, listener, work }),
        Err(refusal) => {
            // Nothing ran, so nothing is to be remembered. If it cannot be removed it reads as interrupted.
            let _ = dir.remove();
            Err(refusal)
        }
    }
}

/// The outcome of a step whose runner died; ends what it left running.
fn bury(key: &StepKey, dir: &StepDir) -> StepReport {
    let orphans = orphans::end(&dir.mark(), dir.child());
    let left = if orphans > 0 {
        format!("; {orphans} processes that it left behind were ended")
    } else {
        String::new()
    };
    let text = format!(
        "the runner of the step died with it (killed, or the host went down); how far it came is not known{left}"
    );
    let verdict = Verdict::because(Outcome::Interrupted, Grade::Exit, Reason::new("runner-died", text));
    let report = work::settled(key.clone(), verdict);
    // How long it took is not known and stays zero.
    let started = dir.begun().map_or(report.started, |begun| begun.at);
    StepReport { started, ..report }
}

/// Answers a request about a step that is over.
fn finished(connection: &mut Connection, dir: StepDir, report: StepReport, op: &Op) -> io::Result<()> {
    let after = match op {
        Op::Start { .. }
        | Op::Accept { .. }
        | Op::Notify { .. }
        | Op::List
        | Op::Brackets
        | Op::Resume { .. }
        | Op::Probe { .. }
        | Op::Ask { .. }
        | Op::Look { .. } => 0,
        Op::Collect { after, .. } => *after,
        Op::Cancel { .. } => return connection.say(client::not_running(&report.key)),
        Op::Forget { .. } => {
            return match dir.remove() {
                Ok(()) => connection.say(EventKind::Forgotten),
                Err(error) => {
                    connection.say(refused("no-state", format!("the step cannot be forgotten: {error}")))
                }
            };
        }
    };
    let (events, copy) = (dir.events(after), dir.copy());
    // Others may look at it while this client reads.
    drop(dir);
    for event in events {
        connection.say_numbered(event.seq, event.kind)?;
    }
    for piece in copy.chunks(PIECE) {
        connection.say(EventKind::Copy { data: base64::engine::general_purpose::STANDARD.encode(piece) })?;
    }
    connection.say(EventKind::Finished { report: Box::new(report) })
}

fn cannot_record(options: &Options, error: &io::Error) -> String {
    format!(
        "the {} room cannot write to {}: {error}; a step whose start is not recorded could run twice, so none is \
         started until there is room and leave to write",
        options.room,
        options.state.display()
    )
}

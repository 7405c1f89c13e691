//! The dump goes into the scratch PostgreSQL. The cause of an end is told and not its consequences: a full disk and a
//! dead server come before what failed because of them.

use super::{
    Order, Shape, Stop,
    cluster::{Cluster, DATABASE},
    space,
};
use crate::{
    error::VerifyError,
    finding::{Code, Finding},
    revive::{Complaints, Ended, pour},
};
use std::{
    cell::RefCell,
    fs::File,
    thread,
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A server that crashed is gone by then.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why a restore is ended that has not failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halt {
    ServerDied,
    DiskFull,
    Cancelled,
}

/// Restores; what was harmless is told.
pub(super) fn restore(
    cluster: &mut Cluster,
    order: &Order,
    dump: File,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Vec<String>, Stop> {
    let database = if order.shape == Shape::Cluster { "postgres" } else { DATABASE };
    let directory = cluster.directory().to_owned();
    let shared = RefCell::new(&mut *cluster);
    let client = |program: &str| shared.borrow().client(program, database);
    let mut stop = || {
        if is_cancelled() {
            return Ok(Some(Halt::Cancelled));
        }
        if space::free_at(shared.borrow().directory())? < order.reserve {
            return Ok(Some(Halt::DiskFull));
        }
        Ok(shared.borrow_mut().is_dead().then_some(Halt::ServerDied))
    };
    let poured = pour(order.shape, dump, None, &client, &mut stop).map_err(VerifyError::drill(directory))?;
    obstacle(cluster, order, poured.ended, &poured.heard)?;
    let verdict = poured.verdict(&order.dump, order.shape, cluster.programs.major);
    verdict.map_err(Stop::Found)
}

/// What was in its way and says nothing of the dump.
fn obstacle(
    cluster: &mut Cluster,
    order: &Order,
    ended: Ended<Halt>,
    heard: &Complaints,
) -> Result<(), Stop> {
    if ended == Ended::Stopped(Halt::Cancelled) {
        return Err(VerifyError::Cancelled.into());
    }
    let dump = &order.dump;
    let has_died = ended == Ended::Stopped(Halt::ServerDied) || (heard.say_server_died() && dies(cluster));
    let log = cluster.log();
    let no_space = |line: &&String| line.contains("No space left on device");
    if ended == Ended::Stopped(Halt::DiskFull) || heard.fatal.iter().chain(&log).any(|l| no_space(&l)) {
        let evidence: Vec<String> =
            heard.fatal.iter().chain(&log).filter(no_space).take(3).cloned().collect();
        return Err(space::filled_up(dump, cluster.directory(), evidence).into());
    }
    if has_died || cluster.is_dead() {
        let what = format!("the drill of {dump} was given up: its scratch PostgreSQL ended in the middle");
        let advice = "See the journal for who ended it (the OOM killer?), then run it again. Whether the dump comes back is not known.";
        return Err(Finding::fail(Code::DrillDied, what, advice).with(log).into());
    }
    Ok(())
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

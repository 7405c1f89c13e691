//! The dump goes into the new database.

use crate::{error::DatabaseError, load::Load, progress::Progress, space::Disk};
use mastmaint_verify::revive::{Ended, Poured, Shape, pour};
use std::{
    fs::File,
    io::Read as _,
    time::{Duration, Instant},
};

/// The disk is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why it is ended that has not failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halt {
    Cancelled,
    DiskFull,
}

/// Fills it; what was harmless is told.
pub(crate) fn fill(load: &Load<'_>, file: File, disk: Option<&Disk>) -> Result<Vec<String>, DatabaseError> {
    let (bench, dump) = (&load.bench, load.dump);
    let client = |program: &str| bench.server.client(program, &bench.names.new);
    let is_full = || disk.is_some_and(Disk::is_full);
    let mut progress = Progress::of(&file);
    let mut looked = Instant::now();
    let mut stop = || {
        if bench.site.tell.is_cancelled() {
            return Ok(Some(Halt::Cancelled));
        }
        if looked.elapsed() < LOOK_EVERY {
            return Ok(None);
        }
        looked = Instant::now();
        progress.tell(bench.site.tell);
        Ok(is_full().then_some(Halt::DiskFull))
    };
    let key = key(load)?;
    let poured = pour(dump.shape, file, key.as_deref(), &client, &mut stop)
        .map_err(DatabaseError::io(format!("loading {}", dump.name)))?;
    if poured.ended == Ended::Stopped(Halt::Cancelled) {
        return Err(DatabaseError::Cancelled);
    }
    if poured.ended == Ended::Stopped(Halt::DiskFull) || has_no_space(&poured) || is_full() {
        // Another one than that which is known may be full: that of a tablespace.
        return Err(Disk::filled_up(disk.filter(|_| is_full())));
    }
    if poured.heard.say_server_died() {
        let doing = format!("loading {}", dump.name);
        return Err(DatabaseError::Sql { doing, why: poured.heard.fatal.join("; ") });
    }
    poured.verdict(&dump.name, dump.shape, bench.server.programs.major).map_err(DatabaseError::Dump)
}

/// What keeps psql to SQL: here it runs as the instance's user, and a text may hold any of its commands.
fn key(load: &Load<'_>) -> Result<Option<String>, DatabaseError> {
    if let Shape::Archive(..) = load.dump.shape {
        return Ok(None);
    }
    if let Err(refusal) = load.bench.server.sql(&load.bench.names.new, &["\\restrict known"]) {
        let what =
            format!("psql of this host does not know how to keep a text dump to SQL ({})", refusal.said);
        let advice = "Update the package postgresql-client: that of August 2025 and later does".to_owned();
        return Err(DatabaseError::NoProgram { what, advice });
    }
    let mut random = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut from| from.read_exact(&mut random));
    read.map_err(DatabaseError::io("/dev/urandom"))?;
    Ok(Some(format!("{:032x}", u128::from_le_bytes(random))))
}

fn has_no_space(poured: &Poured<Halt>) -> bool {
    poured.heard.fatal.iter().any(|line| line.contains("No space left on device"))
}

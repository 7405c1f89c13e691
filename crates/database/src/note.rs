//! That PgBouncer is paused is written down before it is, so that it goes on whatever becomes of who paused it: systemd
//! calls [`resume`] whenever the room in which that is done has ended, by a SIGKILL, too.

use crate::{
    error::DatabaseError,
    pooler::{self, CONSOLE, Who},
    psql::Server,
    settings::Settings,
    site::Did,
    text::identifier,
};
use mastmaint_instance::settings_of;
use mastmaint_words::RunId;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// It answers within this, or is not there.
const RESUME: Duration = Duration::from_secs(10);
/// It may just be started, with a pause that it has forgotten.
const PATIENCE: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Says how to reach it again. No password is in it: the settings of the instance hold that.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    /// Of which restore.
    run: RunId,
    /// The Rails root.
    live: PathBuf,
}

/// A note that is held for as long as who has paused it lives.
#[derive(Debug)]
pub(crate) struct Note {
    path: PathBuf,
    _lock: File,
}

impl Note {
    /// Writes it down, durably.
    pub(crate) fn write(directory: &Path, run: &RunId, live: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let path = of_run(directory, run);
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        // Who resumes what was left holds it for a moment.
        flock(&file, FlockOperation::LockExclusive)?;
        let text = serde_json::to_vec(&Written { run: run.clone(), live: live.to_owned() })?;
        file.set_len(0)?;
        file.write_all(&text)?;
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(Self { path, _lock: file })
    }

    /// It goes on: nobody else need see to that.
    pub(crate) fn remove(self) {
        // One that stays is found not to be paused.
        let _ = fs::remove_file(&self.path);
    }
}

fn of_run(directory: &Path, run: &RunId) -> PathBuf {
    directory.join(format!("{run}.json"))
}

/// Lets every PgBouncer go on that somebody has paused who is no more.
///
/// # Errors
/// The last that does not go on; its note stays, and the next call tries again.
pub fn resume(directory: &Path) -> Result<Did, DatabaseError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Did::Nothing(String::new())),
        other => other.map_err(DatabaseError::io(directory.display().to_string()))?,
    };
    let (mut done, mut left) = (Vec::new(), None);
    for path in entries.flatten().map(|entry| entry.path()) {
        match one(&path) {
            Ok(at) => done.extend(at),
            Err(error) => left = Some(error),
        }
    }
    match left {
        Some(error) => Err(error),
        None if done.is_empty() => Ok(Did::Nothing(String::new())),
        None => Ok(Did::Done(format!("whoever paused it is no more: {}", done.join("; ")))),
    }
}

fn one(path: &Path) -> Result<Option<String>, DatabaseError> {
    let of = || DatabaseError::io(path.display().to_string());
    let file = File::open(path).map_err(of())?;
    // Whoever paused it lives, and lets it go on.
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let text = fs::read(path).map_err(of())?;
    let said = match serde_json::from_slice::<Written>(&text) {
        Ok(written) => Some(goes_on(&written)?),
        // It was being written: nothing was paused yet.
        Err(_) => None,
    };
    fs::remove_file(path).map_err(of())?;
    Ok(said)
}

fn goes_on(written: &Written) -> Result<String, DatabaseError> {
    let Written { run, live } = written;
    let none = BTreeMap::new();
    let settings = Settings::read(live, &settings_of(live, run), &none, &none)?;
    let server = Server::new(settings.way.clone(), Some(run), None)?;
    let (name, at) = (&settings.way.database.name, settings.way.at());
    let begun = Instant::now();
    loop {
        match pooler::who(&server) {
            Who::Console => {}
            Who::Server => return Ok(format!("there is no PgBouncer at {at}")),
            Who::Nobody(_) if begun.elapsed() < PATIENCE => {
                thread::sleep(ASK_AGAIN);
                continue;
            }
            Who::Pooler(why) | Who::Nobody(why) => return Err(stays(&at, name, &why)),
        }
        return let_go(&server, name)
            .map(|()| format!("PgBouncer at {at} goes on"))
            .map_err(|why| stays(&at, name, &why));
    }
}

/// Lets it go on, if it does not already.
pub(crate) fn let_go(server: &Server, name: &str) -> Result<(), String> {
    match server.console(CONSOLE, &[&format!("RESUME {}", identifier(name))], RESUME) {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.said.contains("not paused") => Ok(()),
        Err(refusal) => Err(refusal.said),
    }
}

fn stays(at: &str, name: &str, why: &str) -> DatabaseError {
    let what =
        format!("PgBouncer at {at} may be paused still ({why}): as its administrator say RESUME {name}");
    DatabaseError::NotNow { code: "still-paused", what }
}

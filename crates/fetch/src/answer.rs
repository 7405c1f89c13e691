//! One request: looked up, asked for over ssh, answered when ssh has ended.

use crate::{
    failure::Failure,
    ssh::{self, Ssh},
};
use mastmaint_config::Store;
use mastmaint_verify::wire;
use mastmaint_words::{
    Room,
    backup::{Backup, Place as Kind, Pulled},
    restore::{Fetch, Fetched, is_generation},
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// Whoever asks does so at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked whether ssh has ended, and whether anybody waits for it.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Where things are.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The accepted configurations.
    pub accepted: &'a Path,
    /// A directory for what ssh complains about.
    pub scratch: &'a Path,
    /// Where systemd has put the keys, if it has.
    pub credentials: Option<&'a Path>,
}

/// Does what is asked on a connection, and says how it ended.
///
/// # Errors
/// If nothing could be read, or nobody listens to the answer.
pub fn answer(connection: &UnixStream, place: &Place<'_>) -> io::Result<Fetched> {
    connection.set_read_timeout(Some(PATIENCE))?;
    let (fetch, files) = wire::receive::<Fetch>(connection)?;
    let fetched = match fetched(connection, place, &fetch, files) {
        Ok(()) => Fetched::Sent,
        Err(failure) => Fetched::Failed { code: failure.code().to_owned(), why: failure.to_string() },
    };
    let mut line = serde_json::to_vec(&fetched)?;
    line.push(b'\n');
    let mut to = connection;
    to.write_all(&line)?;
    Ok(fetched)
}

fn fetched(
    connection: &UnixStream,
    place: &Place<'_>,
    fetch: &Fetch,
    files: Vec<File>,
) -> Result<(), Failure> {
    let into = files.into_iter().next().ok_or(Failure::NoPipe)?;
    let pulled = pulled(place, fetch)?;
    if fetch.generation.as_deref().is_some_and(|name| !is_generation(name)) {
        return Err(Failure::NoGeneration);
    }
    let ssh = Ssh::start(&pulled, fetch, into, place.scratch)?;
    ssh.end(&pulled, || is_left(connection))
}

/// What the configuration says of the backup.
fn pulled(place: &Place<'_>, fetch: &Fetch) -> Result<Pulled, Failure> {
    let view = Store::new(place.accepted).room_view(Room::Remote, &fetch.digest)?;
    let mut backup: Backup =
        view.backups.get(&fetch.backup).cloned().ok_or_else(|| Failure::NoBackup(fetch.backup.clone()))?;
    if let Some(credentials) = place.credentials {
        backup.take_keys_from(credentials);
    }
    let Kind::Pulled(pulled) = backup.place else { return Err(Failure::NotPulled(fetch.backup.clone())) };
    for key in [&pulled.ssh_key, &pulled.known_hosts] {
        File::open(key).map_err(|source| Failure::NoKey { key: ssh::named(key), source })?;
    }
    Ok(pulled)
}

/// Whether whoever asked has gone: nothing is said after the request, so what can be read is the end. Waits a moment.
fn is_left(connection: &UnixStream) -> bool {
    let mut look = [PollFd::new(connection, PollFlags::IN)];
    poll(&mut look, Some(&LOOK_EVERY)).is_ok_and(|ready| ready > 0)
}

//! The journal of a restore: one file for each run, replaced as a whole and on disk before what it says is done.

use crate::error::{RestoreError, io_on};
use jiff::Timestamp;
use mastmaint_words::{
    RunId,
    restore::{Phase, RestoreOrder, Restoring, Trouble},
};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// The journal of one run, open and locked: one restore works at a time.
#[derive(Debug)]
pub(crate) struct Journal {
    directory: PathBuf,
    run: RunId,
    _lock: Flock<File>,
}

impl Journal {
    /// Opens it, and makes its place if there is none.
    pub(crate) fn open(state: &Path, run: &RunId) -> Result<Self, RestoreError> {
        let directory = Restoring::directory(state);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(io_on(&directory, "make the place of journals"))?;
        let path = directory.join("lock");
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(io_on(&path, "open"))?;
        let held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((_, Errno::EWOULDBLOCK)) => return Err(RestoreError::Busy(path)),
            Err((_, error)) => return Err(io_on(&path, "lock")(io::Error::from(error))),
        };
        Ok(Self { directory, run: run.clone(), _lock: held })
    }

    /// What it says; nothing of a run that nothing was done for.
    pub(crate) fn read(&self) -> Result<Option<Restoring>, RestoreError> {
        let path = self.path("json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(io_on(&path, "understand")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_on(&path, "read")(error)),
        }
    }

    /// Makes it say this, durably.
    pub(crate) fn write(&self, restoring: &mut Restoring) -> Result<(), RestoreError> {
        self.keep(restoring)
    }

    /// Makes the journal of another run say that nothing is left of it.
    pub(crate) fn put_aside(&self, other: &mut Restoring) -> Result<(), RestoreError> {
        other.phase = Phase::Pruned;
        self.keep(other)
    }

    fn keep(&self, restoring: &mut Restoring) -> Result<(), RestoreError> {
        restoring.at = Timestamp::now();
        let path = self.directory.join(format!("{}.json", restoring.run));
        let replaced =
            serde_json::to_vec(restoring).map_err(io::Error::from).and_then(|t| replace(&path, &t));
        replaced.map_err(io_on(&path, "write the journal"))
    }

    /// Makes it say that this is done next.
    pub(crate) fn next(&self, restoring: &mut Restoring, phase: Phase) -> Result<(), RestoreError> {
        restoring.phase = phase;
        restoring.trouble = None;
        self.write(restoring)
    }

    /// Notes why a verb ended before its end, and hands that on. Only where nothing of live was touched it is refused
    /// for good; else the same may be asked again, or the way back.
    pub(crate) fn failed(&self, restoring: &mut Restoring, error: RestoreError) -> RestoreError {
        let (code, why) = (error.code().to_owned(), error.to_string());
        if restoring.phase == Phase::Preparing {
            restoring.phase = Phase::Refused { code, why };
        } else {
            restoring.trouble = Some(Trouble { code, why });
        }
        // What cannot be noted is told all the same.
        let _ = self.write(restoring);
        error
    }

    /// Where the manifest of the copy is.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.path("manifest")
    }

    /// Where what another host announces is kept.
    pub(crate) fn sent(&self) -> PathBuf {
        self.path("sent")
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.run))
    }
}

/// A journal that begins.
pub(crate) fn begin(order: &RestoreOrder) -> Restoring {
    let now = Timestamp::now();
    Restoring {
        run: order.run.clone(),
        job: order.job.clone(),
        backup: order.name.clone(),
        generation: None,
        live: order.live.clone(),
        parent: None,
        today: None,
        staged: None,
        uploads: None,
        media: None,
        with_env: order.with_env,
        phase: Phase::Preparing,
        trouble: None,
        plan: mastmaint_words::restore::Plan::default(),
        began: now,
        at: now,
    }
}

/// Replaces a file by one that is whole on disk before it has the name.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// All journals, the newest first.
pub fn list(state: &Path) -> Result<Vec<Restoring>, RestoreError> {
    let directory = Restoring::directory(state);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_on(&directory, "list")(error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_on(&directory, "list"))?.path();
        if path.extension().is_some_and(|e| e == "json") {
            let text = fs::read(&path).map_err(io_on(&path, "read"))?;
            all.push(serde_json::from_slice::<Restoring>(&text).map_err(io_on(&path, "understand"))?);
        }
    }
    all.sort_by(|a, b| b.run.cmp(&a.run));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> RestoreOrder {
        serde_json::from_str(
            r#"{"run":"20261126T200000Z-7k3f9q","name":"files","live":"/home/mastodon/live","user":"mastodon",
            "backup":{"kind":"tree","path":"/b","prove_every":"7d","wait":"2h"}}"#,
        )
        .unwrap()
    }

    #[test]
    fn one_restore_at_a_time_and_what_was_written_is_read() {
        let place = tempfile::tempdir().unwrap();
        let order = order();
        assert_eq!(list(place.path()).unwrap(), []);
        let journal = Journal::open(place.path(), &order.run).unwrap();
        assert!(matches!(Journal::open(place.path(), &order.run), Err(RestoreError::Busy(_))));
        assert_eq!(journal.read().unwrap(), None);
        let mut restoring = begin(&order);
        journal.write(&mut restoring).unwrap();
        assert_eq!(journal.read().unwrap().as_ref(), Some(&restoring));
        assert_eq!(list(place.path()).unwrap(), [restoring]);
    }

    #[test]
    fn only_what_touched_nothing_is_refused_for_good() {
        let place = tempfile::tempdir().unwrap();
        let order = order();
        let journal = Journal::open(place.path(), &order.run).unwrap();
        let mut restoring = begin(&order);
        let error = || RestoreError::NoUser("mastodon".to_owned());
        let _ = journal.failed(&mut restoring, error());
        assert!(matches!(&restoring.phase, Phase::Refused { code, .. } if code == "no-user"));
        restoring.phase = Phase::Prepared;
        let _ = journal.failed(&mut restoring, error());
        assert_eq!(restoring.phase, Phase::Prepared);
        assert_eq!(journal.read().unwrap().unwrap().trouble.unwrap().code, "no-user");
    }
}

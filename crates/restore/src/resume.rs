//! What was cut in the middle is finished before anybody starts Mastodon on half of it. A mark for each such run says that
//! it is owed; all the rest stands in its journal.

use crate::{
    Did, Site,
    back::back,
    error::{RestoreError, io_on},
    journal::{Journal, list},
    switch::switch,
};
use mastmaint_words::{
    RunId,
    restore::{Phase, Restoring},
};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
};

/// Says durably that a run is about to move what is live.
pub(crate) fn mark(site: &Site<'_>, run: &RunId) -> Result<(), RestoreError> {
    let directory = Restoring::switching(site.state);
    (site.reach)("switch.before-mark");
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
    let marked = made.and_then(|()| File::create(directory.join(run.as_str())));
    marked.and_then(|_| sync(&directory)).map_err(io_on(&directory, "mark what begins in"))?;
    (site.reach)("switch.marked");
    Ok(())
}

/// Says that nothing of it is halfway any more.
pub(crate) fn unmark(site: &Site<'_>, run: &RunId) -> Result<(), RestoreError> {
    let directory = Restoring::switching(site.state);
    (site.reach)("switch.before-unmark");
    match fs::remove_file(directory.join(run.as_str())).and_then(|()| sync(&directory)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_on(&directory, "unmark what has ended in")(error))
        }
        _ => {
            (site.reach)("switch.unmarked");
            Ok(())
        }
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Finishes every switch and every way back that was cut.
///
/// # Errors
/// The first that could not be finished, after all others were tried.
pub fn resume(site: &Site<'_>) -> Result<Did, RestoreError> {
    let mut did = Ok(Did::Nothing);
    for run in marked(site.state)? {
        match one(site, &run) {
            Ok(()) if did.is_ok() => did = Ok(Did::Done),
            Ok(()) => {}
            Err(error) => did = did.and(Err(error)),
        }
    }
    did
}

fn one(site: &Site<'_>, run: &RunId) -> Result<(), RestoreError> {
    let journal = list(site.state)?.into_iter().find(|restoring| restoring.run == *run);
    match journal.map(|restoring| restoring.phase) {
        // It goes back by itself where it cannot go on.
        Some(Phase::Switching { .. }) => switch(site, run)
            .map(|_| ())
            .or_else(|error| if is_between(site.state, run)? { Err(error) } else { Ok(()) }),
        Some(Phase::GoingBack { .. }) => back(site, run).map(|_| ()),
        // It died before its first move, or after its last.
        _ => unmark(site, run),
    }
}

fn is_between(state: &Path, run: &RunId) -> Result<bool, RestoreError> {
    let restoring = Journal::open(state, run)?.read()?;
    Ok(restoring.is_some_and(|restoring| restoring.is_between()))
}

/// The runs that have a mark.
fn marked(state: &Path) -> Result<Vec<RunId>, RestoreError> {
    let directory = Restoring::switching(state);
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(io_on(&directory, "list"))?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().parse::<RunId>()));
    let names: io::Result<Vec<_>> = names.collect();
    Ok(names.map_err(io_on(&directory, "list"))?.into_iter().flatten().collect())
}

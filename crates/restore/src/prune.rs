//! Removes what a restore has replaced, when a person says so: never what holds uploads that live lacks.

use crate::{
    Did, Site,
    error::{RestoreError, io_on},
    inode::{seen, seen_at},
    journal::Journal,
    names::{CACHE, UPLOADS},
    open::{c_name, directory_below, directory_if_there},
    remove::remove,
    stage::Stage,
    survey::Few,
    today::Parent,
    walk::{Entry, Visitor, walk},
};
use mastmaint_verify::Kind;
use mastmaint_words::{
    RunId,
    restore::{Inode, Phase, Restoring},
};
use rustix::{
    fs::{AtFlags, unlinkat},
    io::Errno,
};
use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::PathBuf,
    sync::Arc,
};

/// Removes what the restore of a run has left beside live.
pub fn prune(site: &Site<'_>, run: &impl AsRef<RunId>) -> Result<Did, RestoreError> {
    removed(site, run.as_ref(), Stage::remove)
}

/// The same, but for the settings: they say where the databases are that the run has left. [`prune`] removes them, too.
pub fn prune_but_settings(site: &Site<'_>, run: &impl AsRef<RunId>) -> Result<Did, RestoreError> {
    removed(site, run.as_ref(), |stage, _, _| stage.empty())
}

fn removed(
    site: &Site<'_>,
    run: &RunId,
    stage_goes: fn(Stage, &Parent, &RunId) -> Result<(), RestoreError>,
) -> Result<Did, RestoreError> {
    let journal = Journal::open(site.state, run)?;
    let Some(mut restoring) = journal.read()? else { return Ok(Did::Nothing) };
    if restoring.is_between() {
        let what = format!("restore {} is between; end it first (switch or back)", restoring.run);
        return Err(RestoreError::NotNow { what });
    }
    let parent = Parent::open(&restoring.live)?;
    if let Some((path, meant)) = replaced(&restoring) {
        one(site, &parent, &restoring, &path, meant)?;
    }
    if let Some(stage) = Stage::open(&parent, &restoring.run)? {
        stage_goes(stage, &parent, &restoring.run)?;
    }
    match fs::remove_file(journal.manifest()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_on(&journal.manifest(), "remove")(error));
        }
        _ => {}
    }
    let is_again = restoring.phase == Phase::Pruned;
    if !is_again {
        journal.next(&mut restoring, Phase::Pruned)?;
    }
    Ok(if is_again { Did::Nothing } else { Did::Done })
}

/// Removes the half copy of a run that was killed while it was made. One that is whole stays.
pub fn tidy(site: &Site<'_>, run: &impl AsRef<RunId>) -> Result<Did, RestoreError> {
    // Nobody makes it any more, or the journal would be locked.
    let journal = Journal::open(site.state, run.as_ref())?;
    let Some(mut restoring) = journal.read()?.filter(|restoring| restoring.phase == Phase::Preparing) else {
        return Ok(Did::Nothing);
    };
    let parent = Parent::open(&restoring.live)?;
    if let Some(stage) = Stage::open(&parent, &restoring.run)? {
        stage.remove(&parent, &restoring.run)?;
    }
    let why = "it was cut while it was copied; nothing of the copy is left".to_owned();
    journal.next(&mut restoring, Phase::Refused { code: "cut".to_owned(), why })?;
    Ok(Did::Done)
}

/// The tree that is not live any more, and which directory it is.
fn replaced(restoring: &Restoring) -> Option<(PathBuf, Inode)> {
    match restoring.phase {
        Phase::Switched => Some((restoring.before(), restoring.today?)),
        Phase::Back => Some((restoring.restored(), restoring.staged?)),
        _ => None,
    }
}

fn one(
    site: &Site<'_>,
    parent: &Parent,
    restoring: &Restoring,
    path: &std::path::Path,
    meant: Inode,
) -> Result<(), RestoreError> {
    let name = c_name(path.file_name().unwrap_or_default())?;
    let Some(old) = directory_if_there(&parent.fd, name.as_c_str()).map_err(io_on(path, "open"))? else {
        return Ok(());
    };
    if !meant.is(&seen(&old).map_err(io_on(path, "look at"))?.inode) {
        let what = format!("{} is another directory than the one that was put there", path.display());
        return Err(RestoreError::Moved { what });
    }
    let few = only_there(&old, parent, restoring)?;
    if few.count > 0 {
        return Err(RestoreError::HoldsUploads { at: path.to_owned(), count: few.count, some: few.told() });
    }
    site.tell.say(&format!("removing {}", path.display()));
    remove(&old, path)?;
    match unlinkat(&parent.fd, &name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(io_on(path, "remove")(error)),
    }
}

/// Uploads of a tree that live lacks, but for copies of what other servers have.
fn only_there(old: &OwnedFd, parent: &Parent, restoring: &Restoring) -> Result<Few, RestoreError> {
    let Some(uploads) =
        directory_if_there(old, UPLOADS).map_err(io_on(&restoring.live, "open uploads beside"))?
    else {
        return Ok(Few::default());
    };
    let live =
        directory_if_there(&parent.fd, parent.name.as_c_str()).map_err(io_on(&restoring.live, "open"))?;
    let here = match &live {
        // A link of live may be followed here: it is only looked whether the name is there.
        Some(live) => uploads_of(live, restoring)?,
        None => None,
    };
    let mut looking = Looking { levels: vec![here], few: Few::default() };
    walk(&Arc::new(uploads), &mut Vec::new(), &mut looking)?;
    Ok(looking.few)
}

fn uploads_of(live: &OwnedFd, restoring: &Restoring) -> Result<Option<OwnedFd>, RestoreError> {
    match crate::today::media(live, &restoring.live)? {
        crate::today::Media::None => Ok(None),
        crate::today::Media::Here(_) => {
            directory_below(live, UPLOADS).map(Some).map_err(io_on(&restoring.live, "open uploads of"))
        }
        crate::today::Media::Link(target) => Ok(crate::uploads::behind(&restoring.live, &target)),
    }
}

struct Looking {
    levels: Vec<Option<OwnedFd>>,
    few: Few,
}

impl Visitor for Looking {
    fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
        if entry.path == CACHE {
            return Ok(false);
        }
        let below = match self.levels.last() {
            Some(Some(above)) => directory_if_there(above, entry.name.as_c_str()),
            _ => Ok(None),
        };
        self.levels.push(below.map_err(crate::error::io_at(entry.path, "open"))?);
        Ok(true)
    }

    fn leave(&mut self) {
        self.levels.pop();
    }

    fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
        let found = match self.levels.last() {
            Some(Some(above)) => {
                seen_at(above.as_fd(), entry.name).map_err(crate::error::io_at(entry.path, "look at"))?
            }
            _ => None,
        };
        if found.is_none() && entry.kind() == Kind::File {
            self.few.add(entry.path);
        }
        Ok(())
    }
}

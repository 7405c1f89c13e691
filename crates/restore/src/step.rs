//! One step of the switch or of the way back: journaled, then done. It may be done again.

use crate::{
    Site,
    error::{RestoreError, io_on},
    inode::seen,
    journal::Journal,
    open::{directory_below, whereabouts},
    places::Places,
    stage::{LIVE, Stage},
    today::Parent,
};
use mastmaint_words::restore::{BackStep, Inode, Phase, Restoring, SwitchStep};
use std::{ffi::CStr, os::fd::OwnedFd};

/// What every step works with.
pub(crate) struct Bench<'a> {
    pub(crate) site: &'a Site<'a>,
    pub(crate) journal: &'a Journal,
    pub(crate) parent: Parent,
    pub(crate) stage: Stage,
}

impl<'a> Bench<'a> {
    /// Opens the directory above live and the place of the copy, and compares them with what was prepared.
    pub(crate) fn open(
        site: &'a Site<'a>,
        journal: &'a Journal,
        restoring: &Restoring,
    ) -> Result<Self, RestoreError> {
        let parent = Parent::open(&restoring.live)?;
        if !restoring.parent.is_some_and(|known| known.is(&parent.seen.inode)) {
            let what = format!("{} is another directory than when the copy was made", parent.path.display());
            return Err(RestoreError::Moved { what });
        }
        let Some(stage) = Stage::open(&parent, &restoring.run)? else {
            let what =
                format!("the copy is not in {} any more", parent.path.join(crate::stage::STAGING).display());
            return Err(RestoreError::Moved { what });
        };
        Ok(Self { site, journal, parent, stage })
    }

    /// Where the trees are.
    pub(crate) fn places(&self, restoring: &Restoring) -> Result<Places, RestoreError> {
        Places::look(&self.parent, Some(&self.stage), restoring)
    }

    /// Journals a step and does it.
    pub(crate) fn step(
        &self,
        restoring: &mut Restoring,
        step: Step,
        effect: impl FnOnce(&Restoring) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        let (before, after) = step.points();
        self.journal.next(restoring, step.phase())?;
        (self.site.reach)(before);
        effect(restoring)?;
        (self.site.reach)(after);
        Ok(())
    }

    /// Opens what has a name beside live, if it is this directory.
    pub(crate) fn open_beside(&self, name: &CStr, meant: Option<Inode>) -> Result<OwnedFd, RestoreError> {
        self.open_meant(&self.parent.fd, name, meant)
    }

    /// Opens the copy, or what has its place, if it is this directory.
    pub(crate) fn open_staged(&self, meant: Option<Inode>) -> Result<OwnedFd, RestoreError> {
        self.open_meant(&self.stage.fd, &crate::open::c_name(LIVE.as_ref())?, meant)
    }

    fn open_meant(
        &self,
        above: &OwnedFd,
        name: &CStr,
        meant: Option<Inode>,
    ) -> Result<OwnedFd, RestoreError> {
        let path = self.parent.path.join(name.to_string_lossy().as_ref());
        let fd = directory_below(above, name).map_err(io_on(&path, "open"))?;
        let found = seen(&fd).map_err(io_on(&path, "look at"))?.inode;
        if meant.is_some_and(|meant| meant.is(&found)) {
            return Ok(fd);
        }
        Err(RestoreError::Moved { what: format!("{} is another directory than it was", whereabouts(&fd)) })
    }

    /// That the trees are not where they can be.
    pub(crate) fn lost(&self, places: Places) -> RestoreError {
        RestoreError::Moved { what: format!("in {}: {}", self.parent.path.display(), places.told()) }
    }
}

/// A step of either way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Forth(SwitchStep),
    Home(BackStep),
}

impl Step {
    const fn phase(self) -> Phase {
        match self {
            Self::Forth(step) => Phase::Switching { step },
            Self::Home(step) => Phase::GoingBack { step },
        }
    }

    /// The names of the places before and after it at which tests kill.
    const fn points(self) -> (&'static str, &'static str) {
        match self {
            Self::Forth(SwitchStep::Environment) => ("switch.before-environment", "switch.environment"),
            Self::Forth(SwitchStep::Uploads) => ("switch.before-uploads", "switch.uploads"),
            Self::Forth(SwitchStep::Exchange) => ("switch.before-exchange", "switch.exchanged"),
            Self::Forth(SwitchStep::Keep) => ("switch.before-keep", "switch.kept"),
            Self::Forth(SwitchStep::Missing) => ("switch.before-missing", "switch.missing"),
            Self::Home(BackStep::Environment) => ("back.before-environment", "back.environment"),
            Self::Home(BackStep::Uploads) => ("back.before-uploads", "back.uploads"),
            Self::Home(BackStep::Exchange) => ("back.before-exchange", "back.exchanged"),
            Self::Home(BackStep::PutAway) => ("back.before-put-away", "back.put-away"),
        }
    }
}

//! The way back: live is what it was, and what was written since stays with it. Nothing is removed.

use crate::{
    Did, Site,
    along::along,
    environment,
    error::{RestoreError, io_on},
    journal::Journal,
    open::c_name,
    places::{Home, Places, Who},
    resume::{mark, unmark},
    stage::LIVE,
    step::{Bench, Step},
    switch::{moved, sync},
    today::{Media, media},
};
use mastmaint_words::{
    RunId,
    restore::{BackStep, Inode, Phase, Restoring, Uploads},
};
use rustix::fs::{RenameFlags, renameat_with};
use std::{ffi::CString, os::fd::OwnedFd};

/// Takes a switch back, also a half one.
pub fn back(site: &Site<'_>, run: &impl AsRef<RunId>) -> Result<Did, RestoreError> {
    let run = run.as_ref();
    let journal = Journal::open(site.state, run)?;
    let Some(mut restoring) = journal.read()? else { return Ok(Did::Nothing) };
    match &restoring.phase {
        Phase::Back => return Ok(Did::Done),
        Phase::Preparing | Phase::Prepared | Phase::Refused { .. } => return Ok(Did::Nothing),
        Phase::Pruned => {
            let what =
                format!("what restore {} had replaced was removed; there is no way back", restoring.run);
            return Err(RestoreError::NotNow { what });
        }
        Phase::Switching { .. } | Phase::Switched | Phase::GoingBack { .. } => {}
    }
    mark(site, run)?;
    let done = all(site, &journal, &mut restoring);
    let done = done.and_then(|()| journal.next(&mut restoring, Phase::Back));
    match done {
        Ok(()) => unmark(site, run).map(|()| Did::Done),
        Err(error) => Err(journal.failed(&mut restoring, error)),
    }
}

pub(crate) fn all(site: &Site<'_>, journal: &Journal, restoring: &mut Restoring) -> Result<(), RestoreError> {
    let bench = Bench::open(site, journal, restoring)?;
    let mut has_carried = false;
    loop {
        let places = bench.places(restoring)?;
        let next = places.home().ok_or_else(|| bench.lost(places))?;
        if next == Home::Done {
            return Ok(());
        }
        if !std::mem::replace(&mut has_carried, true) && !places.bare {
            carry(&bench, restoring, places)?;
        }
        let what = match next {
            Home::PutAwayLive | Home::PutAwayKept | Home::PutAwayStaged => BackStep::PutAway,
            _ => BackStep::Exchange,
        };
        bench.step(restoring, Step::Home(what), |restoring| turn(&bench, restoring, next))?;
    }
}

/// What was written since the switch goes back along.
fn carry(bench: &Bench<'_>, restoring: &mut Restoring, places: Places) -> Result<(), RestoreError> {
    let today = open(bench, restoring, places, Who::Today)?;
    let staged = open(bench, restoring, places, Who::Staged)?;
    // A tree that was never live has no settings of its own.
    if places.live == Who::Staged && !restoring.with_env {
        bench.step(restoring, Step::Home(BackStep::Environment), |r| {
            environment::carry_changed(&staged, &today, &r.run)
        })?;
    }
    let uploads = match restoring.uploads {
        Some(Uploads::Stay) => moved(restoring),
        // There were none: those since the switch are all there are.
        Some(Uploads::NoneToday) if places.live == Who::Staged => since(&staged, &today, restoring)?,
        _ => None,
    };
    match uploads {
        Some(media) => {
            bench.step(restoring, Step::Home(BackStep::Uploads), |_| along(&staged, &today, media))
        }
        None => Ok(()),
    }
}

/// The uploads of a restored tree, if the old one has none.
fn since(staged: &OwnedFd, today: &OwnedFd, restoring: &Restoring) -> Result<Option<Inode>, RestoreError> {
    match (media(staged, &restoring.live)?, media(today, &restoring.live)?) {
        (Media::Here(seen), Media::None) => Ok(Some(seen.inode)),
        _ => Ok(None),
    }
}

/// Opens one of the trees where it is.
fn open(bench: &Bench<'_>, restoring: &Restoring, places: Places, who: Who) -> Result<OwnedFd, RestoreError> {
    let meant = if who == Who::Today { restoring.today } else { restoring.staged };
    match who {
        _ if places.live == who => bench.open_beside(&bench.parent.name, meant),
        _ if places.before == who => bench.open_beside(&name(&restoring.before())?, meant),
        _ if places.restored == who => bench.open_beside(&name(&restoring.restored())?, meant),
        _ => bench.open_staged(meant),
    }
}

fn name(path: &std::path::Path) -> Result<CString, RestoreError> {
    c_name(path.file_name().unwrap_or_default())
}

/// One rename.
fn turn(bench: &Bench<'_>, restoring: &Restoring, next: Home) -> Result<(), RestoreError> {
    let (live, before, restored) =
        (bench.parent.name.clone(), name(&restoring.before())?, name(&restoring.restored())?);
    let staged = c_name(LIVE.as_ref())?;
    let (beside, copy) = (&bench.parent.fd, &bench.stage.fd);
    let (from, from_name, to_name, flags) = match next {
        Home::ExchangeKept => (beside, before, live, RenameFlags::EXCHANGE),
        Home::ExchangeStaged => (copy, staged, live, RenameFlags::EXCHANGE),
        Home::Return => (copy, staged, live, RenameFlags::NOREPLACE),
        Home::PutAwayLive => (beside, live, restored, RenameFlags::NOREPLACE),
        Home::PutAwayKept => (beside, before, restored, RenameFlags::NOREPLACE),
        Home::PutAwayStaged => (copy, staged, restored, RenameFlags::NOREPLACE),
        Home::Done => return Ok(()),
    };
    renameat_with(from, &from_name, beside, &to_name, flags)
        .map_err(io_on(&restoring.live, "go back with"))?;
    sync(bench, &restoring.live)
}

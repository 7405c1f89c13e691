//! The switch, with services stopped: renames only, so it takes no longer for a large instance than for a small one.

use crate::{
    Did, Site,
    along::along,
    back::all as home,
    environment,
    error::{RestoreError, io_on},
    journal::Journal,
    merge::merge,
    mounts,
    names::UPLOADS,
    open::{directory_if_there, whereabouts},
    places::{Forth, Who},
    resume::{mark, unmark},
    stage::{LIVE, MISSING},
    step::{Bench, Step},
    today::{Media, media},
};
use mastmaint_words::{
    RunId,
    restore::{Phase, Restoring, SwitchStep, Uploads},
};
use rustix::{
    fs::{RenameFlags, fsync, renameat_with, syncfs},
    io::Errno,
};
use std::{os::fd::OwnedFd, path::Path};

/// Puts the prepared copy in the place of live.
///
/// # Errors
/// Where it cannot go on it goes back before it says so: then nothing of it is halfway.
pub fn switch(site: &Site<'_>, run: &impl AsRef<RunId>) -> Result<Did, RestoreError> {
    let run = run.as_ref();
    let journal = Journal::open(site.state, run)?;
    let Some(mut restoring) = journal.read()? else { return Ok(Did::Nothing) };
    match &restoring.phase {
        Phase::Switched => return Ok(Did::Done),
        Phase::Prepared | Phase::Switching { .. } => {}
        Phase::Preparing => return Err(not_now(&restoring, "is not prepared; ask for that first")),
        Phase::Refused { why, .. } => return Err(not_now(&restoring, &format!("was refused: {why}"))),
        Phase::GoingBack { .. } | Phase::Back | Phase::Pruned => {
            return Err(not_now(&restoring, "was taken back; begin another one"));
        }
    }
    mark(site, run)?;
    let done = all(site, &journal, &mut restoring);
    match done.and_then(|()| journal.next(&mut restoring, Phase::Switched)) {
        Ok(()) => unmark(site, run).map(|()| Did::Done),
        Err(error) => {
            if restoring.is_between() {
                // If that fails, too, it stays marked, and what is told is why it went wrong in the first place.
                let home = home(site, &journal, &mut restoring);
                if home.and_then(|()| journal.next(&mut restoring, Phase::Back)).is_err() {
                    return Err(journal.failed(&mut restoring, error));
                }
            }
            unmark(site, run)?;
            Err(journal.failed(&mut restoring, error))
        }
    }
}

fn not_now(restoring: &Restoring, what: &str) -> RestoreError {
    RestoreError::NotNow { what: format!("restore {} {what}", restoring.run) }
}

fn all(site: &Site<'_>, journal: &Journal, restoring: &mut Restoring) -> Result<(), RestoreError> {
    let bench = Bench::open(site, journal, restoring)?;
    loop {
        let places = bench.places(restoring)?;
        let next = places.forth().ok_or_else(|| bench.lost(places))?;
        match next {
            Forth::Exchange if places.bare => {
                bench.step(restoring, step(SwitchStep::Exchange), |r| into_nothing(&bench, r))?;
            }
            Forth::Exchange => {
                let (today, staged) = both(&bench, restoring)?;
                if restoring.phase == Phase::Prepared {
                    is_as_prepared(&today, restoring)?;
                }
                if !restoring.with_env {
                    bench.step(restoring, step(SwitchStep::Environment), |r| {
                        environment::carry(&today, &staged, &r.run)
                    })?;
                }
                if let Some(media) = moved(restoring) {
                    bench.step(restoring, step(SwitchStep::Uploads), |_| along(&today, &staged, media))?;
                }
                bench
                    .step(restoring, step(SwitchStep::Exchange), |r| exchange(&bench, r, &today, &staged))?;
            }
            Forth::Keep => bench.step(restoring, step(SwitchStep::Keep), |r| keep(&bench, r))?,
            Forth::Missing => {
                return bench.step(restoring, step(SwitchStep::Missing), |r| missing(&bench, r));
            }
        }
    }
}

const fn step(step: SwitchStep) -> Step {
    Step::Forth(step)
}

/// Today's uploads, if they move along.
pub(crate) fn moved(restoring: &Restoring) -> Option<mastmaint_words::restore::Inode> {
    restoring.media.filter(|_| restoring.uploads == Some(Uploads::Stay))
}

fn both(bench: &Bench<'_>, restoring: &Restoring) -> Result<(OwnedFd, OwnedFd), RestoreError> {
    let today = bench.open_beside(&bench.parent.name, restoring.today)?;
    Ok((today, bench.open_staged(restoring.staged)?))
}

/// Time went by since the copy was made: nothing may be mounted now, and the uploads must be what they were.
fn is_as_prepared(today: &OwnedFd, restoring: &mut Restoring) -> Result<(), RestoreError> {
    mounts::none_below(today, &restoring.live)?;
    let now = media(today, &restoring.live)?;
    let is_same = match (restoring.uploads, &now) {
        (Some(Uploads::Stay), Media::Here(seen)) => {
            // Another directory than then is today's all the same.
            restoring.media = Some(seen.inode);
            true
        }
        (Some(Uploads::Stay), _) => false,
        (Some(Uploads::NoneToday), now) => matches!(now, Media::None),
        (Some(Uploads::Link), now) => matches!(now, Media::Link(_)),
        (Some(Uploads::FromBackup) | None, _) => true,
    };
    if is_same {
        return Ok(());
    }
    let what = "public/system is something else than when the copy was made; prepare another restore";
    Err(RestoreError::NotNow { what: what.to_owned() })
}

fn into_nothing(bench: &Bench<'_>, restoring: &Restoring) -> Result<(), RestoreError> {
    let _ = bench.open_staged(restoring.staged)?;
    renameat_with(
        &bench.stage.fd,
        LIVE,
        &bench.parent.fd,
        bench.parent.name.as_c_str(),
        RenameFlags::NOREPLACE,
    )
    .map_err(io_on(&restoring.live, "put the copy to"))?;
    sync(bench, &restoring.live)?;
    let places = bench.places(restoring)?;
    if places.live == Who::Staged { Ok(()) } else { Err(bench.lost(places)) }
}

/// Lets the trees change places, and looks whether it was these two. Who can write beside live can put something else
/// there between a look and a rename: then all of it is taken back.
fn exchange(
    bench: &Bench<'_>,
    restoring: &Restoring,
    today: &OwnedFd,
    staged: &OwnedFd,
) -> Result<(), RestoreError> {
    let swap = |flags| {
        let name = bench.parent.name.as_c_str();
        renameat_with(&bench.stage.fd, LIVE, &bench.parent.fd, name, flags)
    };
    let swapped = swap(RenameFlags::EXCHANGE);
    let places = bench.places(restoring)?;
    if swapped.is_ok() && (places.live, places.stage) == (Who::Staged, Who::Today) {
        return sync(bench, &restoring.live);
    }
    if swapped.is_ok() && places.live == Who::Staged {
        // Nothing of ours is in the copy's place now; what is there goes back to where it was.
        let _ = swap(RenameFlags::EXCHANGE);
    } else if places.stage == Who::Today {
        let flags = if places.live == Who::Nobody { RenameFlags::NOREPLACE } else { RenameFlags::EXCHANGE };
        let _ = swap(flags);
    }
    if let Some(media) = moved(restoring) {
        along(staged, today, media)?;
    }
    sync(bench, &restoring.live)?;
    match swapped {
        Err(error) if error != Errno::NOENT => Err(io_on(&restoring.live, "exchange")(error)),
        _ => {
            let what = format!(
                "{} was moved while it was exchanged; it was not switched. Today's tree is {}, the copy is {}",
                restoring.live.display(),
                whereabouts(today),
                whereabouts(staged)
            );
            Err(RestoreError::Moved { what })
        }
    }
}

/// The old tree gets its name beside live.
fn keep(bench: &Bench<'_>, restoring: &Restoring) -> Result<(), RestoreError> {
    let before = restoring.before();
    let name = before.file_name().unwrap_or_default();
    renameat_with(&bench.stage.fd, LIVE, &bench.parent.fd, name, RenameFlags::NOREPLACE)
        .map_err(io_on(&before, "keep what was live as"))?;
    sync(bench, &before)
}

/// Uploads that only the backup has.
fn missing(bench: &Bench<'_>, restoring: &Restoring) -> Result<(), RestoreError> {
    let at = restoring.live.join("public/system");
    let of = |what| io_on::<Errno>(&at, what);
    let Some(missing) = directory_if_there(&bench.stage.fd, MISSING).map_err(of("open what is added to"))?
    else {
        return Ok(());
    };
    let live = bench.open_beside(&bench.parent.name, restoring.staged)?;
    if let Some(uploads) = directory_if_there(&live, UPLOADS).map_err(of("open"))? {
        merge(&missing, &uploads)?;
        syncfs(&uploads).map_err(of("write to the disk"))?;
    }
    Ok(())
}

/// The names are on the disk.
pub(crate) fn sync(bench: &Bench<'_>, at: &Path) -> Result<(), RestoreError> {
    let both = fsync(&bench.parent.fd).and_then(|()| fsync(&bench.stage.fd));
    both.map_err(io_on(at, "write to the disk the name of"))
}

//! The safe point: whether a change may begin at all, and the copies to which it can be put back.

use super::{
    Scene, boot, exchange, failed, kept,
    listing::Listing,
    memory, open,
    record::{Change, Kept, Phase, Record},
    replaceable,
    tree::{self, Amount, Named},
};
use jiff::Timestamp;
use mastmaint_config::guard::SafePoint;
use mastmaint_failpoints::failpoint;
use mastmaint_instance::Free;
use mastmaint_words::{Bytes, Grade, Numbers, Outcome, Verdict};
use rustix::fs::syncfs;
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::MetadataExt as _,
    },
    path::Path,
};

/// What must be left on a disk after the copies: builds, logs and the database go on writing.
const HEADROOM: Bytes = Bytes::new(512 << 20);

/// Copies what is kept, and writes down that a change begins.
pub(crate) fn begin(point: &SafePoint, scene: &mut Scene<'_>) -> Verdict {
    let change = Change::of(scene.state, scene.run);
    match copies(point, &change, scene).and_then(|record| {
        failpoint!("guard.before-record");
        change.write(&record).map_err(|error| cannot(&format!("the record cannot be written: {error}")))
    }) {
        Ok(()) => {
            failpoint!("guard.recorded");
            Verdict { outcome: Outcome::Ok, grade: Grade::Read, reasons: vec![], numbers: Numbers::default() }
        }
        Err(verdict) => {
            // Without a record it is none, whatever is left of it.
            let _ = change.forget();
            verdict
        }
    }
}

fn copies(point: &SafePoint, change: &Change, scene: &mut Scene<'_>) -> Result<Record, Verdict> {
    enough_memory(point, scene)?;
    match Change::unfinished(scene.state, scene.run) {
        Ok(None) => {}
        Ok(Some((other, place))) => {
            return Err(failed(
                "unfinished-change",
                format!(
                    "the change of run {} ({}) neither stays nor is put back; what it kept is in {place}/files, in the \
                     order of its record: take from there what you need, and remove {place}",
                    other.run, other.job
                ),
            ));
        }
        Err(error) => return Err(cannot(&format!("the changes before it cannot be looked at: {error}"))),
    }
    Change::sweep(scene.state);
    let (live, identity) =
        open(scene.live).map_err(|error| cannot(&format!("{}: {error}", scene.live.display())))?;
    let migrations = match scene.migrations() {
        Ok(versions) => Some(versions),
        Err(why) if point.migrates => {
            let text =
                format!("the database cannot be asked for its migrations, so nothing is migrated: {why}");
            return Err(failed("database-unknown", text));
        }
        Err(why) => {
            scene.say(format!("whether the change migrates the database will not be known: {why}"));
            None
        }
    };
    change.make().map_err(|error| cannot(&format!("{} cannot be made: {error}", change.place())))?;
    let kept = what_is_kept(live.as_fd(), point, scene)?;
    enough_space(live.as_fd(), &kept, change, scene)?;
    let files =
        File::open(change.files()).map_err(|error| cannot(&format!("{}: {error}", change.place())))?;
    let mut all = Amount::default();
    for (index, kept) in kept.iter().enumerate().filter(|(_, kept)| kept.was_there) {
        let amount = copy(live.as_fd(), &kept.path, files.as_fd(), index)
            .map_err(|error| cannot(&format!("{}: {error}", kept.path.display())))?;
        all.files += amount.files;
        all.bytes += amount.bytes;
        failpoint!("guard.copied");
    }
    let paths: Vec<&Path> = kept.iter().map(|kept| kept.path.as_path()).collect();
    Listing::take(live.as_fd(), &paths)
        .and_then(|listing| listing.save(&change.listing()))
        .and_then(|()| Ok(syncfs(&files)?))
        .map_err(|error| cannot(&error.to_string()))?;
    let size = Bytes::new(all.bytes).human();
    let names = |was_there| -> Vec<String> {
        let paths = kept.iter().filter(|kept| kept.was_there == was_there);
        paths.map(|kept| kept.path.display().to_string()).collect()
    };
    scene.say(format!("kept: {} ({} files, {size})", names(true).join(", "), all.files));
    if !names(false).is_empty() {
        scene.say(format!(
            "not there, and removed again if the change is put back: {}",
            names(false).join(", ")
        ));
    }
    Ok(Record {
        run: scene.run.clone(),
        job: scene.job.clone(),
        begun: Timestamp::now(),
        boot: boot(),
        live: identity,
        kept,
        migrates: point.migrates,
        dump: point.dump.clone(),
        migrations,
        phase: Phase::Begun,
    })
}

fn enough_memory(point: &SafePoint, scene: &mut Scene<'_>) -> Result<(), Verdict> {
    let Some(free) = memory::free() else {
        scene.say("how much memory is free is not known".to_owned());
        return Ok(());
    };
    if free < point.memory {
        let text = format!(
            "{} of memory are free and the guard wants {}: a build would drive the services out, or be killed; stop \
             something, or write `memory:` if the change needs less",
            free.human(),
            point.memory.human()
        );
        return Err(failed("low-memory", text));
    }
    scene.say(format!("{} of memory are free", free.human()));
    Ok(())
}

/// What is there of all that is kept; something that could not be put back is refused.
fn what_is_kept(
    live: BorrowedFd<'_>,
    point: &SafePoint,
    scene: &mut Scene<'_>,
) -> Result<Vec<Kept>, Verdict> {
    let stamps = kept::stamps(scene.environment);
    let mut all = Vec::new();
    for path in kept::paths(&point.keep, scene.environment) {
        match replaceable::is_there(live, &path, scene.live) {
            Ok(was_there) => all.push(Kept { path, was_there }),
            // Without it the next build is a real one, which harms nobody.
            Err(_) if stamps.contains(&path) => {}
            Err(why) => return Err(cannot(&format!("{} {why}", path.display()))),
        }
    }
    Ok(all)
}

/// The copies, what is rebuilt from them later, and room to go on.
fn enough_space(
    live: BorrowedFd<'_>,
    kept: &[Kept],
    change: &Change,
    scene: &Scene<'_>,
) -> Result<(), Verdict> {
    let mut bytes = 0;
    for kept in kept.iter().filter(|kept| kept.was_there) {
        let amount = exchange::parent(live, &kept.path)
            .and_then(|(parent, name)| tree::size(Named { at: parent.as_fd(), name }))
            .map_err(|error| cannot(&format!("{}: {error}", kept.path.display())))?;
        bytes += amount.bytes;
    }
    let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev());
    let (files, root) = (change.files(), scene.live.to_owned());
    let is_one = matches!((device(&files), device(&root)), (Ok(a), Ok(b)) if a == b);
    for place in [files, root] {
        let needed =
            Bytes::new(bytes.saturating_mul(if is_one { 2 } else { 1 }).saturating_add(HEADROOM.get()));
        let free = Free::at(&place).map_err(|error| cannot(&format!("{}: {error}", place.display())))?;
        if let Some(why) = free.lack_of_files(&place) {
            return Err(failed("no-space", format!("{why}; make room first")));
        }
        let free = free.bytes();
        if free < needed {
            let text = format!(
                "{} are free where {} is, and the change wants {}: {} to keep, as much to put it back, and room to go on; \
                 make room first",
                free.human(),
                place.display(),
                needed.human(),
                Bytes::new(bytes).human()
            );
            return Err(failed("no-space", text));
        }
    }
    Ok(())
}

fn copy(live: BorrowedFd<'_>, path: &Path, files: BorrowedFd<'_>, index: usize) -> io::Result<Amount> {
    let (parent, name) = exchange::parent(live, path)?;
    let own = OsString::from(index.to_string());
    tree::copy(Named { at: parent.as_fd(), name }, Named { at: files, name: &own }, None)
}

fn cannot(why: &str) -> Verdict {
    failed(
        "cannot-keep",
        format!("nothing was changed, because what the change may spoil cannot be kept: {why}"),
    )
}

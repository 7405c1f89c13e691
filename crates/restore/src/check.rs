//! Reads the copy back: every name that was recorded, and no other. Directories get their owner here, when nothing is
//! put into them any more.

use crate::{
    error::{RestoreError, io_at},
    file::{Dress, PIECE, dress, hash_of},
    meter::Meter,
    open::{directory_below, directory_if_there},
    owners::Owner,
    record,
    tally::tally,
};
use mastmaint_verify::{
    Kind, Line,
    prove::{Stat, stat_of},
    shown,
};
use rustix::{
    fs::{Mode, OFlags, openat, readlinkat},
    io::Errno,
};
use std::{
    ffi::CString,
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

const WORKERS: usize = 2;
/// Lines that are handed over at once, and how often before somebody waits.
const LINES: usize = 64;
const QUEUE: usize = 16;

/// Compares the copy in the directory of a run with its manifest of so many lines.
pub(crate) fn check(
    run: &OwnedFd,
    manifest: &Path,
    count: u64,
    meter: &Meter<'_>,
) -> Result<(), RestoreError> {
    let (batches, taken) = sync_channel::<Vec<Line>>(QUEUE);
    let (taken, failed, ends) = (Mutex::new(taken), Mutex::new(None), AtomicBool::new(false));
    let read = thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| check_all(run, &taken, &failed, &ends, meter));
        }
        let mut lines = record::lines(manifest)?;
        let mut read = 0_u64;
        loop {
            let batch: Vec<Line> = lines.by_ref().take(LINES).collect::<Result<_, _>>()?;
            read += batch.len() as u64;
            if batch.is_empty() || ends.load(Ordering::Relaxed) || batches.send(batch).is_err() {
                break;
            }
        }
        drop(batches);
        Ok::<_, RestoreError>(read)
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let differs = |what| RestoreError::Differs { path: "the whole".to_owned(), what };
    if read? != count {
        return Err(differs("number of lines in its manifest"));
    }
    if names_in(run)? != count {
        return Err(differs("number of names"));
    }
    Ok(())
}

fn check_all(
    run: &OwnedFd,
    taken: &Mutex<Receiver<Vec<Line>>>,
    failed: &Mutex<Option<RestoreError>>,
    ends: &AtomicBool,
    meter: &Meter<'_>,
) {
    let mut reading = Reading { run, last: None, buffer: vec![0; PIECE] };
    loop {
        let batch = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return };
        for line in batch {
            if ends.load(Ordering::Relaxed) {
                break;
            }
            if let Err(error) = one(&mut reading, &line, meter) {
                ends.store(true, Ordering::Relaxed);
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    }
}

fn one(reading: &mut Reading<'_>, line: &Line, meter: &Meter<'_>) -> Result<(), RestoreError> {
    let path = line.path_bytes().unwrap_or_default();
    let differs = |what| RestoreError::Differs { path: shown(&path), what };
    match line.kind {
        Kind::File => {
            let file = reading.open(&path, OFlags::RDONLY | OFlags::NOATIME)?;
            let stat = stat_of(&file).map_err(io_at(&path, "look at in the copy"))?;
            if Some(stat.size) != line.size {
                return Err(differs("size"));
            }
            if let Some(what) = differing(line, &stat) {
                return Err(differs(what));
            }
            let hash =
                hash_of(&file, stat.size, &mut reading.buffer).map_err(io_at(&path, "read in the copy"))?;
            if line.blake3.as_deref() != Some(blake3::Hash::from_bytes(hash).to_hex().as_str()) {
                return Err(differs("content"));
            }
            meter.file(stat.size);
        }
        Kind::Directory => {
            let directory = reading.open(&path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let mtime = i64::try_from(line.mtime.as_nanosecond()).unwrap_or_default();
            let owner = Owner { uid: line.uid, gid: line.gid };
            let mode = line.permissions().ok_or_else(|| differs("mode"))?;
            dress(&directory, Dress { owner, mode, mtime })
                .map_err(io_at(&path, "set owner and permissions"))?;
            let stat = stat_of(&directory).map_err(io_at(&path, "look at in the copy"))?;
            if let Some(what) = differing(line, &stat) {
                return Err(differs(what));
            }
        }
        Kind::Link => {
            let opened = reading.open(&path, OFlags::PATH)?;
            let stat = stat_of(&opened).map_err(io_at(&path, "look at in the copy"))?;
            let target = readlinkat(&opened, c"", Vec::new()).map_err(io_at(&path, "read the link"))?;
            if line.target_bytes().as_deref() != Some(target.to_bytes()) {
                return Err(differs("target"));
            }
            if let Some(what) = differing(line, &stat) {
                return Err(differs(what));
            }
        }
        Kind::Other => return Err(differs("kind")),
    }
    Ok(())
}

/// What of a thing is not as it was recorded; content and target are looked at apart.
fn differing(recorded: &Line, now: &Stat) -> Option<&'static str> {
    // Nobody can change those of a link.
    let has_permissions = recorded.kind != Kind::Link;
    match () {
        () if recorded.kind != Kind::of(now) => Some("kind"),
        () if (recorded.uid, recorded.gid) != (now.uid, now.gid) => Some("owner"),
        () if has_permissions && recorded.permissions() != Some(u32::from(now.mode & 0o7777)) => Some("mode"),
        () if recorded.mtime != now.mtime.at() => Some("time"),
        () => None,
    }
}

/// The copy, as one thread goes through it.
struct Reading<'a> {
    run: &'a OwnedFd,
    /// The directory that was opened last: most names lie where the one before them lay.
    last: Option<(Vec<u8>, OwnedFd)>,
    buffer: Vec<u8>,
}

impl Reading<'_> {
    fn open(&mut self, path: &[u8], flags: OFlags) -> Result<OwnedFd, RestoreError> {
        let of = |what| io_at::<Errno>(path, what);
        let at = path.iter().rposition(|b| *b == b'/');
        let (above, name) = at.map_or((&b"."[..], path), |at| (&path[..at], &path[at + 1..]));
        let c_name = |name: &[u8]| CString::new(name).map_err(|_| of("use the name")(Errno::INVAL));
        if self.last.as_ref().is_none_or(|(last, _)| last != above) {
            let fd = directory_below(self.run, c_name(above)?.as_c_str()).map_err(of("open in the copy"))?;
            self.last = Some((above.to_vec(), fd));
        }
        let Some((_, directory)) = &self.last else { return Err(of("open in the copy")(Errno::NOENT)) };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(directory, c_name(name)?, flags, Mode::empty()).map_err(of("open in the copy"))
    }
}

/// How many names there are below the directory of a run, without that of the directory of missing uploads itself.
fn names_in(run: &OwnedFd) -> Result<u64, RestoreError> {
    let missing =
        directory_if_there(run, crate::stage::MISSING).map_err(io_at(b"missing", "open in the copy"))?;
    Ok(tally(run)? - u64::from(missing.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Recorder;
    use mastmaint_verify::prove::Untold;
    use mastmaint_words::restore::Amount;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    /// A copy of one directory with a file and a link, and its manifest.
    fn copy(at: &Path) -> (OwnedFd, std::path::PathBuf, u64) {
        fs::create_dir_all(at.join("run/live")).unwrap();
        fs::write(at.join("run/live/a\nb"), "content").unwrap();
        std::os::unix::fs::symlink("/etc", at.join("run/live/out")).unwrap();
        let manifest = at.join("manifest");
        let recorder = Recorder::begin(&manifest).unwrap();
        let run: OwnedFd = fs::File::open(at.join("run")).unwrap().into();
        let mut reading = Reading { run: &run, last: None, buffer: Vec::new() };
        let mut stat = |path: &str| stat_of(reading.open(path.as_bytes(), OFlags::PATH).unwrap()).unwrap();
        let hash = *blake3::hash(b"content").as_bytes();
        recorder.add(&Line::of(b"live", &stat("live"), None, None)).unwrap();
        recorder.add(&Line::of(b"live/a\nb", &stat("live/a\nb"), Some(hash), None)).unwrap();
        recorder.add(&Line::of(b"live/out", &stat("live/out"), None, Some(b"/etc"))).unwrap();
        let count = recorder.end().unwrap().count;
        (run, manifest, count)
    }

    #[test]
    fn whatever_differs_is_named() {
        let spoiled = |spoil: &dyn Fn(&Path)| {
            let place = tempfile::tempdir().unwrap();
            let (run, manifest, count) = copy(place.path());
            spoil(&place.path().join("run/live"));
            check(&run, &manifest, count, &Meter::new(&Untold, Amount::default())).map_err(|e| e.to_string())
        };
        let kept_time = |live: &Path, change: &dyn Fn(&Path)| {
            let path = live.join("a\nb");
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            change(&path);
            fs::File::open(&path).unwrap().set_modified(time).unwrap();
        };
        assert_eq!(spoiled(&|_| {}), Ok(()));
        let says = |spoil: &dyn Fn(&Path), what: &str| {
            let error = spoiled(spoil).unwrap_err();
            assert!(error.contains(what), "{error}");
        };
        says(
            &|live| kept_time(live, &|p| fs::write(p, "CONTENT").unwrap()),
            "live/a\\nb in the copy has another content",
        );
        says(&|live| kept_time(live, &|p| fs::write(p, "more content").unwrap()), "another size");
        says(
            &|live| fs::set_permissions(live.join("a\nb"), fs::Permissions::from_mode(0o4755)).unwrap(),
            "another mode",
        );
        says(&|live| fs::write(live.join("more"), "").unwrap(), "number of names");
        says(&|live| fs::remove_file(live.join("a\nb")).unwrap(), "No such file");
        says(
            &|live| {
                fs::remove_file(live.join("a\nb")).unwrap();
                std::os::unix::fs::symlink("/etc/passwd", live.join("a\nb")).unwrap();
            },
            "symbolic link",
        );
    }
}

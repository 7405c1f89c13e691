//! A backup by rsnapshot: all of its generations.

use super::{
    Night, Report,
    exclude::idle,
    source::{Source, open_below, open_root},
};
use crate::{
    check::{Age, KnownBy, complete, raw_copies_in},
    error::VerifyError,
    finding::{Code, Finding},
    look::DirectoryTree,
    prove::{Generation, Measure, Root},
    rsnapshot::{self, Conf, Ended, Lock, Look, Parsed, Present, Snapshot, Standing, last_run, set_up_right},
};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

/// The end of a log that is long enough for one run.
const LOG_END: u64 = 256 * 1024;

pub(super) fn verify(night: &Night<'_>, config: &Path) -> Result<Report, VerifyError> {
    let Parsed { conf, notes } = rsnapshot::read(config).map_err(VerifyError::backup(config))?;
    if conf.snapshot_root.as_os_str().is_empty() {
        let look = Present::default();
        let findings = set_up(night, &conf, &notes, &look, Lock::Free, None, &[], None);
        return Ok(night.report(None, None, &[], findings));
    }
    let at = || conf.snapshot_root.clone();
    let (lock, waited) = night.wait_for_lock(conf.lockfile.as_deref())?;
    let mut findings: Vec<Finding> = waited.into_iter().collect();
    let root = match open_root(&conf.snapshot_root) {
        Ok(root) => root,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            findings.extend(night.fresh(None));
            findings.extend(set_up(night, &conf, &notes, &Present::default(), lock, None, &[], None));
            let gone = format!("{} is not there; perhaps a disk that is not mounted", at().display());
            return Ok(night.report(None, None, &[gone], findings));
        }
        Err(error) => return Err(VerifyError::backup(at())(error)),
    };
    let (mut lock, mut present) = look(night, &conf, &root, lock, &mut findings)?;
    let log = conf.logfile.as_deref().and_then(|l| log_end(l).ok());
    // Its lock went with the host, often; what it had in hand is half done all the same.
    if lock == Lock::Free && matches!(log.as_deref().and_then(last_run), Some((Ended::NotAtAll, _))) {
        lock = Lock::Stale;
        present = Present::look(root.as_fd(), &conf, lock).map_err(VerifyError::backup(at()))?;
    }
    let newest = present.newest();
    let age = newest.map(|s| age_of(&conf, s));
    findings.extend(night.fresh(age.as_ref()));
    let mut idle_excludes = Vec::new();
    if let Some(newest) = newest {
        let (found, idle) =
            newest_is_complete(night, &conf, &root, newest).map_err(VerifyError::backup(at()))?;
        findings.extend(found);
        idle_excludes = idle;
    }
    let generations = open_generations(&conf, &root, &present, newest);
    let was_disturbed = || is_moving(&conf, &root, &present);
    let proved = night.prove(generations, None, Measure::Tree, &was_disturbed)?;
    findings.extend(set_up(
        night,
        &conf,
        &notes,
        &present,
        lock,
        log.as_deref(),
        &idle_excludes,
        Some(&proved),
    ));
    Ok(night.report(age, Some(proved), &[], findings))
}

/// So often it is looked again until nothing moves.
const LOOKS: usize = 10;

/// The generations as they are while nobody writes: two looks that agree. A run that begins in this very moment is
/// waited for too.
fn look(
    night: &Night<'_>,
    conf: &Conf,
    root: &OwnedFd,
    lock: Lock,
    findings: &mut Vec<Finding>,
) -> Result<(Lock, Present), VerifyError> {
    let of = || VerifyError::backup(&conf.snapshot_root);
    let list = |lock| Present::look(root.as_fd(), conf, lock).map_err(of());
    let mut seen = (lock, list(lock)?);
    for _ in 0..LOOKS {
        if matches!(seen.0, Lock::Held(_)) {
            break;
        }
        let (lock, waited) = night.wait_for_lock(conf.lockfile.as_deref())?;
        findings.extend(waited);
        let again = (lock, list(lock)?);
        if again == seen {
            break;
        }
        seen = again;
    }
    Ok(seen)
}

fn age_of(conf: &Conf, snapshot: &Snapshot) -> Age {
    Age { name: snapshot.name(conf), at: snapshot.stamp.at(), known_by: KnownBy::Stamp }
}

#[expect(clippy::too_many_arguments, reason = "what was seen in one place, handed on as one thing")]
fn set_up(
    night: &Night<'_>,
    conf: &Conf,
    notes: &[rsnapshot::Note],
    present: &Present,
    lock: Lock,
    log: Option<&str>,
    idle_excludes: &[(String, String)],
    proved: Option<&super::Proved>,
) -> Vec<Finding> {
    let none = std::collections::BTreeSet::new();
    set_up_right(&Look {
        conf,
        notes,
        present,
        lock,
        last_run: log.and_then(last_run),
        newest: proved.map_or((0, 0), |p| (p.outcome.newest_paths, p.outcome.newest_singles)),
        idle_excludes,
        bad: proved.map_or(&none, |p| &p.outcome.bad_roots),
        known_since: proved.and_then(|p| p.before.first()).map(|h| h.at),
        now: night.stamp(),
    })
}

type Excludes = Vec<(String, String)>;

fn newest_is_complete(
    night: &Night<'_>,
    conf: &Conf,
    root: &OwnedFd,
    newest: &Snapshot,
) -> io::Result<(Vec<Finding>, Excludes)> {
    let tree = DirectoryTree::new(open_below(root, &newest.name(conf))?, Some(newest.stamp));
    let below = conf.points.iter().map(|p| p.dest.clone()).filter(|d| !d.is_empty()).collect();
    let idle_excludes = idle(&tree, conf)?;
    let source = Source { name: newest.name(conf), tree: Box::new(tree), below };
    let backup = night.request.backup;
    let mastodon = source.mastodon(backup.live.as_deref())?;
    let mut findings =
        complete(&*source.tree, &source.below, &backup.require, &backup.forbid, mastodon.as_ref())?;
    findings.extend(live_missing(backup.live.as_deref(), mastodon.is_some()));
    findings.extend(raw_copies_in(&*source.tree, &source.below)?);
    Ok((findings, idle_excludes))
}

/// The place that the config names for Mastodon is not in the backup.
pub(super) fn live_missing(live: Option<&str>, is_there: bool) -> Option<Finding> {
    let live = live.filter(|_| !is_there)?;
    Some(Finding::fail(
        Code::RequiredMissing,
        format!("{live}, the place of Mastodon in the backup, is not in it"),
        "See what the backup program copies, or mend `live:`: it is the path as it lies in the backup.",
    ))
}

/// The generations that stand still, the newest complete one first.
fn open_generations(
    conf: &Conf,
    root: &OwnedFd,
    present: &Present,
    newest: Option<&Snapshot>,
) -> Vec<Generation> {
    let standing = present.snapshots.iter().filter(|s| s.standing != Standing::InDoubt);
    let others = standing.filter(|s| newest != Some(*s));
    let open = |snapshot: &Snapshot| {
        let name = snapshot.name(conf);
        // Rotated away since it was listed: not there.
        let fd = open_below(root, &name).ok()?;
        Some(Generation { root: Root { name: name.into_bytes(), fd }, stamp: present.lone_stamp(snapshot) })
    };
    newest.into_iter().chain(others).filter_map(open).collect()
}

/// Whether rsnapshot works or has rotated since.
fn is_moving(conf: &Conf, root: &OwnedFd, before: &Present) -> bool {
    let Ok(lock) = Lock::look(conf.lockfile.as_deref()) else { return true };
    let names = |present: &Present| {
        present.snapshots.iter().map(|s| (s.level, s.number, s.stamp)).collect::<Vec<_>>()
    };
    matches!(lock, Lock::Held(_))
        || Present::look(root.as_fd(), conf, lock).map_or(true, |now| names(&now) != names(before))
}

fn log_end(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_END)))?;
    let mut text = Vec::new();
    file.take(LOG_END).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

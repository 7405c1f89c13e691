//! Whether rsnapshot is set up right: what it promises against what is there. Pure, over plain data.

use super::{Conf, Ended, Lock, Note, NoteKind, Present, Snapshot, Standing};
use crate::{
    finding::{Code, Finding},
    stamp::Stamp,
};
use std::collections::BTreeSet;

/// Fewer files say nothing about linking.
const ENOUGH_FILES: u64 = 50;

/// What was found of a backup by rsnapshot.
#[derive(Debug, Clone)]
pub struct Look<'a> {
    /// Its configuration.
    pub conf: &'a Conf,
    /// What is wrong with it.
    pub notes: &'a [Note],
    /// The generations.
    pub present: &'a Present,
    /// The lock.
    pub lock: Lock,
    /// How the last run ended, and the line of the log that says so.
    pub last_run: Option<(Ended, &'a str)>,
    /// Names in the newest generation, and how many of them share their file with no other generation.
    pub newest: (u64, u64),
    /// Anchored patterns of `exclude` whose directory is in no backup point.
    pub idle_excludes: &'a [(String, String)],
    /// Generations that are not proved or not whole.
    pub bad: &'a BTreeSet<String>,
    /// The first night that we saw it.
    pub known_since: Option<Stamp>,
    /// Now.
    pub now: Stamp,
}

/// The generations that the next rotations delete: the last of each level that is full. A lower level hands its last
/// one up instead if the level above runs in time.
pub fn doomed<'a>(conf: &'a Conf, present: &'a Present) -> impl Iterator<Item = &'a Snapshot> {
    present.snapshots.iter().filter(|s| s.number + 1 >= conf.levels[s.level].keep)
}

/// Every finding about the set-up.
pub fn set_up_right(look: &Look<'_>) -> Vec<Finding> {
    let mut findings = notes(look.notes);
    findings.extend(runs(look));
    findings.extend(levels(look));
    findings.extend(copied(look));
    findings.extend(idle(look.idle_excludes));
    findings.extend(veto(look));
    findings
}

fn notes(notes: &[Note]) -> Vec<Finding> {
    let of = |kind| {
        let of_kind = notes.iter().filter(move |n| n.kind == kind);
        of_kind.map(|n| format!("{}: {}", n.at, n.text)).collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    let mistakes = of(NoteKind::Mistake);
    if !mistakes.is_empty() {
        findings.push(
            Finding::fail(
                Code::ConfigMistake,
                "rsnapshot refuses this configuration",
                "Mend the lines named (words are parted by tabs), then try: rsnapshot configtest",
            )
            .with(mistakes),
        );
    }
    let doubts = of(NoteKind::Doubt);
    if !doubts.is_empty() {
        let what = "a line of rsnapshot's configuration may not do what it seems to do";
        findings.push(Finding::warn(Code::ConfigDoubt, what, "Look at the lines named.").with(doubts));
    }
    let unread = of(NoteKind::NotRead);
    if !unread.is_empty() {
        let what = "a part of rsnapshot's configuration is made by a command and was not read";
        let advice =
            "What it adds (levels, backup points) is not checked. Write it into a file to have it checked.";
        findings.push(Finding::info(Code::ConfigNotRead, what, advice).with(unread));
    }
    findings
}

fn runs(look: &Look<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if look.lock == Lock::Stale {
        let file = match look.last_run {
            Some((Ended::NotAtAll, line)) => Some(line.to_owned()),
            _ => look.conf.lockfile.as_ref().map(|l| l.display().to_string()),
        };
        findings.push(
            Finding::warn(
                Code::StaleLock,
                match look.last_run {
                    Some((Ended::NotAtAll, _)) => "the last run of rsnapshot began and did not end: it was killed, or the host went down",
                    _ => "the last run of rsnapshot died: its lock names no living process",
                },
                "The youngest generation may be half written and is not counted. Run rsnapshot again; with stop_on_stale_lockfile remove the lock first.",
            )
            .with(file),
        );
    }
    // While rsnapshot works one is being deleted and another one made.
    let is_at_work = matches!(look.lock, Lock::Held(_));
    let half: Vec<String> = look
        .present
        .snapshots
        .iter()
        .filter(|s| s.standing == Standing::LacksAPoint && !is_at_work)
        .map(|s| s.name(look.conf))
        .collect();
    match look.last_run {
        Some((Ended::WithErrors, line)) => findings.push(
            Finding::fail(
                Code::LastRunTroubled,
                "the last run of rsnapshot ended with errors",
                "Read its log around this line. It rotates on while copies fail, until the last good one is gone.",
            )
            .with([line.to_owned()]),
        ),
        Some((Ended::WithWarnings, line)) => findings.push(
            Finding::warn(
                Code::LastRunTroubled,
                "the last run of rsnapshot ended with warnings",
                "Often a file that vanished while it was copied. With sync_first, `rsnapshot sync && rsnapshot daily` does not rotate then.",
            )
            .with([line.to_owned()]),
        ),
        _ => {}
    }
    // A run at work empties the generation that it deletes.
    if !half.is_empty() && !matches!(look.lock, Lock::Held(_)) {
        findings.push(
            Finding::warn(
                Code::LastRunTroubled,
                "a backup point is missing or empty in a generation",
                "Such a generation cannot bring everything back. Read the log of its run.",
            )
            .with(half),
        );
    }
    if look.lock == Lock::Free && !look.present.left.is_empty() {
        let what = "a deletion was not finished";
        let advice = "rsnapshot does not come back to it. Remove the directory when no rsnapshot is at work.";
        findings
            .push(Finding::warn(Code::DeletionLeft, what, advice).with(look.present.left.iter().cloned()));
    }
    findings
}

fn levels(look: &Look<'_>) -> Vec<Finding> {
    let of = |level| look.present.snapshots.iter().filter(move |s| s.level == level);
    let mut findings = Vec::new();
    for (at, level) in look.conf.levels.iter().enumerate() {
        let count = u32::try_from(of(at).count()).unwrap_or(u32::MAX);
        let highest = of(at).map(|s| s.number).max();
        if let Some(highest) = highest.filter(|h| *h >= count) {
            let has = |n: &u32| of(at).any(|s| s.number == *n);
            let gaps = (0..=highest).filter(|n| !has(n)).map(|n| format!("{}.{n}", level.name));
            findings.push(
                Finding::warn(
                    Code::RetentionShort,
                    format!("generations of {} are missing between others", level.name),
                    "Somebody removed them, or a rotation was cut off. Fewer days can be brought back than it seems.",
                )
                .with(gaps),
            );
        }
        let above = of(at + 1).count();
        // The oldest of a full level moves up, so one less than promised is right after a rotation.
        if above > 0 && count + 1 < level.keep {
            findings.push(Finding::warn(
                Code::RetentionShort,
                format!("{} keeps {count} generations, {} are promised", level.name, level.keep),
                "The level above has some already, so this one was full before. Find out what removes them.",
            ));
        }
        let Some(below) = at.checked_sub(1) else { continue };
        let full = of(below).count() as u64 >= u64::from(look.conf.levels[below].keep);
        if count == 0 && full {
            let times = of(below).map(|s| s.stamp.0);
            let span = times.clone().max().unwrap_or(0) - times.min().unwrap_or(0);
            let waited = look.known_since.map_or(0, |s| look.now.0.saturating_sub(s.0));
            if u64::from(waited) > 2 * u64::from(span) {
                findings.push(Finding::warn(
                    Code::LevelNeverRan,
                    format!("the level {} never ran: {} is full and hands nothing on", level.name, look.conf.levels[below].name),
                    format!("Is there a cron entry or timer for `rsnapshot {}`? Without it the oldest generations are deleted instead of kept.", level.name),
                ));
            }
        }
    }
    findings
}

fn copied(look: &Look<'_>) -> Option<Finding> {
    let (paths, singles) = look.newest;
    let is_alone = look.present.snapshots.len() < 2;
    if is_alone || paths < ENOUGH_FILES || singles * 10 < paths * 9 {
        return None;
    }
    Some(
        Finding::warn(
            Code::CopiedNotLinked,
            "files were copied again instead of linked: each generation takes the whole space",
            "A run that was missed, another mtime at the source, or a snapshot root on a file system without hard links. The next run should link again; if not, look at link_dest and cmd_cp.",
        )
        .with([format!("{singles} of {paths} files of the newest generation are in no other")]),
    )
}

fn idle(excludes: &[(String, String)]) -> Option<Finding> {
    (!excludes.is_empty()).then(|| {
        Finding::warn(
            Code::ConfigDoubt,
            "an exclude can never match: its directory is in no backup point",
            "With --relative (the default) a pattern with a slash in front begins with the whole source path; without the slash it matches anywhere.",
        )
        .with(excludes.iter().map(|(pattern, at)| format!("{at}: exclude {pattern}")))
    })
}

fn veto(look: &Look<'_>) -> Option<Finding> {
    let doomed: BTreeSet<String> = doomed(look.conf, look.present).map(|s| s.name(look.conf)).collect();
    let mut good = look
        .present
        .snapshots
        .iter()
        .filter(|s| s.standing == Standing::Complete)
        .map(|s| s.name(look.conf))
        .filter(|n| !look.bad.contains(n));
    let last = good.next().filter(|n| doomed.contains(n))?;
    good.next().is_none().then(|| {
        Finding::fail(
            Code::LastProvedGoes,
            format!("the next rotation deletes {last}, the last generation that is whole and proved"),
            "Stop rsnapshot (its cron entry or timer) until a newer generation is proved, or copy this one away.",
        )
    })
}

#[cfg(test)]
mod tests;

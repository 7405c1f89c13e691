//! One night of proving, from the first directory to the stored proofs.

use super::{
    blast::paths_of,
    device::Devices,
    meet::Proving,
    night::Nightly,
    outcome::{Outcome, Summary},
    report,
    shelf::read_shelved,
    store::{Finished, History, Store},
    tell::Tell,
    tonight::Tonight,
    walk::{Root, visit_files, walk},
};
use crate::{error::VerifyError, finding::Finding, stamp::Stamp};
use std::collections::HashSet;

/// A directory tree to be proved.
#[derive(Debug)]
pub(crate) struct Generation {
    /// Where it begins.
    pub(crate) root: Root,
    /// When it was finished, if nobody writes to it any more: then what it loses is missing, not deleted.
    pub(crate) stamp: Option<Stamp>,
}

/// What tells whether the newest has lost something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Names and bytes of the newest tree.
    Tree,
    /// Names or rows in the newest file, and its bytes; nothing where it could not be read to its end.
    File(Option<(u64, u64)>),
}

/// A night of proving.
pub(crate) struct Prover<'a> {
    /// Trees, the newest first.
    pub(crate) generations: Vec<Generation>,
    /// Only these names in the first level, if given: the files of a pattern.
    pub(crate) only: Option<HashSet<Vec<u8>>>,
    /// What is compared with the nights before.
    pub(crate) measure: Measure,
    /// What is due.
    pub(crate) nightly: Nightly,
    /// How many walkers.
    pub(crate) walkers: usize,
    /// Asked after the walk: whether something moved the trees meanwhile.
    pub(crate) was_disturbed: &'a (dyn Fn() -> bool + Sync),
    /// Who wants to know.
    pub(crate) tell: &'a dyn Tell,
}

/// On a cold disk they wait for it together; on two cores with everything in memory they do no harm.
pub(crate) const WALKERS: usize = 12;

impl Prover<'_> {
    /// Proves what is due, keeps it in the store and says what there is to say.
    pub(crate) fn prove(self, store: &mut Store) -> Result<Outcome, VerifyError> {
        let began = store.begin(&self.nightly)?;
        let (roots, stamps): (Vec<Root>, Vec<Option<Stamp>>) =
            self.generations.into_iter().map(|g| (g.root, g.stamp)).unzip();
        let devices = Devices::default();
        let proving = Proving::new(store, &self.nightly, began, &stamps, self.tell);
        match &self.only {
            None => walk(&roots, &devices, self.walkers, &proving),
            Some(names) => visit_files(&roots, names, &devices, &proving),
        }
        read_shelved(&proving, &roots, self.walkers);
        let disturbed = (self.was_disturbed)();
        let mut tonight = proving.end();
        if let Some(source) = tonight.error.take() {
            // What was proved so far is on disk; the next start goes on from there.
            let _ = store.pause();
            return Err(VerifyError::Store { path: store.directory().to_owned(), source });
        }
        if self.tell.is_cancelled() {
            store.pause().map_err(VerifyError::store(store.directory()))?;
            return Err(VerifyError::Cancelled);
        }
        if disturbed {
            tonight.roots.iter_mut().for_each(|r| r.is_troubled = true);
        }
        store.take_over();
        let is_cancelled = || self.tell.is_cancelled();
        let rotten = tonight.rotten.iter().copied();
        let paths = paths_of(rotten, &roots, &stamps, &devices, self.walkers, &is_cancelled);
        let missing = report::missing(store, &tonight, &roots, &stamps);
        let summary = Summary { bad: tonight.summary.bad + missing.count, ..tonight.summary };
        let mut findings: Vec<Finding> = store.set_aside().map(report::proofs_lost).into_iter().collect();
        findings.extend(report::per_path(tonight.is_per_path));
        findings.extend(report::rot(&paths, store));
        findings.extend(report::changed(&tonight.changed));
        findings.extend(report::unreadable(&tonight.unreadable));
        let bad_roots = report::bad_roots(&tonight, &missing, &paths, &roots);
        findings.extend(missing.findings.iter().cloned());
        end_night(store, &tonight, &missing.lost, &stamps, self.measure, self.nightly.now)?;
        let newest = tonight.roots.first().copied().unwrap_or_default();
        Ok(Outcome {
            summary,
            findings,
            bad_roots,
            newest_paths: newest.paths,
            newest_singles: newest.singles,
        })
    }
}

fn end_night(
    store: &mut Store,
    tonight: &Tonight,
    lost: &HashSet<usize>,
    stamps: &[Option<Stamp>],
    measure: Measure,
    now: Stamp,
) -> Result<(), VerifyError> {
    let whole = |root: &usize| !tonight.roots[*root].is_troubled;
    let finished: Vec<Finished> = (0..stamps.len())
        .filter(whole)
        .filter_map(|root| stamps[root].map(|stamp| (root, stamp)))
        .map(|(root, stamp)| {
            // What was counted once stays the measure: a loss is told until somebody has looked after it.
            let before = store.finished(stamp).map_or(0, |f| f.paths);
            Finished { stamp, paths: tonight.roots[root].paths.max(before) }
        })
        .collect();
    let newest = match measure {
        Measure::Tree => tonight.roots.first().filter(|r| !r.is_troubled).map(|r| (r.paths, r.bytes)),
        Measure::File(counted) => counted,
    };
    let history = newest.map(|(paths, bytes)| History { at: now, paths, bytes });
    let all_whole = (0..stamps.len()).all(|root| whole(&root));
    let stays = |at: usize| tonight.was_met(at) || !all_whole || lost.contains(&at);
    store.finish(stays, finished, history)
}

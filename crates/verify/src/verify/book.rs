//! The proofs of the parts of a repository, kept in the same store as those of files: packs of restic, segments of
//! Borg, and parts of an archive.

use super::{Night, Proved};
use crate::{
    error::VerifyError,
    finding::{Code, Finding},
    prove::{Finished, History, Identity, Nightly, Outcome, Proof, State, Store, Summary},
    stamp::{Nanos, Stamp},
};
use std::collections::HashSet;

/// Something that is proved by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) identity: Identity,
    pub(super) hash: [u8; 32],
    pub(super) size: u64,
    pub(super) changed: Nanos,
    /// What it is called.
    pub(super) name: String,
}

/// The store of a repository, for one night.
pub(super) struct Book {
    store: Store,
    pub(super) nightly: Nightly,
    pub(super) began: Stamp,
    before: Vec<History>,
    read: u64,
    read_bytes: u64,
}

impl Book {
    pub(super) fn open(night: &Night<'_>) -> Result<Self, VerifyError> {
        let mut store = night.store()?;
        let nightly = night.nightly();
        let before = store.history().to_vec();
        let began = store.begin(&nightly)?;
        Ok(Self { store, nightly, began, before, read: 0, read_bytes: 0 })
    }

    /// The proof of a part.
    pub(super) fn proof(&self, identity: Identity) -> Option<&Proof> {
        self.store.proof_of(identity)
    }

    /// When it was last read.
    pub(super) fn tried(&self, identity: Identity) -> Stamp {
        self.proof(identity).map_or(Stamp::NEVER, |p| p.tried)
    }

    /// Whether it must be read tonight.
    pub(super) fn is_due(&self, identity: Identity) -> bool {
        let proof = self.proof(identity);
        let (proved, tried) = proof.map_or((Stamp::NEVER, Stamp::NEVER), |p| (p.proved, p.tried));
        self.nightly.is_due(self.began, proved, tried)
    }

    /// Every proof of one sort.
    pub(super) fn proofs(&self, sort: u32) -> impl Iterator<Item = &Proof> {
        self.store.proofs().iter().filter(move |p| p.identity.sort() == sort)
    }

    /// Writes down how a part was found.
    pub(super) fn keep(&mut self, part: &Part, state: State) -> Result<(), VerifyError> {
        let old = self.store.proof_of(part.identity);
        let is_sound = state == State::Sound;
        let proof = Proof {
            identity: part.identity,
            size: part.size,
            mtime: part.changed,
            // What it was when it was whole stays known.
            hash: old.filter(|_| !is_sound).map_or(part.hash, |old| old.hash),
            first_seen: old.map_or(self.began, |old| old.first_seen),
            proved: if is_sound { self.began } else { old.map_or(Stamp::NEVER, |old| old.proved) },
            tried: self.began,
            state,
            path: part.name.as_bytes().into(),
            ..Proof::default()
        };
        self.read += 1;
        self.read_bytes += part.size;
        self.store.keep(proof).map_err(VerifyError::store(self.store.directory()))
    }

    /// Says whether snapshots were deleted that nobody would delete by the way.
    pub(super) fn forgotten(&self, things: &str, now: &[Stamp]) -> Option<Finding> {
        let before: Vec<Stamp> = self.store.all_finished().iter().map(|f| f.stamp).collect();
        forgotten(things, &before, now)
    }

    /// Ends the night. `present` are the parts that are proved, `also` those that are kept beside them.
    pub(super) fn close(
        mut self,
        things: &'static str,
        present: &[Part],
        also: &[Part],
        snapshots: &[Stamp],
        history: Option<(u64, u64)>,
    ) -> Result<Proved, VerifyError> {
        self.store.take_over();
        let summary = self.summary(present, history);
        let stay: HashSet<Identity> = present.iter().chain(also).map(|p| p.identity).collect();
        let keep: Vec<bool> = self.store.proofs().iter().map(|p| stay.contains(&p.identity)).collect();
        let finished = snapshots.iter().map(|stamp| Finished { stamp: *stamp, paths: 0 }).collect();
        let history = history.map(|(paths, bytes)| History { at: self.nightly.now, paths, bytes });
        self.store.finish(|at| keep[at], finished, history)?;
        let findings = self.store.set_aside().map(crate::prove::proofs_lost).into_iter().collect();
        let outcome = Outcome { summary, findings, ..Outcome::default() };
        Ok(Proved { outcome, before: self.before, now: history, store_bytes: self.store.bytes(), things })
    }

    fn summary(&self, present: &[Part], history: Option<(u64, u64)>) -> Summary {
        let proofs = || present.iter().filter_map(|part| self.store.proof_of(part.identity));
        let proved = || proofs().filter(|p| p.state == State::Sound && p.proved != Stamp::NEVER);
        Summary {
            paths: history.map_or(0, |(paths, _)| paths),
            files: present.len() as u64,
            bytes: present.iter().map(|p| p.size).sum(),
            proved: proved().count() as u64,
            oldest: proved().map(|p| p.proved).min().unwrap_or(Stamp::NEVER),
            read: self.read,
            read_bytes: self.read_bytes,
            bad: proofs().filter(|p| p.state != State::Sound).count() as u64,
            new: proofs().filter(|p| p.first_seen == self.began).count() as u64,
            ..Summary::default()
        }
    }
}

/// Fewer than these are deleted by any retention.
const FEW: usize = 3;

/// Compares the snapshots of last time with those of now.
fn forgotten(things: &str, before: &[Stamp], now: &[Stamp]) -> Option<Finding> {
    let newest = |of: &[Stamp]| of.iter().copied().max();
    let advice = "If nobody did that on purpose, find out who can delete in the repository, and what is left of it. An append-only repository would have kept them.";
    let lines = [format!("{} {things} last time, {} now", before.len(), now.len())];
    if let (Some(then), now_newest) = (newest(before), newest(now))
        && now_newest.is_none_or(|now| now < then)
    {
        let what = format!("the newest of the {things} of last time is gone");
        let was = format!("it was of {}", then.at().strftime("%Y-%m-%d %H:%M:%S UTC"));
        return Some(Finding::warn(Code::Forgotten, what, advice).with(lines).with([was]));
    }
    let lost = before.iter().filter(|stamp| !now.contains(stamp)).count();
    let left = before.len() - lost;
    (lost >= FEW && left * 100 < before.len() * 80).then(|| {
        let what = format!("{lost} of {} {things} are gone since last time", before.len());
        Finding::warn(Code::Forgotten, what, advice).with(lines)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_deletes_a_few_old_ones_and_nothing_else() {
        let stamps = |range: std::ops::Range<u32>| range.map(Stamp).collect::<Vec<_>>();
        let said = |before: &[Stamp], now: &[Stamp]| forgotten("snapshots", before, now).map(|f| f.what);
        assert_eq!(said(&stamps(1..31), &stamps(2..32)), None, "a night as any other");
        assert_eq!(said(&stamps(1..38), &stamps(8..39)), None, "a week at once");
        assert_eq!(said(&[], &stamps(1..5)), None);
        assert_eq!(said(&stamps(1..3), &stamps(2..4)), None, "two are too few to say anything");
        assert!(said(&stamps(1..31), &stamps(20..32)).unwrap().starts_with("19 of 30 snapshots"));
        assert!(said(&stamps(1..31), &stamps(1..30)).unwrap().contains("newest"));
        assert!(said(&stamps(1..31), &[]).unwrap().contains("newest"));
    }
}

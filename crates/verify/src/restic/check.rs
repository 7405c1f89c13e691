//! `restic check`: the structure each night, and the packs of one part of the repository read to their end. After as
//! many nights as there are parts every pack was read.

use super::Repository;
use crate::{
    finding::{Code, Finding, some_of},
    parts::part_of,
    prove::Tell,
    repository::Refusal,
    stamp::{Nanos, Stamp},
    tool::{Ran, Said},
};
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

/// The name of a pack: the SHA-256 of its content.
pub(crate) type PackId = [u8; 32];

/// A pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pack {
    pub(crate) id: PackId,
    pub(crate) size: u64,
    pub(crate) changed: Nanos,
}

impl Pack {
    /// The part of `of` in which it is, from 1.
    pub(crate) const fn part(&self, of: u8) -> u8 {
        part_of(self.id[0], of)
    }
}

/// The part that waits longest, if anything in it is due. `tried` says when a pack was last read, `is_due` whether it
/// must be again. New packs come into every part each night, so the last reading of a part decides, not its oldest
/// proof.
pub(crate) fn next_part(
    packs: &[Pack],
    of: u8,
    tried: impl Fn(&Pack) -> Stamp,
    is_due: impl Fn(&Pack) -> bool,
) -> Option<u8> {
    let mut waits: BTreeMap<u8, (Stamp, bool)> = BTreeMap::new();
    for pack in packs {
        let (last, due) = waits.entry(pack.part(of)).or_default();
        *last = (*last).max(tried(pack));
        *due |= is_due(pack);
    }
    let due = waits.into_iter().filter(|(_, (_, due))| *due);
    due.min_by_key(|(part, (last, _))| (*last, *part)).map(|(part, _)| part)
}

/// What `restic check` said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Packs that are not whole, and what restic says of each.
    pub(crate) damaged: BTreeMap<String, String>,
    /// Packs that are gone.
    pub(crate) missing: BTreeMap<String, String>,
    /// Everything else that is wrong.
    pub(crate) others: Vec<String>,
    /// Whether it came to reading packs.
    pub(crate) has_read: bool,
    /// Whether snapshots are damaged, which is told where they are listed.
    of_snapshots: bool,
}

impl Checked {
    fn of(said: &Said, is_remote: bool) -> Self {
        let out = String::from_utf8_lossy(&said.out);
        let mut checked = Self::default();
        // What another host did not give at once it may have given later; if not, restic says so at the end.
        let is_over = |line: &&str| is_remote && line.contains("retrying after");
        for line in out.lines().chain(said.complaints.lines()).map(str::trim).filter(|l| !is_over(l)) {
            checked.has_read |= line.starts_with("read ");
            checked.of_snapshots |= line.contains("<snapshot/");
            checked.line(line);
        }
        checked.others.sort_unstable();
        checked.others.dedup();
        if !said.status.success() && checked.is_fine() && !checked.of_snapshots {
            checked.others.push(crate::tool::last_line(&said.complaints));
        }
        checked
    }

    fn line(&mut self, line: &str) {
        let is_trouble = [
            "error",
            "Fatal",
            "does not exist",
            "damaged",
            "not found",
            "contains",
            "failed",
            "invalid",
            "unexpected",
            "does not match",
        ];
        // What a backup that broke off leaves behind is not wrong; a summary says nothing new.
        let is_noise = [
            "not referenced in any index",
            "no errors",
            "repository contains errors",
            "The repository is damaged",
            "restic repair",
            "<snapshot/",
            "Check failed",
        ];
        if !is_trouble.iter().any(|w| line.contains(w)) || is_noise.iter().any(|w| line.contains(w)) {
            return;
        }
        // Before it is read a pack is named in full, and afterwards in short.
        let pack = pack_in(line);
        if pack.as_ref().is_some_and(|id| self.packs().any(|known| known.starts_with(id.as_str()))) {
            return;
        }
        match pack {
            Some(id) if ["does not exist", "not found", "no such file"].iter().any(|w| line.contains(w)) => {
                self.missing.entry(id).or_insert_with(|| line.to_owned());
            }
            Some(id) => {
                self.damaged.entry(id).or_insert_with(|| line.to_owned());
            }
            None => self.others.push(line.to_owned()),
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_fine(&self) -> bool {
        self.damaged.is_empty() && self.missing.is_empty() && self.others.is_empty()
    }

    /// Whether a pack was named; restic shortens names.
    pub(crate) fn names(&self, id: &PackId) -> bool {
        let hex = blake3::Hash::from_bytes(*id).to_hex();
        self.packs().any(|named| hex.starts_with(named.as_str()))
    }

    fn packs(&self) -> impl Iterator<Item = &String> {
        self.damaged.keys().chain(self.missing.keys())
    }

    /// What there is to say.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let lines = |of: &BTreeMap<String, String>| some_of(of.values().cloned(), of.len() as u64);
        if !self.damaged.is_empty() {
            let what = format!("{} of the repository damaged", are(self.damaged.len()));
            let advice = "Look after the disk (smartctl -a, dmesg). `restic find --pack ID` says which files are lost; a new backup of what is still there brings their content back after `restic repair packs`.";
            findings.push(Finding::fail(Code::Damaged, what, advice).with(lines(&self.damaged)));
        }
        if !self.missing.is_empty() {
            let what = format!("{} missing from the repository", are(self.missing.len()));
            let advice = "Find out who deleted them. `restic repair index`, then `restic check` says which snapshots are broken.";
            findings.push(Finding::fail(Code::Missing, what, advice).with(lines(&self.missing)));
        }
        if !self.others.is_empty() {
            let what = format!("the structure of the repository is damaged: {}", self.others[0]);
            let advice =
                "Keep a copy of the repository, look after the disk, then see what `restic check` advises.";
            let evidence = some_of(self.others.iter().cloned(), self.others.len() as u64);
            findings.push(Finding::fail(Code::Damaged, what, advice).with(evidence));
        }
        findings
    }
}

/// `1 pack is`, `3 packs are`.
fn are(packs: usize) -> String {
    if packs == 1 { "1 pack is".to_owned() } else { format!("{packs} packs are") }
}

/// The name of the pack that a line is about, as far as restic writes it out.
fn pack_in(line: &str) -> Option<String> {
    let after =
        ["pack ", "Pack ID does not match, want ", "<data/"].iter().find_map(|w| line.split_once(w))?.1;
    let id: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
    (id.len() >= 8).then_some(id)
}

impl Repository {
    /// Checks the structure, and reads the packs of a part: all of them if it is the only one. `None` if that took
    /// longer than `time`.
    pub(crate) fn check(
        &self,
        part: Option<(u8, u8)>,
        time: Option<Duration>,
        tell: &dyn Tell,
    ) -> Result<Option<Checked>, Refusal> {
        let subset = part.map(|(part, of)| match of {
            1 => "--read-data".to_owned(),
            _ => format!("--read-data-subset={part}/{of}"),
        });
        let mut words = vec!["check"];
        // Indexes and directories are fetched anew once in a round, and kept for its other nights.
        if self.directory.is_none() && part.is_none_or(|(part, of)| part > 1 && of > 1) {
            words.push("--with-cache");
        }
        words.extend(subset.as_deref());
        match self.tool.run(&words, time, tell)? {
            Ran::Ended(said) => match self.refused(&said) {
                refusal @ (Refusal::WrongPassword { .. }
                | Refusal::NoRepository { .. }
                | Refusal::OtherHost { .. }
                | Refusal::NotLetIn { .. }
                | Refusal::NoAnswer { .. })
                    if !said.status.success() =>
                {
                    Err(refusal)
                }
                _ => Ok(Some(Checked::of(&said, self.directory.is_none()))),
            },
            Ran::TooLong => Ok(None),
            Ran::Cancelled => Err(Refusal::Cancelled),
        }
    }

    /// All packs that are there.
    pub(crate) fn packs(&self, tell: &dyn Tell) -> Result<Vec<Pack>, Refusal> {
        if let Some(directory) = &self.directory {
            return Ok(packs_in(&directory.join("data"))?);
        }
        self.packs_elsewhere(tell)
    }
}

pub(super) fn id_of(name: &str) -> Option<PackId> {
    blake3::Hash::from_hex(name.trim()).ok().map(|hash| *hash.as_bytes())
}

/// The packs in the directory of a repository; what is not named like one is not one.
fn packs_in(data: &Path) -> std::io::Result<Vec<Pack>> {
    let mut packs = Vec::new();
    for shelf in fs::read_dir(data)? {
        let shelf = shelf?;
        if !shelf.file_type()?.is_dir() {
            continue;
        }
        for entry in fs::read_dir(shelf.path())? {
            let entry = entry?;
            let Some(id) = entry.file_name().to_str().and_then(id_of) else { continue };
            // Pruned since it was listed: not there.
            let Ok(metadata) = entry.metadata() else { continue };
            let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
            let changed = Nanos::new(metadata.mtime(), nanos);
            packs.push(Pack { id, size: metadata.len(), changed });
        }
    }
    packs.sort_by_key(|p| p.id);
    Ok(packs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// After as many nights as there are parts every pack was read, although new ones come each night.
        #[test]
        fn every_pack_is_read_in_a_bounded_number_of_nights(
            first in proptest::collection::vec(any::<u8>(), 1..80), of in 1_u8..20, new in any::<u8>()
        ) {
            let pack = |byte: u8, n: u8| {
                let mut id = [n; 32];
                id[0] = byte;
                Pack { id, size: 1, changed: Nanos(0) }
            };
            let mut packs: Vec<Pack> = first.iter().zip(0..).map(|(b, n)| pack(*b, n)).collect();
            let old = packs.clone();
            let mut read: HashMap<PackId, Stamp> = HashMap::new();
            for night in 1..=u32::from(of) {
                packs.push(pack(new.wrapping_mul(u8::try_from(night).unwrap()), 200));
                let tried = |p: &Pack| read.get(&p.id).copied().unwrap_or_default();
                let part = next_part(&packs, of, tried, |p| tried(p) == Stamp::NEVER);
                let Some(part) = part else { break };
                for pack in packs.iter().filter(|p| p.part(of) == part) {
                    read.insert(pack.id, Stamp(night));
                }
            }
            prop_assert!(old.iter().all(|p| read.contains_key(&p.id)));
        }
    }

    fn checked(lines: &[&str]) -> Checked {
        let mut checked = Checked::default();
        for line in lines {
            checked.line(line);
        }
        checked
    }

    #[test]
    fn damaged_and_missing_packs_are_told_apart() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let seen = checked(&[
            "check all packs",
            &format!("pack {id}: does not exist"),
            "Load(<data/0123456789>, 5, 0) returned error, retrying after 5s: open /b: no such file or directory",
            "pack 89abcdef: not referenced in any index",
            "error: pack 77777777 contains 1 errors: [blob 1: hash mismatch]",
            "Pack ID does not match, want 66666666, got 55555555",
            "pack 44444444: unexpected file size: got 1, expected 2",
            "[0:00] 100.00%  1 / 1 packs",
            "Fatal: repository contains errors",
        ]);
        assert_eq!(seen.missing.keys().collect::<Vec<_>>(), [id]);
        assert_eq!(seen.damaged.keys().collect::<Vec<_>>(), ["44444444", "66666666", "77777777"]);
        assert!(seen.others.is_empty(), "{seen:?}");
        assert!(seen.names(&id_of(id).unwrap()));
        assert!(!seen.names(&[0; 32]));
        assert_eq!(
            seen.findings().iter().map(|f| f.code).collect::<Vec<_>>(),
            [Code::Damaged, Code::Missing]
        );
        assert!(checked(&["no errors were found", "load indexes"]).is_fine());
        assert!(!checked(&["error: load <index/0123>: invalid data returned"]).is_fine());
    }
}

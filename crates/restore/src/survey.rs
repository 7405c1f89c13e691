//! What there is to copy, before anything is: how much, what of it is not proved, and which files have two names.

use crate::{
    attributes,
    error::RestoreError,
    names::Policy,
    proofs::Proofs,
    space::Needs,
    walk::{Entry, Visitor, walk},
};
use mastmaint_verify::{Kind, bring::Tree, prove::Device, shown};
use mastmaint_words::restore::Amount;
use std::{collections::HashSet, os::fd::OwnedFd, sync::Arc};

/// So many names are told of what there is too much of.
pub(crate) const SOME: usize = 5;

/// What stands for a file with several names.
pub(crate) type Key = (u32, u64);

/// A file by its device and number.
pub(crate) const fn key(device: Device, number: u64) -> Key {
    (device.key, number)
}

/// Some of many names, and how many there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Few {
    pub(crate) count: u64,
    pub(crate) names: Vec<String>,
}

impl Few {
    pub(crate) fn add(&mut self, path: &[u8]) {
        self.count += 1;
        if self.names.len() < SOME {
            self.names.push(shown(path));
        }
    }

    /// `a, b and 3 more`.
    pub(crate) fn told(&self) -> String {
        let more = self.count - self.names.len() as u64;
        let names = self.names.join(", ");
        if more == 0 { names } else { format!("{names} and {more} more") }
    }
}

/// What was met.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) amount: Amount,
    pub(crate) needs: Needs,
    /// Files without a proof.
    pub(crate) unproved: Few,
    /// Devices, pipes, sockets: they are left out.
    pub(crate) others: Few,
    /// What has the bits by which a file runs as another.
    pub(crate) setuid: Few,
    /// What has access lists or extended attributes.
    pub(crate) attributes: Few,
    /// Files that are met under two names at least.
    pub(crate) twice: HashSet<Key>,
}

impl Survey {
    /// Counts a thing that will be copied.
    pub(crate) fn count(&mut self, entry: &Entry<'_>) {
        match entry.kind() {
            Kind::File => {
                self.amount.files += 1;
                self.amount.bytes += entry.stat.size;
                self.needs.add(entry.stat.size);
            }
            Kind::Directory | Kind::Link => self.needs.add(1),
            Kind::Other => self.others.add(entry.path),
        }
        if matches!(entry.kind(), Kind::File | Kind::Directory) && entry.stat.mode & 0o6000 != 0 {
            self.setuid.add(entry.path);
        }
    }
}

/// Looks at all that the policy takes.
pub(crate) fn survey(tree: &Tree, root: &Arc<OwnedFd>, policy: &Policy) -> Result<Survey, RestoreError> {
    let mut looking =
        Looking { proofs: Proofs::of(tree), policy, met: HashSet::new(), survey: Survey::default() };
    walk(root, &mut Vec::new(), &mut looking)?;
    Ok(looking.survey)
}

struct Looking<'a> {
    proofs: Proofs<'a>,
    policy: &'a Policy,
    /// Those that have several names, here or in other generations.
    met: HashSet<Key>,
    survey: Survey,
}

impl Looking<'_> {
    fn count(&mut self, entry: &Entry<'_>) {
        self.survey.count(entry);
        if attributes::has_some(entry) {
            self.survey.attributes.add(entry.path);
        }
    }
}

impl Visitor for Looking<'_> {
    fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
        let takes = self.policy.takes(entry.path);
        if takes {
            self.count(entry);
        }
        Ok(takes)
    }

    fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
        if !self.policy.takes(entry.path) {
            return Ok(());
        }
        self.count(entry);
        if entry.kind() == Kind::File {
            if self.proofs.proof(entry, entry.path)?.is_none() {
                self.survey.unproved.add(entry.path);
            }
            if entry.stat.links > 1 {
                let key = self.proofs.key(entry)?;
                if !self.met.insert(key) {
                    self.survey.twice.insert(key);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_named_and_the_others_counted() {
        let mut some = Few::default();
        for n in 0..8 {
            some.add(format!("f{n}\n").as_bytes());
        }
        assert_eq!(some.told(), "f0\\n, f1\\n, f2\\n, f3\\n, f4\\n and 3 more");
    }
}

//! What a night of proving has to say.

use super::{
    open::stat_at,
    shelf::open_above,
    store::{Identity, Store},
    tonight::{Listed, Tonight},
    walk::Root,
};
use crate::{
    finding::{Code, Finding, shown, some_of},
    stamp::Stamp,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    os::fd::AsFd as _,
    path::Path,
};

pub(crate) fn proofs_lost(put: &Path) -> Finding {
    Finding::warn(
        Code::ProofsLost,
        "the store of proofs was damaged; all counts as never proved",
        "Nothing to do: the proofs begin again tonight. If it happens more than once, look after the disk that holds /var/lib.",
    )
    .with([format!("the damaged store is kept as {}", put.display())])
}

pub(super) fn per_path(is_per_path: bool) -> Option<Finding> {
    is_per_path.then(|| {
        Finding::info(
            Code::ProofPerPath,
            "the proof is per path: inode numbers do not last on this file system",
            "Each name is read, also those that share one file. Verify on the host that has the disks if that takes too long.",
        )
    })
}

/// One finding for each rotten inode, with every path that it breaks.
pub(super) fn rot(paths: &HashMap<Identity, Vec<Vec<u8>>>, store: &Store) -> Vec<Finding> {
    let mut findings: Vec<Finding> = paths
        .iter()
        .filter_map(|(identity, paths)| {
            let proof = &store.proofs()[store.position(*identity)?];
            let first = paths.first().map_or_else(|| shown(&proof.path), |p| shown(p));
            let generations = paths.len();
            let what = match generations {
                0 | 1 => format!("rot in {first}: its content changed while size and time did not"),
                n => format!("rot in {first}: its content changed while size and time did not; {n} names share it"),
            };
            let good = if proof.proved == Stamp::NEVER {
                "it was never proved".to_owned()
            } else {
                format!("it was good on {}", proof.proved.at().strftime("%Y-%m-%d %H:%M:%S UTC"))
            };
            let lines = paths.iter().map(|p| shown(p)).chain([good]);
            Some(
                Finding::fail(
                    Code::Rot,
                    what,
                    "Look after the disk (smartctl -a, dmesg). The file is lost in every generation listed: have it copied again from its source, by removing it from the newest generation before the next backup.",
                )
                .with(lines),
            )
        })
        .collect();
    findings.sort_by(|a, b| a.what.cmp(&b.what));
    findings
}

pub(super) fn changed(changed: &Listed) -> Option<Finding> {
    (changed.count > 0).then(|| {
        Finding::warn(
            Code::Changed,
            format!("{} of finished generations were written to", files(changed.count)),
            "A finished generation should stand still. Find out what writes there; what shares these files in other generations changed with them.",
        )
        .with(some_of(changed.lines.iter().cloned(), changed.count))
    })
}

pub(super) fn unreadable(unreadable: &Listed) -> Option<Finding> {
    (unreadable.count > 0).then(|| {
        let names = if unreadable.count == 1 { "name" } else { "names" };
        Finding::fail(
            Code::Unreadable,
            format!("{} {names} cannot be read", unreadable.count),
            "With input/output errors look after the disk (smartctl -a, dmesg); with missing permission run the verification as a user who may read them.",
        )
        .with(some_of(unreadable.lines.iter().cloned(), unreadable.count))
    })
}

fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// What finished generations have lost.
#[derive(Debug, Default)]
pub(super) struct Missing {
    pub(super) findings: Vec<Finding>,
    pub(super) count: u64,
    pub(super) roots: Vec<usize>,
    /// Positions in the store of what is missing.
    pub(super) lost: HashSet<usize>,
}

/// Names of the trees that are not whole.
pub(super) fn bad_roots(
    tonight: &Tonight,
    missing: &Missing,
    rotten: &HashMap<Identity, Vec<Vec<u8>>>,
    roots: &[Root],
) -> BTreeSet<String> {
    let unreadable = (0..roots.len()).filter(|&root| tonight.roots[root].is_bad);
    let named = unreadable.chain(missing.roots.iter().copied()).map(|root| shown(&roots[root].name));
    let paths = rotten.values().flatten();
    named.chain(paths.filter_map(|p| p.split(|b| *b == b'/').next()).map(shown)).collect()
}

/// A path without the name of its generation.
fn below(path: &[u8]) -> &[u8] {
    path.iter().position(|b| *b == b'/').map_or(path, |at| &path[at..])
}

fn is_there(root: &Root, below: &[u8]) -> bool {
    open_above(root, below).is_ok_and(|(above, name)| stat_at(above.as_fd(), &name).is_ok())
}

/// What finished generations have lost since they were last walked.
pub(super) fn missing(store: &Store, tonight: &Tonight, roots: &[Root], stamps: &[Option<Stamp>]) -> Missing {
    let mut missing = Missing::default();
    for (root, stamp) in stamps.iter().enumerate() {
        let Some(stamp) = stamp.filter(|_| !tonight.roots[root].is_troubled) else { continue };
        // A path that is still there has got another file: a generation that was brought back from elsewhere.
        let lost: Vec<usize> = (0..tonight.known)
            .filter(|&at| !tonight.was_met(at) && store.proofs()[at].generation == stamp)
            .filter(|&at| !is_there(&roots[root], below(&store.proofs()[at].path)))
            .collect();
        let unmet: Vec<&[u8]> = lost.iter().map(|&at| &*store.proofs()[at].path).collect();
        missing.lost.extend(lost);
        let before = store.finished(stamp).map_or(0, |f| f.paths);
        let fewer = before.saturating_sub(tonight.roots[root].paths);
        let count = fewer.max(unmet.len() as u64);
        if count == 0 {
            continue;
        }
        let name = shown(&roots[root].name);
        // The generation may have had another name when the file was met.
        let now_at = |path: &[u8]| format!("{name}{}", shown(below(path)));
        let mut lines: Vec<String> = unmet.iter().map(|p| now_at(p)).collect();
        lines.sort_unstable();
        let counted = format!("{before} names when it was last counted, {} now", tonight.roots[root].paths);
        missing.count += count;
        missing.roots.push(root);
        missing.findings.push(
            Finding::fail(
                Code::Missing,
                format!("{} missing from {name}, a finished generation", files(count)),
                "Nothing should be deleted from a finished generation. Find out who did it; other generations may still have the files.",
            )
            .with(some_of(lines, unmet.len() as u64))
            .with([counted]),
        );
    }
    missing
}

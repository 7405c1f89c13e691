//! Space: looked at before a drill begins and while it grows, so that it never fills the disk of somebody else.

use super::{Drill, Stop};
use crate::{
    error::VerifyError,
    finding::{Code, Finding},
    stream::Packing,
};
use mastmaint_words::human;
use std::{io, path::Path};

/// What an empty cluster and its log of changes take.
const EMPTY: u64 = 150 * 1024 * 1024;
/// Measured: a database of 523 MB is a custom dump of 62 MB.
const UNPACKED: u64 = 10;
/// Text has no indexes in it.
const FROM_TEXT: u64 = 3;

/// Bytes that a drill will need: half as much again as the last one; where there was none, a guess from the dump.
pub(super) fn needed(before: Option<&Drill>, size: u64, packing: Option<Packing>) -> u64 {
    if let Some(drill) = before {
        return drill.bytes.saturating_add(drill.bytes / 2);
    }
    let factor = if packing == Some(Packing::Plain) { FROM_TEXT } else { UNPACKED };
    size.saturating_mul(factor).saturating_add(EMPTY)
}

/// Bytes that are free for whoever is not root.
pub(super) fn free_at(at: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(at)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The same of the drill's place.
pub(super) fn free(at: &Path) -> Result<u64, VerifyError> {
    free_at(at).map_err(VerifyError::drill(at))
}

/// Whether there is enough.
pub(super) fn check(at: &Path, needed: u64, reserve: u64) -> Result<(), Stop> {
    let free = free(at)?;
    if free >= needed.saturating_add(reserve) {
        return Ok(());
    }
    let what = format!(
        "no drill: it needs about {} and leaves {} to others, but only {} are free in {}",
        human::bytes(needed),
        human::bytes(reserve),
        human::bytes(free),
        at.display()
    );
    Err(Finding::fail(Code::NoSpace, what, ADVICE).into())
}

/// The finding for a disk that filled up in the middle.
pub(super) fn filled_up(dump: &str, at: &Path, evidence: impl IntoIterator<Item = String>) -> Finding {
    let what = format!("the drill of {dump} was given up: the disk of {} became full", at.display());
    Finding::fail(Code::NoSpace, what, ADVICE).with(evidence)
}

const ADVICE: &str =
    "Make room there, or mount a larger disk at that directory. Whether the dump comes back is not known.";

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn the_last_drill_is_the_measure() {
        let before = Drill {
            at: Timestamp::UNIX_EPOCH,
            dump: "x".to_owned(),
            is_good: true,
            server: None,
            bytes: 1000,
            times: super::super::Times::default(),
            counts: None,
            boot: None,
            harmless: Vec::new(),
        };
        assert_eq!(needed(Some(&before), 5, None), 1500);
        assert_eq!(needed(None, 100, None), EMPTY + 1000);
        assert_eq!(needed(None, 100, Some(Packing::Gzip)), EMPTY + 1000);
        assert_eq!(needed(None, 100, Some(Packing::Plain)), EMPTY + 300);
    }

    #[test]
    fn too_little_is_told_with_its_numbers() {
        let place = tempfile::tempdir().unwrap();
        assert!(check(place.path(), 0, 0).is_ok());
        let Err(Stop::Found(finding)) = check(place.path(), 1, u64::MAX - 1) else {
            panic!("there is never so much")
        };
        assert_eq!(finding.code, Code::NoSpace);
        assert!(finding.what.contains("1 byte"), "{}", finding.what);
    }
}

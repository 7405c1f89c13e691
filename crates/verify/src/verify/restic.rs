//! A night in a repository of restic: its snapshots, the newest of them, its structure, and one part of its packs.

use super::{
    Night, Report,
    book::{Book, Part},
    repository::{Stop, newest_is_complete, too_large},
    source::Source,
    wait::being_written,
};
use crate::{
    backup::Restic,
    check::{Age, KnownBy, raw_copies},
    error::VerifyError,
    finding::{Code, Finding, some_of},
    parts::Weights,
    prove::{Identity, State},
    repository::Refusal,
    restic::{Checked, Listed, Pack, Repository, Snapshot, choose, next_part, of_anybody},
    stamp::Stamp,
};
use jiff::Timestamp;
use mastmaint_words::{Bytes, Span, human};

/// Stands for packs in the store of proofs.
const PACKS: u32 = 1;

pub(super) fn verify(night: &Night<'_>, place: &Restic) -> Result<Report, VerifyError> {
    look(night, place).or_else(|stop| stop.report(night, &place.repository))
}

fn look(night: &Night<'_>, place: &Restic) -> Result<Report, Stop> {
    let repository = Repository::new(place, night.request.scratch)?;
    let (locks, waited) = night.wait_for_locks("restic", || repository.locks(Timestamp::now()))?;
    let (snapshots, unreadable) = repository.snapshots()?;
    let mut findings: Vec<Finding> = waited.into_iter().collect();
    findings.extend(damaged_snapshots(&unreadable));
    findings.extend(of_anybody(&snapshots, place, night.request.backup));
    findings.extend(locks.left("restic", "restic unlock"));
    let newest = choose(&snapshots, place, night.request.backup);
    let age = newest.map(|s| Age { name: s.name(), at: s.time, known_by: KnownBy::Stamp });
    findings.extend(night.fresh(age.as_ref()));
    let mut history = None;
    match newest.map(|newest| Listed::of(&repository, newest, None, night.tell)) {
        Some(Ok(listed)) => {
            history = Some((listed.listing.paths, listed.listing.bytes));
            findings.extend(raw_copies(&listed.listing));
            let source = Source { name: listed.name(), tree: Box::new(listed), below: Vec::new() };
            findings.extend(newest_is_complete(night, &source));
        }
        Some(Err(refusal)) => findings.push(refusal.finding(&place.repository)?),
        None => {}
    }
    let stamps: Vec<Stamp> = snapshots.iter().filter(|s| s.is_of(place)).map(|s| Stamp::of(s.time)).collect();
    let mut book = Book::open(night)?;
    findings.extend(book.forgotten("snapshots", &stamps));
    let mut said = vec![format!("{} snapshots", stamps.len())];
    let packs = repository.packs(night.tell)?;
    let kept: Vec<Part> = packs.iter().map(of_pack).collect();
    if locks.held.is_empty() {
        let (sentence, more) = read(night, &repository, &snapshots, &packs, &mut book)?;
        said.extend(sentence);
        findings.extend(more);
    }
    let proved = book.close("packs", &kept, &[], &stamps, history)?;
    Ok(night.report(age, Some(proved), &said, findings))
}

/// restic lists the others and says that all is well.
fn damaged_snapshots(lines: &[String]) -> Option<Finding> {
    let count = lines.len() as u64;
    (count > 0).then(|| {
        let what = format!("{count} of the snapshots cannot be read");
        let advice = "Look after the disk (smartctl -a, dmesg). Their files may be in other snapshots; what is newest in the list may not be the newest.";
        Finding::fail(Code::Damaged, what, advice).with(some_of(lines.iter().cloned(), count))
    })
}

fn of_pack(pack: &Pack) -> Part {
    let (head, _) = pack.id.split_first_chunk().unwrap_or((&[0; 8], &[]));
    Part {
        identity: Identity::new(PACKS, u64::from_be_bytes(*head)),
        hash: pack.id,
        size: pack.size,
        changed: pack.changed,
        name: blake3::Hash::from_bytes(pack.id).to_hex().to_string(),
    }
}

/// Checks the structure and reads the part of the packs that waits longest.
fn read(
    night: &Night<'_>,
    repository: &Repository,
    snapshots: &[Snapshot],
    packs: &[Pack],
    book: &mut Book,
) -> Result<(Option<String>, Vec<Finding>), Stop> {
    let backup = night.request.backup;
    let mut weights = Weights::default();
    for pack in packs {
        weights.add(pack.id[0], pack.size);
    }
    let parts = weights.parts(backup.budget.bytes.map(Bytes::get), backup.prove_every.get());
    let parts = if night.request.full { Ok(1) } else { parts };
    let identity = |pack: &Pack| of_pack(pack).identity;
    let due = |of| next_part(packs, of, |p| book.tried(identity(p)), |p| book.is_due(identity(p)));
    let (of, part) = parts.map_or((1, None), |of| (of, due(of)));
    let unread = parts.err().map(|least| too_large("the repository", least, backup.budget.bytes));
    let time = backup.budget.time.filter(|_| !night.request.full).map(Span::get);
    let checked = repository.check(part.map(|part| (part, of)), time, night.tell)?;
    let Some(checked) = checked else {
        let late = took_too_long(time.unwrap_or_default(), part.map(|part| (part, of)));
        return Ok((None, unread.into_iter().chain([late]).collect()));
    };
    if !checked.is_fine() && has_moved(repository, snapshots) {
        let what = "the repository was written to while it was read";
        return Ok((None, vec![being_written(what, "new snapshots, or a lock")]));
    }
    let mut count = 0;
    if checked.has_read
        && let Some(part) = part
    {
        for pack in packs.iter().filter(|p| p.part(of) == part) {
            count += 1;
            book.keep(&of_pack(pack), state_of(&checked, pack))?;
        }
    }
    let said = part.filter(|_| checked.has_read).map(|part| match of {
        1 => format!("all {count} packs read tonight"),
        _ => format!("part {part} of {of} read tonight: {count} packs"),
    });
    Ok((said, unread.into_iter().chain(checked.findings()).collect()))
}

fn state_of(checked: &Checked, pack: &Pack) -> State {
    if checked.names(&pack.id) { State::Unreadable } else { State::Sound }
}

/// Whether somebody else worked in the repository meanwhile: then what was read of it may be of two minds.
fn has_moved(repository: &Repository, before: &[Snapshot]) -> bool {
    let is_locked = repository.locks(Timestamp::now()).is_ok_and(|locks| !locks.held.is_empty());
    let has_others = match repository.snapshots() {
        Ok((now, _)) => now.iter().any(|s| !before.contains(s)) || before.iter().any(|s| !now.contains(s)),
        Err(Refusal::Cancelled) => true,
        Err(_) => false,
    };
    is_locked || has_others
}

fn took_too_long(time: std::time::Duration, part: Option<(u8, u8)>) -> Finding {
    let what = match part {
        Some((part, of)) => format!("part {part} of {of}"),
        None => "the structure".to_owned(),
    };
    Finding::warn(
        Code::NotChecked,
        format!("{what} of the repository was not read to its end in {}", human::span(time)),
        "Give it more time with `budget: {time: …}`, or less to read in a night with `budget: {bytes: …}`.",
    )
}

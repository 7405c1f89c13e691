//! Uploads from a time of which the database knows nothing, although it goes on after it: what a restore of an older
//! database leaves behind once the server lives again. That the newest row is newer than the newest file says nothing
//! then; that there is not one row between two moments, while uploads of people are there, does.
//!
//! Only local uploads are looked at: a cached file that no row knows is fetched again. A single one proves nothing (a
//! deletion that failed).

use crate::{Blind, database::Asked, key, store::Store};
use jiff::{SignedDuration, Timestamp};
use mastmaint_words::Together;
use std::collections::BTreeSet;

/// Where people's own uploads are.
const UPLOADS: &str = "media_attachments/files";
/// A time without rows that is shorter is no sign of anything.
const HOLE: SignedDuration = SignedDuration::from_mins(15);
/// So many uploads in one hole are the rest of one deletion.
const STRAY: usize = 1;
/// It is looked at the first uploads of every so many hours…
const NEAR: SignedDuration = SignedDuration::from_hours(6);
/// …as far back as this, and before that…
const NEARLY: SignedDuration = SignedDuration::from_hours(6 * 7 * 24);
/// …of every so many…
const FAR: SignedDuration = SignedDuration::from_hours(12);
/// …as far as this.
const BACK: SignedDuration = SignedDuration::from_hours(200 * 24);
/// Uploads of each look.
const PER_LOOK: usize = 8;
/// Rows that are asked about.
const MOST: usize = 5000;

/// The largest hole in which uploads are.
///
/// # Errors
/// If files or rows cannot be looked at.
pub(crate) fn look(
    store: &mut Store,
    database: &mut Asked,
    now: Timestamp,
) -> Result<Option<Together>, Blind> {
    let uploads = uploads(now, |than| store.first_after(UPLOADS, than, PER_LOOK))?;
    let unknown = unknown(database, &uploads)?;
    if unknown.len() <= STRAY {
        return Ok(None);
    }
    let list: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    // Before the first row there is nothing, after the last one there is now.
    let rows = database.rows(&format!(
        "SELECT coalesce((SELECT max(m.id) FROM media_attachments m WHERE m.id < u.id), 0) AS before, \
         coalesce((SELECT min(m.id) FROM media_attachments m WHERE m.id > u.id), {}) AS after \
         FROM unnest(ARRAY[{}]::bigint[]) AS u (id)",
        key::id_at(now),
        list.join(", ")
    ))?;
    let around: Vec<(i64, i64)> = rows
        .iter()
        .filter_map(|row| Some((row.get("before")?.parse().ok()?, row.get("after")?.parse().ok()?)))
        .collect();
    Ok(worst(&around))
}

/// Some uploads of each span of time; `first_after` gives the first ones after an id.
fn uploads(
    now: Timestamp,
    mut first_after: impl FnMut(i64) -> Result<Vec<i64>, Blind>,
) -> Result<BTreeSet<i64>, Blind> {
    // What is being uploaded right now has a file before its row can be seen.
    let id_before = |span: SignedDuration| now.checked_sub(span).map_or(0, key::id_at);
    let (end, mut from) = (id_before(HOLE), id_before(BACK));
    let mut found = BTreeSet::new();
    while from < end && found.len() < MOST {
        let next = first_after(from)?;
        let Some(first) = next.first().copied() else { break };
        found.extend(next.into_iter().filter(|id| *id < end));
        let span = if first < id_before(NEARLY) { FAR } else { NEAR };
        from = end_of_span(first, span).max(first);
    }
    Ok(found)
}

/// The first id after the span of time that this one is in.
fn end_of_span(id: i64, span: SignedDuration) -> i64 {
    let (made, span) = (id >> 16, i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    ((made / span + 1) * span) << 16
}

/// The ids that are those of no row.
fn unknown(database: &mut Asked, ids: &BTreeSet<i64>) -> Result<Vec<i64>, Blind> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows =
        database.rows(&format!("SELECT id FROM media_attachments WHERE id IN ({})", list.join(", ")))?;
    let known: BTreeSet<i64> = rows.iter().filter_map(|row| row.get("id")?.parse().ok()).collect();
    Ok(ids.difference(&known).copied().collect())
}

/// Of the rows around each unknown upload, the two with the most uploads between them that are far enough apart.
fn worst(around: &[(i64, i64)]) -> Option<Together> {
    let holes: BTreeSet<(i64, i64)> = around.iter().copied().collect();
    let counted = holes.into_iter().filter_map(|hole| {
        let files = around.iter().filter(|other| **other == hole).count();
        let (from, until) = (key::made(hole.0)?, key::made(hole.1)?);
        (files > STRAY && until.duration_since(from) > HOLE).then_some((files, from, until))
    });
    counted.max().map(|(files, from, until)| Together::Hole { from, until, files })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours_ago: i64) -> i64 {
        key::id_at(now() - SignedDuration::from_hours(hours_ago))
    }

    fn now() -> Timestamp {
        "2026-11-26T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_busy_server_is_sampled_all_along() {
        // An upload a minute for a year.
        let all: BTreeSet<i64> = (0..60 * 24 * 365).map(|minute| at(0) - ((minute * 60_000) << 16)).collect();
        let mut looks = 0;
        let found = uploads(now(), |than| {
            looks += 1;
            Ok(all.range(than + 1..).take(PER_LOOK).copied().collect())
        })
        .unwrap();
        assert!((450..=500).contains(&looks), "{looks}");
        for hole in [(30, 22), (24 * 41, 24 * 41 - 8), (24 * 150, 24 * 150 - 13)] {
            let (from, until) = hole;
            assert!(found.range(at(from)..at(until)).count() > STRAY, "{hole:?} is not seen");
        }
        assert!(*found.last().unwrap() < key::id_at(now() - HOLE));
    }

    #[test]
    fn a_quiet_server_is_asked_once_for_each_of_its_uploads_and_all_are_seen() {
        let all: BTreeSet<i64> = [at(24 * 300), at(24 * 100), at(24 * 50), at(5), at(4)].into();
        let mut looks = 0;
        let found = uploads(now(), |than| {
            looks += 1;
            assert!(looks < 9, "it never ends");
            Ok(all.range(than + 1..).take(PER_LOOK).copied().collect())
        })
        .unwrap();
        assert_eq!(found.len(), 4, "what is older than all looks is left out");
        assert_eq!(uploads(now(), |_| Ok(vec![])).unwrap(), BTreeSet::new());
    }

    #[test]
    fn several_uploads_where_no_row_is_are_a_hole() {
        let (from, until) = (at(20), at(10));
        let hole = (from, until);
        let expected =
            Together::Hole { from: key::made(from).unwrap(), until: key::made(until).unwrap(), files: 2 };
        assert_eq!(worst(&[hole, hole, (at(30), at(25))]), Some(expected));
        assert_eq!(worst(&[hole, (at(30), at(25))]), None, "one each is what a failed deletion leaves");
        let brief = (at(10), at(10) + (60_000 << 16));
        assert_eq!(worst(&[brief, brief, brief]), None, "between rows of a server that lives");
        assert_eq!(worst(&[]), None);
    }
}

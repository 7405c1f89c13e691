//! Between records and rows. A word that this version does not know makes
//! its row unreadable, and no other.

use crate::{RunRecord, StepEnd, StepRecord};
use jiff::Timestamp;
use mastmaint_words::{Numbers, Reason, RunId, Space, Span, StepIndex, StepKey, Verdict};
use rusqlite::{Row, types::Type};
use std::{str::FromStr, time::Duration};

/// Columns of a run, in the order in which [`run`] reads them.
pub(crate) const RUN: &str =
    "seq, id, job, trigger, digest, dry_run, queued, started, ended, outcome, grade, reason, cancel_asked";
/// Columns of a step, in the order in which [`step`] reads them.
pub(crate) const STEP: &str = "step, title, room, at, journaled, started, ended, took, outcome, grade, reasons, \
     visited, failed, removed, freed, exit, signal, lines, bytes, omitted, peak_rss, disk, free_before, free_after, \
     EXISTS (SELECT 1 FROM outputs o WHERE o.run = steps.run AND o.step = steps.step)";

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// SQLite's integers are signed; a count beyond them is a count nobody reads.
pub(crate) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn millis(span: Span) -> i64 {
    i64::try_from(span.get().as_millis()).unwrap_or(i64::MAX)
}

fn unreadable(column: usize, why: impl std::fmt::Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.to_string().into())
}

pub(crate) fn word<T: FromStr<Err: std::fmt::Display>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    row.get_ref(column)?
        .as_str()
        .map_err(|e| unreadable(column, e))?
        .parse()
        .map_err(|e: T::Err| unreadable(column, e))
}

pub(crate) fn optional<T>(
    row: &Row<'_>,
    column: usize,
    read: impl FnOnce(&Row<'_>, usize) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    if row.get_ref(column)?.data_type() == Type::Null { Ok(None) } else { read(row, column).map(Some) }
}

pub(crate) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(column)?).map_err(|e| unreadable(column, e))
}

pub(crate) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    optional(row, column, time)
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str().map_err(|e| unreadable(column, e))?;
    serde_json::from_str(text).map_err(|e| unreadable(column, e))
}

pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column)?.try_into().map_err(|e| unreadable(column, e))
}

/// Reads [`RUN`]; the sums are added by whoever reads the steps.
pub(crate) fn run(row: &Row<'_>) -> rusqlite::Result<(i64, RunRecord)> {
    let record = RunRecord {
        id: word(row, 1)?,
        job: word(row, 2)?,
        trigger: json(row, 3)?,
        digest: word(row, 4)?,
        dry_run: row.get(5)?,
        queued: time(row, 6)?,
        started: optional_time(row, 7)?,
        ended: optional_time(row, 8)?,
        outcome: optional(row, 9, word)?,
        grade: optional(row, 10, word)?,
        reason: optional(row, 11, json::<Reason>)?,
        numbers: Numbers::default(),
        cancel_asked: optional_time(row, 12)?,
    };
    Ok((row.get(0)?, record))
}

/// Reads four columns of counts from `first` on.
pub(crate) fn numbers(row: &Row<'_>, first: usize) -> rusqlite::Result<Numbers> {
    Ok(Numbers {
        visited: optional(row, first, unsigned)?,
        failed: optional(row, first + 1, unsigned)?,
        removed: optional(row, first + 2, unsigned)?,
        bytes: optional(row, first + 3, unsigned)?,
    })
}

/// Adds what another step counted; what neither counted stays unknown.
pub(crate) fn add(sum: Numbers, more: Numbers) -> Numbers {
    let plus = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    };
    Numbers {
        visited: plus(sum.visited, more.visited),
        failed: plus(sum.failed, more.failed),
        removed: plus(sum.removed, more.removed),
        bytes: plus(sum.bytes, more.bytes),
    }
}

/// Reads three columns from `first` on: all of them or none.
fn space(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Space>> {
    let Some(total_bytes) = optional(row, first, unsigned)? else { return Ok(None) };
    Ok(Some(Space {
        total_bytes,
        free_before_bytes: unsigned(row, first + 1)?,
        free_after_bytes: unsigned(row, first + 2)?,
    }))
}

/// Reads [`STEP`].
pub(crate) fn step(run: &RunId, row: &Row<'_>) -> rusqlite::Result<StepRecord> {
    let index: u16 = row.get(0)?;
    let key = StepKey { run: run.clone(), step: StepIndex(index) };
    let end = match optional_time(row, 6)? {
        None => None,
        Some(ended) => Some(StepEnd {
            key: key.clone(),
            verdict: Verdict {
                outcome: word(row, 8)?,
                grade: word(row, 9)?,
                reasons: json(row, 10)?,
                numbers: numbers(row, 11)?,
            },
            started: time(row, 5)?,
            ended,
            took: Span::new(Duration::from_millis(unsigned(row, 7)?)),
            exit: row.get(15)?,
            signal: row.get(16)?,
            lines: unsigned(row, 17)?,
            bytes: unsigned(row, 18)?,
            omitted: unsigned(row, 19)?,
            peak_rss: optional(row, 20, unsigned)?,
            space: space(row, 21)?,
        }),
    };
    Ok(StepRecord {
        key,
        title: row.get(1)?,
        room: word(row, 2)?,
        at: time(row, 3)?,
        journaled: unsigned(row, 4)?,
        output_kept: row.get(24)?,
        end,
    })
}

//! What is asked of the ledger. Listings follow the order in which runs were made, so a clock step does not shuffle
//! them, and cost what they return, not what is stored. A row that cannot be read is left out and counted.

use crate::{
    FindError, Ledger, LedgerError, Mark, PlannedRetry, RunRecord, RunWithSteps, SpaceTrend, StepRecord,
    error::is_unreadable, rows,
};
use mastmaint_words::{Digest, JobName, Numbers, RunId, StepKey};
use rusqlite::{OptionalExtension, Params, Row, params};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// At most this many runs are named when a text could mean several.
const CANDIDATES: u32 = 10;
/// So many rows that cannot be read are counted; more say nothing more.
const MOST_SKIPPED: usize = 10_000;

impl Ledger {
    /// Up to where each job's slots are dealt with.
    pub fn marks(&self) -> Result<BTreeMap<JobName, Mark>, LedgerError> {
        self.list("mark", "SELECT job, handled, state FROM marks", [], |row| {
            Ok((rows::word(row, 0)?, Mark { handled: rows::time(row, 1)?, state: row.get(2)? }))
        })
    }

    /// The jobs that a person paused.
    pub fn paused(&self) -> Result<BTreeSet<JobName>, LedgerError> {
        self.list("pause", "SELECT job FROM pauses", [], |row| rows::word(row, 0))
    }

    /// The retries that are owed, soonest first.
    pub fn planned_retries(&self) -> Result<Vec<PlannedRetry>, LedgerError> {
        let sql =
            "SELECT job, of_run, attempt, slot, not_before, digest FROM retries ORDER BY not_before, job";
        self.list("retry", sql, [], |row| {
            Ok(PlannedRetry {
                job: rows::word(row, 0)?,
                of: rows::word(row, 1)?,
                attempt: row.get(2)?,
                slot: rows::optional_time(row, 3)?,
                not_before: rows::time(row, 4)?,
                digest: rows::word(row, 5)?,
            })
        })
    }

    /// The runs that wait or run, oldest first: what a starting daemon adopts. Not those with a step that cannot be
    /// read: whoever goes on with such a run could do that step again.
    pub fn open_runs(&self) -> Result<Vec<RunWithSteps>, LedgerError> {
        let sql = format!("SELECT {} FROM runs WHERE ended IS NULL ORDER BY seq", rows::RUN);
        let open: Vec<(i64, RunRecord)> = self.list("run", &sql, [], rows::run)?;
        let mut whole = Vec::with_capacity(open.len());
        for run in open {
            let begun: u32 = self
                .one("SELECT count(*) FROM steps WHERE run = ?1", [run.0], |row| row.get(0))?
                .unwrap_or_default();
            let run = self.with_steps(run)?;
            if u32::try_from(run.steps.len()) == Ok(begun) {
                whole.push(run);
            }
        }
        Ok(whole)
    }

    /// The configurations that waiting and running runs follow.
    pub fn open_digests(&self) -> Result<BTreeSet<Digest>, LedgerError> {
        self.list("digest", "SELECT DISTINCT digest FROM runs WHERE ended IS NULL", [], |row| {
            rows::word(row, 0)
        })
    }

    /// How many rows, each counted once, could not be read since the ledger was opened.
    pub fn unreadable_rows(&self) -> usize {
        self.skipped.borrow().len()
    }

    /// A run with its steps.
    pub fn run(&self, id: &RunId) -> Result<Option<RunWithSteps>, LedgerError> {
        let sql = format!("SELECT {} FROM runs WHERE id = ?1", rows::RUN);
        let found = self.one(&sql, [id.as_str()], rows::run)?;
        found.map(|run| self.with_steps(run)).transpose()
    }

    /// Past and present runs, newest first.
    pub fn history(&self, job: Option<&JobName>, limit: u32) -> Result<Vec<RunRecord>, LedgerError> {
        let found: Vec<(i64, RunRecord)> = match job {
            None => {
                let sql = format!("SELECT {} FROM runs ORDER BY seq DESC LIMIT ?1", rows::RUN);
                self.list("run", &sql, [limit], rows::run)?
            }
            Some(job) => {
                let sql = format!("SELECT {} FROM runs WHERE job = ?1 ORDER BY seq DESC LIMIT ?2", rows::RUN);
                self.list("run", &sql, params![job.as_str(), limit], rows::run)?
            }
        };
        found.into_iter().map(|run| self.with_sums(run)).collect()
    }

    /// How each job went last: its newest run that is over and was neither a dry run nor skipped, which would hide how
    /// the last real one ended.
    pub fn last_ended(&self) -> Result<BTreeMap<JobName, RunRecord>, LedgerError> {
        // Hops from job to job in the index instead of reading every run.
        let sql = format!(
            "WITH RECURSIVE names (name) AS (
                 SELECT min(job) FROM runs WHERE ended IS NOT NULL AND dry_run = 0 AND outcome <> 'skipped'
                 UNION ALL
                 SELECT (SELECT min(job) FROM runs WHERE ended IS NOT NULL AND dry_run = 0 AND outcome <> 'skipped' AND job > name)
                 FROM names WHERE name IS NOT NULL
             )
             SELECT {} FROM names JOIN runs ON seq =
                 (SELECT max(seq) FROM runs WHERE job = name AND ended IS NOT NULL AND dry_run = 0 AND outcome <> 'skipped')",
            rows::RUN
        );
        let found: Vec<(i64, RunRecord)> = self.list("run", &sql, [], rows::run)?;
        found.into_iter().map(|run| self.with_sums(run).map(|run| (run.job.clone(), run))).collect()
    }

    /// The run that a text means: an id, a job's name for its newest run, or the beginning of an id.
    pub fn find(&self, text: &str) -> Result<RunId, FindError> {
        let exact = self.one("SELECT id FROM runs WHERE id = ?1", [text], |row| rows::word(row, 0))?;
        if let Some(run) = exact {
            return Ok(run);
        }
        let newest = "SELECT id FROM runs WHERE job = ?1 ORDER BY seq DESC LIMIT 1";
        if let Some(run) = self.one(newest, [text], |row| rows::word(row, 0))? {
            return Ok(run);
        }
        let not_found = || FindError::NotFound { text: text.to_owned() };
        if text.is_empty() {
            return Err(not_found());
        }
        // Ids are ASCII letters and digits: everything that begins with the text sorts before text + '~'.
        let sql = "SELECT id FROM runs WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id DESC LIMIT ?2";
        let mut found: Vec<RunId> =
            self.list("run", sql, params![text, CANDIDATES], |row| rows::word(row, 0))?;
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(not_found()),
            (Some(only), true) => Ok(only),
            (Some(last), false) => {
                found.push(last);
                Err(FindError::Ambiguous { text: text.to_owned(), candidates: found })
            }
        }
    }

    /// The kept output of a step, as gzip.
    pub fn output(&self, key: &StepKey) -> Result<Option<Vec<u8>>, LedgerError> {
        self.one(
            "SELECT copy FROM outputs WHERE run = (SELECT seq FROM runs WHERE id = ?1) AND step = ?2",
            params![key.run.as_str(), key.step.0],
            |row| row.get(0),
        )
    }

    /// How the room on the file system of the media has changed, as far as steps have looked.
    pub fn space_trend(&self) -> Result<Option<SpaceTrend>, LedgerError> {
        const WEEK_US: i64 = 7 * 24 * 3600 * 1_000_000;
        let at = |row: &Row<'_>| Ok((rows::time(row, 0)?, rows::unsigned(row, 1)?, rows::unsigned(row, 2)?));
        let newest = "SELECT ended, free_after, disk FROM steps WHERE free_after IS NOT NULL ORDER BY ended DESC LIMIT 1";
        let Some((at_newest, free, total)) = self.one(newest, [], at)? else { return Ok(None) };
        let week_before = rows::micros(at_newest).saturating_sub(WEEK_US);
        let before = "SELECT ended, free_after, disk FROM steps WHERE free_after IS NOT NULL AND ended <= ?1
                      ORDER BY ended DESC LIMIT 1";
        let oldest = "SELECT ended, free_after, disk FROM steps WHERE free_after IS NOT NULL AND ended < ?1
                      ORDER BY ended LIMIT 1";
        let earlier = match self.one(before, [week_before], at)? {
            Some(found) => Some(found),
            None => self.one(oldest, [rows::micros(at_newest)], at)?,
        };
        let earlier = earlier.map(|(at, free, _)| (at, free));
        Ok(Some(SpaceTrend { total, free, at: at_newest, earlier }))
    }

    fn with_steps(&self, (seq, mut run): (i64, RunRecord)) -> Result<RunWithSteps, LedgerError> {
        let sql = format!("SELECT {} FROM steps WHERE run = ?1 ORDER BY step", rows::STEP);
        let of = format!("step of {seq}");
        let steps: Vec<StepRecord> = self.list(&of, &sql, [seq], |row| rows::step(&run.id, row))?;
        let counted = steps.iter().filter_map(|s| s.end.as_ref()).map(|end| end.verdict.numbers);
        run.numbers = counted.fold(Numbers::default(), rows::add);
        Ok(RunWithSteps { run, steps })
    }

    fn with_sums(&self, (seq, mut run): (i64, RunRecord)) -> Result<RunRecord, LedgerError> {
        let sql = "SELECT step, visited, failed, removed, freed FROM steps WHERE run = ?1";
        let of = format!("step of {seq}");
        let counted: Vec<Numbers> = self.list(&of, sql, [seq], |row| rows::numbers(row, 1))?;
        run.numbers = counted.into_iter().fold(Numbers::default(), rows::add);
        Ok(run)
    }

    /// What the rows hold, without those that cannot be read. Their first column tells them apart.
    pub(crate) fn list<T, C: FromIterator<T>>(
        &self,
        what: &str,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<C, LedgerError> {
        let read_or_skip = |row: &Row<'_>| match read(row) {
            Err(error) if is_unreadable(&error) => {
                self.skip(what, row);
                Ok(None)
            }
            other => other.map(Some),
        };
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| {
                statement.query_map(params, read_or_skip)?.filter_map(rusqlite::Result::transpose).collect()
            })
            .map_err(|e| LedgerError::from_sqlite(&self.path, &e))
    }

    fn skip(&self, what: &str, row: &Row<'_>) {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        if let Ok(value) = row.get::<_, rusqlite::types::Value>(0) {
            format!("{value:?}").hash(&mut hasher);
        }
        let mut skipped = self.skipped.borrow_mut();
        if skipped.len() < MOST_SKIPPED {
            skipped.insert(hasher.finish());
        }
    }

    pub(crate) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, LedgerError> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(|e| LedgerError::from_sqlite(&self.path, &e))
    }
}

//! The times in which probes said no.

use crate::{
    Ledger, LedgerError,
    rows::{self, micros},
};
use jiff::Timestamp;
use mastmaint_words::ProbeName;
use rusqlite::{Row, params};

/// The time in which a probe says no. Probe and begin tell it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Which probe.
    pub probe: ProbeName,
    /// Its first answer of no.
    pub opened: Timestamp,
    /// When there were enough of them.
    pub known: Timestamp,
    /// The first answer of yes of those that ended it.
    pub closed: Option<Timestamp>,
    /// What was wrong.
    pub why: String,
    /// How it ended, where it did not end by answers of yes.
    pub ended: Option<String>,
}

const COLUMNS: &str = "probe, opened, known, closed, why, ended";

impl Ledger {
    /// Records an incident as it stands now.
    pub fn put_incident(&mut self, incident: &Incident) -> Result<(), LedgerError> {
        self.change(|tx| {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO incidents (probe, opened, known, closed, why, ended)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                incident.probe.as_str(),
                micros(incident.opened),
                micros(incident.known),
                incident.closed.map(micros),
                incident.why,
                incident.ended,
            ])
            .map(drop)
        })
    }

    /// The newest incidents, newest first.
    pub fn incidents(&self, limit: u32) -> Result<Vec<Incident>, LedgerError> {
        let sql = format!("SELECT {COLUMNS} FROM incidents ORDER BY opened DESC, probe LIMIT ?1");
        self.list("incident", &sql, [limit], read)
    }

    /// The newest incident of each probe.
    pub fn newest_incidents(&self) -> Result<Vec<Incident>, LedgerError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM incidents WHERE opened =
                 (SELECT max(newer.opened) FROM incidents newer WHERE newer.probe = incidents.probe)"
        );
        self.list("incident", &sql, [], read)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Incident> {
    Ok(Incident {
        probe: rows::word(row, 0)?,
        opened: rows::time(row, 1)?,
        known: rows::time(row, 2)?,
        closed: rows::optional_time(row, 3)?,
        why: row.get(4)?,
        ended: row.get(5)?,
    })
}

//! What verifications of backups found, and what people said to it.

use crate::{Ledger, LedgerError, rows, rows::micros, write::json};
use jiff::Timestamp;
use mastmaint_words::{
    BackupName,
    backup::{Finding, FindingAck, FindingId, KnownFinding, Report},
};
use rusqlite::{Row, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};

impl Ledger {
    /// What the newest verification of each backup found, the worst first.
    pub fn findings(&self) -> Result<BTreeMap<BackupName, Vec<KnownFinding>>, LedgerError> {
        let sql =
            "SELECT backup, id, since, finding, ack_at, ack_until, ack_uid FROM findings ORDER BY place";
        let rows: Vec<(BackupName, KnownFinding)> =
            self.list("finding", sql, [], |row| Ok((rows::word(row, 0)?, known(row)?)))?;
        let mut found: BTreeMap<BackupName, Vec<KnownFinding>> = BTreeMap::new();
        for (backup, finding) in rows {
            found.entry(backup).or_default().push(finding);
        }
        Ok(found)
    }

    /// Records that a person knows of a finding; says whether there is such a one.
    pub fn acknowledge(&mut self, finding: FindingId, ack: FindingAck) -> Result<bool, LedgerError> {
        let changed = self.change(|tx| {
            tx.prepare_cached("UPDATE findings SET ack_at = ?2, ack_until = ?3, ack_uid = ?4 WHERE id = ?1")?
                .execute(params![finding.0, micros(ack.at), ack.until.map(micros), ack.uid])
        })?;
        Ok(changed > 0)
    }
}

fn known(row: &Row<'_>) -> rusqlite::Result<KnownFinding> {
    let ack = rows::optional_time(row, 4)?.map(|at| -> rusqlite::Result<FindingAck> {
        Ok(FindingAck { at, until: rows::optional_time(row, 5)?, uid: row.get(6)? })
    });
    Ok(KnownFinding {
        id: FindingId(row.get(1)?),
        since: rows::time(row, 2)?,
        finding: rows::json(row, 3)?,
        ack: ack.transpose()?,
    })
}

/// Records what a verification found. What it does not find any more is forgotten.
pub(crate) fn put_findings(tx: &Transaction<'_>, report: &Report, at: Timestamp) -> rusqlite::Result<()> {
    let name = &report.backup;
    let mut marks = BTreeSet::new();
    for (place, finding) in (0_u32..).zip(&report.findings) {
        let mut mark = finding.mark();
        // Those that nothing tells apart keep their order.
        while marks.contains(&mark) {
            mark.push('+');
        }
        put_finding(tx, name, place, &mark, finding, at)?;
        marks.insert(mark);
    }
    let known: Vec<String> = tx
        .prepare_cached("SELECT mark FROM findings WHERE backup = ?1")?
        .query_map([name], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for gone in known.iter().filter(|mark| !marks.contains(*mark)) {
        tx.prepare_cached("DELETE FROM findings WHERE backup = ?1 AND mark = ?2")?.execute([name, gone])?;
    }
    Ok(())
}

/// Findings were in the reports alone before schema 9. A report that cannot be read has none to take over: it is shown
/// as it is, and the next verification replaces it.
pub(crate) fn take_over_findings(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let reports: Vec<(Timestamp, Option<Report>)> = tx
        .prepare("SELECT verified, report FROM backups")?
        .query_map([], |row| Ok((rows::time(row, 0)?, rows::json(row, 1).ok())))?
        .collect::<Result<_, _>>()?;
    for (at, report) in reports {
        if let Some(report) = report {
            put_findings(tx, &report, at)?;
        }
    }
    Ok(())
}

fn put_finding(
    tx: &Transaction<'_>,
    backup: &str,
    place: u32,
    mark: &str,
    finding: &Finding,
    since: Timestamp,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO findings (backup, mark, place, since, finding) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (backup, mark) DO UPDATE SET place = ?3, finding = ?5",
    )?
    .execute(params![backup, mark, place, micros(since), json(finding)?])
    .map(drop)
}

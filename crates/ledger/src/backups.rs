//! What verifications of backups came to: for each backup the newest, with findings that people may acknowledge.

use crate::{
    BackupRecord, Ledger, LedgerError, StepEnd,
    rows::{self, micros},
    write::json,
};
use jiff::Timestamp;
use mastmaint_words::{
    BackupName, RunId, StepIndex, StepKey,
    backup::{Finding, FindingAck, FindingId, KnownFinding, Report},
};
use rusqlite::{Row, Transaction, params};
use std::collections::{BTreeMap, BTreeSet};

const FINDING: &str = "id, since, finding, ack_at, ack_until, ack_uid";

impl Ledger {
    /// What is known of each backup, those that the configuration has lost among them.
    pub fn backups(&self) -> Result<BTreeMap<BackupName, BackupRecord>, LedgerError> {
        let sql = "SELECT name, verified, run, step, report FROM backups";
        let found: Vec<(BackupName, BackupRecord)> =
            self.list("backup", sql, [], |row| Ok((rows::word(row, 0)?, record(row)?)))?;
        let with_findings = |(name, record): (BackupName, BackupRecord)| -> Result<_, LedgerError> {
            let sql = format!("SELECT {FINDING} FROM findings WHERE backup = ?1 ORDER BY place");
            let findings = self.list("finding", &sql, [name.as_str()], known)?;
            Ok((name, BackupRecord { findings, ..record }))
        };
        found.into_iter().map(with_findings).collect()
    }

    /// Records that a person knows of a finding; says whether there is such a one.
    pub fn acknowledge(&mut self, finding: FindingId, ack: FindingAck) -> Result<bool, LedgerError> {
        let changed = self.change(|tx| {
            tx.prepare_cached("UPDATE findings SET ack_at = ?2, ack_until = ?3, ack_uid = ?4 WHERE id = ?1")?
                .execute(params![finding.0, micros(ack.at), ack.until.map(micros), ack.uid])
        })?;
        Ok(changed > 0)
    }

    /// The steps of a run that verified a backup last, with what they found.
    pub fn findings_of(&self, run: &RunId) -> Result<BTreeMap<StepIndex, Vec<KnownFinding>>, LedgerError> {
        let known = self.backups()?.into_values().filter(|record| record.by.run == *run);
        Ok(known.map(|record| (record.by.step, record.findings)).collect())
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<BackupRecord> {
    Ok(BackupRecord {
        verified: rows::time(row, 1)?,
        by: StepKey { run: rows::word(row, 2)?, step: StepIndex(row.get(3)?) },
        report: rows::json(row, 4)?,
        findings: Vec::new(),
    })
}

fn known(row: &Row<'_>) -> rusqlite::Result<KnownFinding> {
    let ack = rows::optional_time(row, 3)?.map(|at| -> rusqlite::Result<FindingAck> {
        Ok(FindingAck { at, until: rows::optional_time(row, 4)?, uid: row.get(5)? })
    });
    Ok(KnownFinding {
        id: FindingId(row.get(0)?),
        since: rows::time(row, 1)?,
        finding: rows::json(row, 2)?,
        ack: ack.transpose()?,
    })
}

/// Records a verification, unless a newer one is known. What it does not find any more is forgotten.
pub(crate) fn put_report(tx: &Transaction<'_>, end: &StepEnd, report: &Report) -> rusqlite::Result<()> {
    let name = &report.backup;
    let newer = tx
        .prepare_cached("SELECT 1 FROM backups WHERE name = ?1 AND verified > ?2")?
        .exists(params![name, micros(end.ended)])?;
    if newer {
        return Ok(());
    }
    let without = Report { findings: Vec::new(), ..report.clone() };
    tx.prepare_cached(
        "INSERT INTO backups (name, verified, run, step, report) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET verified = ?2, run = ?3, step = ?4, report = ?5",
    )?
    .execute(params![name, micros(end.ended), end.key.run.as_str(), end.key.step.0, json(&without)?])?;
    let mut marks = BTreeSet::new();
    for (place, finding) in (0_u32..).zip(&report.findings) {
        let mut mark = finding.mark();
        // Those that nothing tells apart keep their order.
        while marks.contains(&mark) {
            mark.push('+');
        }
        put_finding(tx, name, place, &mark, finding, end.ended)?;
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

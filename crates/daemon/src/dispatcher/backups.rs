//! What clients ask about backups. What verifications found is in the ledger; what is overdue and what runs is known
//! here.

use super::{Dispatcher, asks::error, reply};
use crate::{
    notify::Fact,
    recorder::Owed,
    tell::{Telling, Told},
};
use jiff::Timestamp;
use mastmaint_control::words::{BackupDetail, BackupLine, OverdueBackup, Reply, RunLine, Severities};
use mastmaint_ledger::BackupRecord;
use mastmaint_words::{
    BackupName,
    backup::{Backup, FindingAck, FindingId, KnownFinding, Severity},
};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// What the dispatcher knows of a backup without asking the ledger.
struct Here {
    kind: &'static str,
    overdue: Option<OverdueBackup>,
    current: Option<RunLine>,
}

impl Dispatcher {
    pub(super) fn list_backups(&self, replies: mpsc::Sender<Reply>) {
        let (here, recorder) = (self.backups_here(), self.outside.recorder.clone());
        tokio::spawn(async move {
            let answer = match recorder.with(|ledger| ledger.backups()).await {
                Ok(known) => {
                    let now = Timestamp::now();
                    let line = |(name, here): (BackupName, Here)| {
                        let record = known.get(&name);
                        line(name, here, record, now)
                    };
                    Reply::Backups { backups: here.into_iter().map(line).collect() }
                }
                Err(not) => error(not.code, not.message),
            };
            reply(&replies, answer).await;
        });
    }

    pub(super) fn show_backup(&self, backup: BackupName, replies: mpsc::Sender<Reply>) {
        let (mut here, recorder) = (self.backups_here(), self.outside.recorder.clone());
        tokio::spawn(async move {
            let answer = match (here.remove(&backup), recorder.with(|ledger| ledger.backups()).await) {
                (None, _) => error(
                    "unknown-backup",
                    format!("there is no backup {backup}; see \"mastmaintctl backups\""),
                ),
                (Some(here), Ok(mut known)) => {
                    let record = known.remove(&backup);
                    let line = line(backup, here, record.as_ref(), Timestamp::now());
                    let known = record.map(|record| record.findings).unwrap_or_default();
                    Reply::Backup(Box::new(BackupDetail { line, known }))
                }
                (Some(_), Err(not)) => error(not.code, not.message),
            };
            reply(&replies, answer).await;
        });
    }

    /// Records that a person knows of a finding. Whether there is such a one only the ledger knows.
    pub(super) fn acknowledge_finding(
        &self,
        finding: FindingId,
        until: Option<Timestamp>,
        uid: u32,
        replies: mpsc::Sender<Reply>,
    ) {
        let (recorder, teller) = (self.outside.recorder.clone(), self.outside.teller.clone());
        let messenger = self.messenger.clone();
        tokio::spawn(async move {
            let known = recorder.with(|ledger| ledger.backups()).await;
            let is_there = known.map(|known| {
                known.values().flat_map(|record| &record.findings).any(|known| known.id == finding)
            });
            let ack = FindingAck { at: Timestamp::now(), until, uid };
            let said = match is_there {
                Ok(false) => error(
                    "unknown-finding",
                    format!("there is no finding {finding} (any more); see \"mastmaintctl backups\""),
                ),
                Ok(true) => match recorder.owe(Owed::Acknowledge { finding, ack }).await {
                    Err(not) if !not.kept => error(not.code, format!("that cannot be kept: {not}")),
                    _ => {
                        teller.of_daemon(Told::Telling(Telling::FindingAcknowledged { finding, until, uid }));
                        if let Some(messenger) = messenger {
                            messenger.tell(Fact::FindingAcknowledged);
                        }
                        Reply::Done
                    }
                },
                Err(not) => error(not.code, not.message),
            };
            reply(&replies, said).await;
        });
    }

    fn backups_here(&self) -> BTreeMap<BackupName, Here> {
        let (now, told) = (Timestamp::now(), self.told());
        let here = |(name, backup): (&BackupName, &Backup)| {
            let overdue = told.overdue_backups.iter().find(|line| line.backup == *name).cloned();
            let current = self.runs.values().find(|active| active.spec.job.verifies(name));
            let current = current.map(|active| self.active_line(active, now));
            (name.clone(), Here { kind: backup.place.kind(), overdue, current })
        };
        self.config.view.backups.iter().map(here).collect()
    }
}

fn line(backup: BackupName, here: Here, record: Option<&BackupRecord>, now: Timestamp) -> BackupLine {
    let Here { kind, overdue, current } = here;
    let report = record.map(|record| &record.report);
    let summary = report.and_then(|report| report.summary);
    BackupLine {
        backup,
        kind: kind.to_owned(),
        verified: record.map(|record| record.verified),
        run: record.map(|record| record.by.run.clone()),
        newest: report.and_then(|report| report.newest.clone()),
        overdue,
        sentence: report.map(|report| report.sentence.clone()),
        files: summary.map(|summary| summary.files),
        proved: summary.map(|summary| summary.proved),
        oldest_proof: summary.filter(|summary| summary.proved > 0).map(|summary| summary.oldest.at()),
        bytes: summary.map(|summary| summary.bytes),
        drill: report.and_then(|report| report.drill.clone()),
        store_bytes: report.map_or(0, |report| report.store_bytes),
        findings: severities(record.map_or(&[], |record| &record.findings), now),
        current,
    }
}

fn severities(findings: &[KnownFinding], now: Timestamp) -> Severities {
    let mut count = Severities::default();
    for known in findings {
        match known.finding.severity {
            Severity::Fail => count.fail += 1,
            Severity::Warn => count.warn += 1,
            Severity::Info => count.info += 1,
        }
        if known.finding.severity > Severity::Info && known.is_acknowledged(now) {
            count.acknowledged += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::backup::{Code, Finding};

    #[test]
    fn findings_are_counted_and_those_that_people_know_are_said() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let known = |id, severity, ack| KnownFinding {
            id: FindingId(id),
            since: now,
            finding: Finding::new(Code::Rot, severity, "x", "y"),
            ack,
        };
        let ack = |until| Some(FindingAck { at: now, until, uid: 0 });
        let findings = [
            known(1, Severity::Fail, ack(None)),
            known(2, Severity::Warn, ack(Some(now))),
            known(3, Severity::Warn, None),
            known(4, Severity::Info, ack(None)),
        ];
        let count = severities(&findings, now);
        assert_eq!(count, Severities { fail: 1, warn: 2, info: 1, acknowledged: 1 });
    }
}

//! What clients ask about backups. What verifications found is in the ledger; what is overdue and what runs is known
//! here.

use super::{Dispatcher, asks::error, reply};
use crate::{
    notify::Fact,
    recorder::Owed,
    tell::{Telling, Told},
};
use jiff::Timestamp;
use mastmaint_control::words::{BackupLine, ProofLine, Reply};
use mastmaint_ledger::Verified;
use mastmaint_words::{
    BackupName, RunId, Stamp,
    backup::{FindingAck, FindingId, KnownFinding},
};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

impl Dispatcher {
    pub(super) fn backups(&self, replies: mpsc::Sender<Reply>) {
        let recorder = self.outside.recorder.clone();
        let overdue = self.told().overdue_backups;
        // What another host verifies is known there.
        let here = self.config.view.backups.iter().filter(|(_, backup)| !backup.place.is_pulled());
        let named: BTreeMap<BackupName, Option<RunId>> =
            here.map(|(name, _)| (name.clone(), self.verifying(name))).collect();
        tokio::spawn(async move {
            let known = recorder.with(|ledger| Ok((ledger.verified()?, ledger.findings()?)));
            let answer = match known.await {
                Ok((verified, mut findings)) => {
                    let is_known =
                        |name: &BackupName| verified.iter().any(|known| known.report.backup == name.as_str());
                    let unverified = named.keys().filter(|name| !is_known(name)).cloned().collect();
                    let line = |known: Verified| {
                        let found = findings.remove(known.report.backup.as_str()).unwrap_or_default();
                        let current = named.get(known.report.backup.as_str()).cloned().flatten();
                        backup_line(known, found, current)
                    };
                    let backups = verified.iter().cloned().map(line).collect();
                    Reply::Backups { backups, overdue, unverified }
                }
                Err(not) => error(not.code, not.message),
            };
            reply(&replies, answer).await;
        });
    }

    /// The run that verifies a backup now.
    fn verifying(&self, backup: &BackupName) -> Option<RunId> {
        let found = self.runs.iter().find(|(_, active)| active.spec.job.verifies(backup));
        found.map(|(run, _)| run.clone())
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
            let known = recorder.with(|ledger| ledger.findings()).await;
            let is_there = known.map(|known| known.values().flatten().any(|known| known.id == finding));
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
}

/// A backup as its last verification saw it.
fn backup_line(known: Verified, findings: Vec<KnownFinding>, current: Option<RunId>) -> BackupLine {
    let Verified { at, run, report } = known;
    let proof = report.summary.map(|s| ProofLine {
        files: s.files,
        proved: s.proved,
        oldest: (s.oldest != Stamp::NEVER).then(|| s.oldest.at()),
        bad: s.bad,
        bytes: s.bytes,
    });
    BackupLine {
        verified: at,
        run,
        worst: report.worst(),
        backup: report.backup,
        kind: report.kind,
        newest: report.newest,
        sentence: report.sentence,
        proof,
        drill: report.drill,
        findings,
        current,
    }
}

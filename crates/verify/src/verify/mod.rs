//! One verification of one backup: everything that can be said of it tonight.

mod book;
mod borg;
mod drill;
mod dumps;
mod exclude;
mod files;
mod generations;
mod handed;
mod live;
mod pick;
mod pieces;
mod repository;
mod restic;
mod source;
mod stage;
mod wait;

pub(crate) use handed::Opened;
pub(crate) use pick::{NotPicked, Picked, pick};
pub(crate) use source::{open_below, open_root, reopen};
pub use stage::stage;

use crate::{
    backup::{Backup, Place},
    check::{Age, KnownBy, fresh, shrunk},
    decrypt::Unseal,
    drill::Door,
    error::VerifyError,
    finding::Finding,
    prove::{Generation, History, Measure, Nightly, Outcome, Prover, Store, Tell, WALKERS, sentence},
    stamp::Stamp,
    whole,
};
use jiff::Timestamp;
use mastmaint_words::{
    BackupName,
    backup::{Newest, Report},
    human,
};
use std::{collections::HashSet, io, path::Path, rc::Rc};

/// What is to be verified, and how.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub backup: &'a Backup,
    /// The file backup that belongs to a dump.
    pub files: Option<&'a Backup>,
    /// The file backup in which a dump lies.
    pub inside: Option<&'a Backup>,
    /// Where the proofs of all backups are.
    pub proofs: &'a Path,
    /// Where programs of others may write: their homes and caches.
    pub scratch: &'a Path,
    /// Who brings dumps to life; without it none is.
    pub drills: Option<&'a Door>,
    /// Who starts Mastodon on them, too: behind walls that let Ruby work.
    pub boots: Option<&'a Door>,
    /// Read everything and bring a dump to life, whatever the budget and the age of its proof.
    pub full: bool,
    /// Now.
    pub now: Timestamp,
}

/// Keeps a report where the room finds it: whole or not at all.
pub fn keep(report: &Report, backup: &BackupName, state: &Path) -> io::Result<()> {
    whole::put(&Report::path(state, backup), report)
}

/// Verifies a backup.
pub fn verify(request: &Request<'_>, tell: &dyn Tell) -> Result<Report, VerifyError> {
    let night = Night { request, tell };
    match &request.backup.place {
        Place::Rsnapshot { config } => generations::verify(&night, config),
        Place::Tree { path } => files::tree(&night, path),
        Place::Tar { path } => night.once_written(path, || files::tar(&night, path)),
        Place::Postgres { path } => night.once_written(path, || dumps::postgres(&night, path)),
        Place::Redis { path } => night.once_written(path, || files::redis(&night, path)),
        Place::Restic(place) => restic::verify(&night, place),
        Place::Borg(place) => borg::verify(&night, place),
        Place::Pulled(place) => {
            let source = io::Error::other("it lies on another host, which verifies it");
            Err(VerifyError::Backup { path: place.from.to_string().into(), source })
        }
    }
}

/// A verification at work.
struct Night<'a> {
    request: &'a Request<'a>,
    tell: &'a dyn Tell,
}

/// What proving came to, with the history before it.
struct Proved {
    outcome: Outcome,
    before: Vec<History>,
    now: Option<History>,
    store_bytes: u64,
    /// What was proved: files, packs, segments.
    things: &'static str,
}

impl Night<'_> {
    fn stamp(&self) -> Stamp {
        Stamp::of(self.request.now)
    }

    fn store(&self) -> Result<Store, VerifyError> {
        Store::open(&self.request.proofs.join(self.request.name), self.stamp())
    }

    fn nightly(&self) -> Nightly {
        let backup = self.request.backup;
        Nightly {
            now: self.stamp(),
            prove_every: backup.prove_every.get(),
            full: self.request.full,
            budget: backup.budget,
        }
    }

    fn prove(
        &self,
        generations: Vec<Generation>,
        only: Option<HashSet<Vec<u8>>>,
        measure: Measure,
        was_disturbed: &(dyn Fn() -> bool + Sync),
    ) -> Result<Proved, VerifyError> {
        let mut store = self.store()?;
        let before = store.history().to_vec();
        let nightly = self.nightly();
        let prover =
            Prover { generations, only, measure, nightly, walkers: WALKERS, was_disturbed, tell: self.tell };
        let outcome = prover.prove(&mut store)?;
        let now = store.history().last().copied().filter(|h| h.at == self.stamp());
        Ok(Proved { outcome, before, now, store_bytes: store.bytes(), things: "files" })
    }

    /// Whether the newest is fresh.
    fn fresh(&self, newest: Option<&Age>) -> Vec<Finding> {
        let max_age = self.request.backup.max_age.map(mastmaint_words::Span::get);
        fresh(newest, max_age, self.request.now)
    }

    /// What decrypts the backup, if it is encrypted; a finding if it cannot.
    fn unseal(&self) -> Result<Result<Option<Rc<Unseal>>, Finding>, VerifyError> {
        let Some(how) = &self.request.backup.decrypt else { return Ok(Ok(None)) };
        let ready = Unseal::ready(how, self.request.scratch);
        let ready = ready.map_err(VerifyError::store(self.request.scratch))?;
        Ok(ready.map(|unseal| Some(Rc::new(unseal))))
    }

    /// Compares count and size with the nights before, of what has no proofs of its own.
    fn compare(&self, paths: u64, bytes: u64) -> Result<Option<Finding>, VerifyError> {
        let mut store = self.store()?;
        let now = History { at: self.stamp(), paths, bytes };
        let finding = shrunk(store.history(), &now, self.counted());
        store.finish(|_| true, Vec::new(), Some(now))?;
        Ok(finding)
    }

    /// What is counted in the newest.
    const fn counted(&self) -> &'static str {
        if matches!(self.request.backup.place, Place::Postgres { .. }) { "rows" } else { "names" }
    }

    /// The report on a backup that could not be looked into at all.
    fn not_looked_into(&self, mut findings: Vec<Finding>) -> Report {
        findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        let why = findings.first().map_or_else(String::new, |f| format!(": {}", f.what));
        Report {
            backup: self.request.name.to_owned(),
            kind: self.request.backup.place.kind().to_owned(),
            newest: None,
            sentence: format!("not looked into{why}"),
            summary: None,
            findings,
            drill: None,
            store_bytes: 0,
        }
    }

    /// Puts the report together, the worst findings first.
    fn report(
        &self,
        newest: Option<Age>,
        proved: Option<Proved>,
        said: &[String],
        findings: Vec<Finding>,
    ) -> Report {
        let mut findings = findings;
        let mut sentences = Vec::new();
        sentences.push(newest.as_ref().map_or_else(
            || "no complete backup".to_owned(),
            |n| {
                let age = human::ago(self.request.now, n.at);
                let how = if n.known_by == KnownBy::FileTime { " by its file time" } else { "" };
                format!("{}, made {age}{how}", n.name)
            },
        ));
        sentences.extend(said.iter().cloned());
        let (mut summary, mut store_bytes) = (None, 0);
        if let Some(proved) = proved {
            sentences.push(sentence(&proved.outcome.summary, proved.things, self.request.now));
            findings.extend(proved.now.and_then(|now| shrunk(&proved.before, &now, self.counted())));
            findings.extend(proved.outcome.findings);
            summary = Some(proved.outcome.summary);
            store_bytes = proved.store_bytes;
        }
        findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        Report {
            backup: self.request.name.to_owned(),
            kind: self.request.backup.place.kind().to_owned(),
            newest: newest.map(|n| Newest { name: n.name, at: n.at, youngest: None }),
            sentence: sentences.join("; "),
            summary,
            drill: None,
            findings,
            store_bytes,
        }
    }
}

//! What people were told, and the messages that are still owed to them.

use crate::{
    Ledger, LedgerError,
    rows::{self, count, micros},
};
use jiff::Timestamp;
use mastmaint_words::TargetKey;
use rusqlite::params;
use std::collections::BTreeMap;

/// A message that is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedMessage {
    /// Its number, given by whoever owes it; later ones are greater.
    pub id: u64,
    /// Whom it is for.
    pub target: TargetKey,
    /// When it was made.
    pub made: Timestamp,
    /// The message, in words of whoever sends it.
    pub notice: String,
}

impl Ledger {
    /// Records what is known about a subject together with the messages that follow from it: after a crash between the
    /// two somebody would be told twice or never.
    pub fn tell(&mut self, subject: &str, state: &str, messages: &[OwedMessage]) -> Result<(), LedgerError> {
        self.change(|tx| {
            tx.prepare_cached("INSERT OR REPLACE INTO tellings (subject, state) VALUES (?1, ?2)")?
                .execute([subject, state])?;
            for message in messages {
                tx.prepare_cached(
                    "INSERT OR REPLACE INTO outbox (id, target, made, notice) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    count(message.id),
                    message.target.as_str(),
                    micros(message.made),
                    message.notice
                ])?;
            }
            Ok(())
        })
    }

    /// Forgets what is known about a subject.
    pub fn untell(&mut self, subject: &str) -> Result<(), LedgerError> {
        self.change(|tx| tx.prepare_cached("DELETE FROM tellings WHERE subject = ?1")?.execute([subject]))
            .map(drop)
    }

    /// Forgets a message: it was taken, or is given up.
    pub fn settle(&mut self, message: u64) -> Result<(), LedgerError> {
        self.change(|tx| tx.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([count(message)]))
            .map(drop)
    }

    /// What is known, by subject.
    pub fn tellings(&self) -> Result<BTreeMap<String, String>, LedgerError> {
        self.list("telling", "SELECT subject, state FROM tellings", [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The messages that are owed, oldest first.
    pub fn owed_messages(&self) -> Result<Vec<OwedMessage>, LedgerError> {
        let sql = "SELECT id, target, made, notice FROM outbox ORDER BY id";
        self.list("message", sql, [], |row| {
            Ok(OwedMessage {
                id: rows::unsigned(row, 0)?,
                target: rows::word(row, 1)?,
                made: rows::time(row, 2)?,
                notice: row.get(3)?,
            })
        })
    }
}

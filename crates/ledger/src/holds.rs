//! Holds that were set by hand.

use crate::{HandHold, Ledger, LedgerError, rows, rows::micros};
use mastmaint_words::{Hold, HoldId};
use rusqlite::{Transaction, params};

impl Ledger {
    /// The holds that were set by hand and not removed, also those that are over.
    pub fn holds(&self) -> Result<Vec<HandHold>, LedgerError> {
        let sql = "SELECT id, begins, ends, scope, reason, at, uid FROM holds ORDER BY id";
        self.list("hold", sql, [], |row| {
            Ok(HandHold {
                id: HoldId(row.get(0)?),
                hold: Hold {
                    from: rows::time(row, 1)?,
                    until: rows::time(row, 2)?,
                    scope: rows::word(row, 3)?,
                    reason: row.get(4)?,
                },
                at: rows::time(row, 5)?,
                uid: row.get(6)?,
            })
        })
    }

    /// Records a hold. One that has its id already is replaced: ids are given by the daemon.
    pub fn set_hold(&mut self, hold: &HandHold) -> Result<(), LedgerError> {
        self.change(|tx| put_hold(tx, hold))
    }

    /// Takes a hold back; says whether there was one.
    pub fn remove_hold(&mut self, id: HoldId) -> Result<bool, LedgerError> {
        self.change(|tx| tx.prepare_cached("DELETE FROM holds WHERE id = ?1")?.execute([id.0]))
            .map(|count| count > 0)
    }
}

pub(crate) fn put_hold(tx: &Transaction<'_>, set: &HandHold) -> rusqlite::Result<()> {
    let HandHold { id, hold, at, uid } = set;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO holds (id, begins, ends, scope, reason, at, uid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        id.0,
        micros(hold.from),
        micros(hold.until),
        hold.scope.as_str(),
        hold.reason,
        micros(*at),
        uid,
    ])
    .map(drop)
}

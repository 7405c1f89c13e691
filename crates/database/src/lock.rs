//! One verb at a time works on the databases of an instance, and today's stays as long as another is filled. Both are held
//! by PostgreSQL itself, for sessions that we keep open.

use crate::{error::DatabaseError, held::Held, psql::Server, text::literal};
use std::time::Duration;

/// Who was killed a moment ago holds it a little longer.
const PATIENCE: &str = "20s";
const ANSWERED: Duration = Duration::from_secs(40);

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _held: Held,
}

impl Lock {
    /// Takes it; who has it is waited for a moment.
    pub(crate) fn take(server: &Server, admin: &str, today: &str) -> Result<Self, DatabaseError> {
        let sql = format!(
            "SET statement_timeout = 0;\nSET lock_timeout = '{PATIENCE}';\nSELECT pg_advisory_lock(hashtext('mastmaintd'), hashtext({}));",
            literal(today)
        );
        let held = Held::open(server, admin, &sql, ANSWERED);
        let held = held.map_err(DatabaseError::io("the lock of the restore"))?;
        held.map(|held| Self { _held: held }).ok_or_else(|| DatabaseError::Busy(today.to_owned()))
    }
}

/// A session on today's database while a dump goes into another: PostgreSQL drops and renames none on which somebody is,
/// whatever the dump says.
#[derive(Debug)]
pub(crate) struct Guard {
    _held: Held,
}

impl Guard {
    /// Keeps it; none on one that lets nobody in, which is a reason to restore and none against it.
    pub(crate) fn keep(server: &Server, today: &str) -> Result<Option<Self>, DatabaseError> {
        let held = Held::open(server, today, "SELECT 1;", ANSWERED);
        let held = held.map_err(DatabaseError::io(format!("a session on {today}")))?;
        Ok(held.map(|held| Self { _held: held }))
    }
}

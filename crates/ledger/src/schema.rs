//! The schema and how an older ledger becomes a current one: SQL texts in order, each applied in a transaction
//! together with its number.

use crate::findings::take_over_findings;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// How a ledger gets its next schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    sql: &'static str,
    /// What SQL cannot do with the rows that are there.
    then: Option<fn(&Transaction<'_>) -> rusqlite::Result<()>>,
}

const fn sql(sql: &'static str) -> Migration {
    Migration { sql, then: None }
}

/// Number N−1 leads to schema N.
pub(crate) const MIGRATIONS: &[Migration] = &[
    sql(include_str!("schema/1.sql")),
    sql(include_str!("schema/2.sql")),
    sql(include_str!("schema/3.sql")),
    sql(include_str!("schema/4.sql")),
    sql(include_str!("schema/5.sql")),
    sql(include_str!("schema/6.sql")),
    sql(include_str!("schema/7.sql")),
    sql(include_str!("schema/8.sql")),
    Migration { sql: include_str!("schema/9.sql"), then: Some(take_over_findings) },
    sql(include_str!("schema/10.sql")),
];

/// The schema of the file; 0 for a new one.
pub(crate) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// The newest schema of a list of migrations.
pub(crate) fn newest(migrations: &[Migration]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// Applies what the file does not have yet. Each is applied whole or not at all.
pub(crate) fn migrate(
    conn: &mut Connection,
    migrations: &[Migration],
    program: &str,
) -> rusqlite::Result<()> {
    let found = version(conn)?;
    for (number, migration) in (1_i64..).zip(migrations).filter(|(number, _)| *number > found) {
        let change = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch(migration.sql)?;
        if let Some(then) = migration.then {
            then(&change)?;
        }
        change.execute("INSERT OR REPLACE INTO meta VALUES ('written_by', ?1)", [program])?;
        change.pragma_update(None, "user_version", number)?;
        change.commit()?;
    }
    Ok(())
}

/// Version of the program that last changed the schema.
pub(crate) fn written_by(conn: &Connection) -> String {
    conn.query_row("SELECT value FROM meta WHERE key = 'written_by'", [], |row| row.get(0))
        // A newer schema may keep it elsewhere; the number alone still says enough.
        .unwrap_or_else(|_| "(unknown)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Migration = sql("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT 'old'");

    #[test]
    fn an_older_ledger_is_brought_up_to_date_with_its_rows() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &MIGRATIONS[..1], "0.1.0").unwrap();
        conn.execute(
            "INSERT INTO runs (id, job, trigger, digest, dry_run, queued) VALUES ('r', 'j', '{}', 'd', 0, 1)",
            [],
        )
        .unwrap();
        migrate(&mut conn, &[MIGRATIONS[0], SECOND], "0.2.0").unwrap();
        assert_eq!(version(&conn).unwrap(), 2);
        assert_eq!(written_by(&conn), "0.2.0");
        let note: String = conn.query_row("SELECT note FROM runs", [], |r| r.get(0)).unwrap();
        assert_eq!(note, "old");
    }

    #[test]
    fn findings_of_before_schema_9_are_taken_over() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &MIGRATIONS[..8], "0.1.0").unwrap();
        let report = r#"{"backup":"files","kind":"tree","newest":null,"sentence":"s","store_bytes":9,
            "findings":[{"code":"rot","severity":"fail","what":"rot in a","evidence":[],"advice":"look"}]}"#;
        for (backup, report) in [("files", report), ("odd", "not JSON")] {
            let row = (backup, report);
            conn.execute("INSERT INTO backups VALUES (?1, 7, 'run', ?2)", row).unwrap();
        }
        migrate(&mut conn, MIGRATIONS, "0.2.0").unwrap();
        let found: (String, i64) =
            conn.query_row("SELECT backup, since FROM findings", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        assert_eq!(found, ("files".to_owned(), 7));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_schema_before_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        let broken = sql("CREATE TABLE half (x); INSERT INTO no_such_table VALUES (1);");
        assert!(migrate(&mut conn, &[MIGRATIONS[0], SECOND, broken], "0.3.0").is_err());
        assert_eq!(version(&conn).unwrap(), 2);
        assert_eq!(written_by(&conn), "0.3.0");
        assert!(conn.prepare("SELECT * FROM half").is_err(), "half a migration was kept");
        assert!(conn.prepare("SELECT note FROM runs").is_ok());
    }
}

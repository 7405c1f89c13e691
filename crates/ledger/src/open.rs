//! Opening the ledger, and what happens to one that is damaged: it is renamed, never deleted, and a new one begun.

use crate::{Ledger, LedgerError, schema};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use std::{
    cell::RefCell,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Nobody else should hold the file; a person with the sqlite3 tool may for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);
/// What a probe writes; twice that in hexadecimal digits.
const PROBE_BYTES: u32 = 32 * 1024;
/// Every statement of this crate stays prepared.
const STATEMENTS: usize = 64;

/// An open ledger, and what became of the one before it.
#[derive(Debug)]
pub struct Opened {
    /// Ready for use.
    pub ledger: Ledger,
    /// Where the damaged one was put, if the file that was there was damaged.
    pub set_aside: Option<PathBuf>,
}

impl Ledger {
    /// Opens the ledger or makes a new one. A damaged one is set aside under a name with `now` in it.
    ///
    /// Only damage that stands in the way of opening is found here: [`Ledger::quick_check`] looks at every page.
    pub fn open(path: &Path, now: Timestamp) -> Result<Opened, LedgerError> {
        match Self::open_as_it_is(path) {
            Ok(ledger) => Ok(Opened { ledger, set_aside: None }),
            Err(LedgerError::Corrupt { .. }) => {
                let put = set_aside(path, now)?;
                Ok(Opened { ledger: Self::open_as_it_is(path)?, set_aside: Some(put) })
            }
            Err(other) => Err(other),
        }
    }

    /// Reads the whole file and says whether it is sound. Takes as long as reading it does.
    pub fn quick_check(&self) -> Result<(), LedgerError> {
        check(&self.path, &self.conn)
    }

    /// The same over a connection of its own that only reads: for a thread beside the one that has the ledger open.
    pub fn check_file(path: &Path) -> Result<(), LedgerError> {
        let of = |e: rusqlite::Error| LedgerError::from_sqlite(path, &e);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).map_err(of)?;
        conn.busy_timeout(BUSY_TIMEOUT).map_err(of)?;
        check(path, &conn)
    }

    /// Finds out whether anything can be written, by writing and removing something of some size: a full disk may
    /// still take the smallest of changes.
    pub fn probe(&mut self) -> Result<(), LedgerError> {
        self.change(|tx| {
            tx.execute("INSERT OR REPLACE INTO meta VALUES ('probe', hex(zeroblob(?1)))", [PROBE_BYTES])
        })?;
        self.change(|tx| tx.execute("DELETE FROM meta WHERE key = 'probe'", [])).map(drop)
    }

    /// From now on refuses every change with [`LedgerError::ReadOnly`], or takes them again.
    pub fn read_only(&mut self, only: bool) -> Result<(), LedgerError> {
        self.conn
            .pragma_update(None, "query_only", only)
            .map_err(|e| LedgerError::from_sqlite(&self.path, &e))
    }

    fn open_as_it_is(path: &Path) -> Result<Self, LedgerError> {
        let of = |e: rusqlite::Error| LedgerError::from_sqlite(path, &e);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags).map_err(of)?;
        conn.busy_timeout(BUSY_TIMEOUT).map_err(of)?;
        let found = schema::version(&conn).map_err(of)?;
        let known = schema::newest(schema::MIGRATIONS);
        // Before anything is written: a newer file is left exactly as it is.
        if found > known {
            let written_by = schema::written_by(&conn);
            return Err(LedgerError::NewerSchema { path: path.to_owned(), found, known, written_by });
        }
        if found == 0 {
            // Takes effect only in a file without tables, and only before WAL writes its first page; in others it
            // would cost a write at every start.
            conn.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(of)?;
        }
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(of)?;
        conn.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -512; PRAGMA journal_size_limit = 4194304;",
        )
        .map_err(of)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        if found < known {
            schema::migrate(&mut conn, schema::MIGRATIONS, env!("CARGO_PKG_VERSION")).map_err(of)?;
        }
        Ok(Self { path: path.to_owned(), conn, skipped: RefCell::default(), changes: 0 })
    }
}

fn check(path: &Path, conn: &Connection) -> Result<(), LedgerError> {
    let found: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|e| LedgerError::from_sqlite(path, &e))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(LedgerError::Corrupt { path: path.to_owned(), what: found.replace('\n', " ") })
    }
}

/// Renames a ledger that is not open, with what belongs to it, to `NAME.corrupt-20261123T003000Z`.
pub fn set_aside(path: &Path, now: Timestamp) -> Result<PathBuf, LedgerError> {
    let of = |e: io::Error| LedgerError::from_io(path, &e);
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut put = with_suffix(path, &format!(".corrupt-{stamp}"));
    for again in 1_u32.. {
        if !put.exists() {
            break;
        }
        put = with_suffix(path, &format!(".corrupt-{stamp}.{again}"));
    }
    fs::rename(path, &put).map_err(of)?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&put, suffix)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(of(e)),
            _ => {}
        }
    }
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(directory).and_then(|d| d.sync_all()).map_err(of)?;
    Ok(put)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

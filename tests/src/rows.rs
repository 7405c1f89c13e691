//! The rows of the made-up instance: one JSON object a line in `live/standin-rows.jsonl`, behind a file lock, because
//! two commands may run at once as they may on a real database.

use crate::recordings::Rows;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A media attachment of another server with a cached copy.
    Media,
    /// A media attachment of this server.
    LocalMedia,
    /// A preview card with an image.
    Card,
    /// A status.
    Status,
    /// An account; its files are avatar and header.
    Account,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: u64,
    /// Its files below `public/system`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// The rows, locked for as long as this lives.
#[derive(Debug)]
pub struct Table {
    file: File,
    system: PathBuf,
    /// Every row. [`Table::save`] writes them back.
    pub rows: Vec<Row>,
}

/// Where the rows of an instance are.
pub fn path(live: &Path) -> PathBuf {
    live.join("standin-rows.jsonl")
}

/// Where the files of an instance are.
pub fn system(live: &Path) -> PathBuf {
    live.join("public/system")
}

impl Table {
    /// Locks and reads the rows of an instance; without write permission they can only be looked at.
    pub fn open(live: &Path) -> io::Result<Self> {
        let path = path(live);
        let mut file =
            match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path) {
                Ok(file) => file,
                Err(_) => File::open(&path)?,
            };
        file.lock()?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let rows = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Self { file, system: system(live), rows })
    }

    /// Writes the rows back.
    pub fn save(&mut self) -> io::Result<()> {
        let mut text = String::new();
        for row in &self.rows {
            text.push_str(&serde_json::to_string(row)?);
            text.push('\n');
        }
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }

    /// How many rows of a kind there are.
    pub fn count(&self, kind: Kind) -> u64 {
        self.rows.iter().filter(|r| r.kind == kind).map(|_| 1).sum()
    }

    /// The counts as the recordings give them.
    pub fn counts(&self) -> Rows {
        Rows {
            media: self.count(Kind::Media),
            cards: self.count(Kind::Card),
            statuses: self.count(Kind::Status),
            accounts: self.count(Kind::Account),
        }
    }

    /// Files in the cache that no row names.
    pub fn orphans(&self) -> io::Result<u64> {
        let named: BTreeSet<_> =
            self.rows.iter().flat_map(|r| &r.files).map(|f| self.system.join(f)).collect();
        let mut orphans = 0;
        walk(&self.system, &mut |file, _| orphans += u64::from(!named.contains(file)))?;
        Ok(orphans)
    }

    /// Deletes a file below `public/system`; one that is gone already is no mistake.
    pub fn delete(&self, file: &str) -> io::Result<()> {
        match fs::remove_file(self.system.join(file)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

/// Calls `seen` with path and size of every file below `dir`.
pub fn walk(dir: &Path, seen: &mut dyn FnMut(&Path, u64)) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), seen)?;
        } else {
            seen(&entry.path(), entry.metadata()?.len());
        }
    }
    Ok(())
}

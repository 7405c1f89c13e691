//! What a command moves outside of the made-up instance, where a test has put real things: rows in a PostgreSQL, objects
//! in a bucket. Like real tootctl it does not look whether the bucket obeyed.

use mastmaint_tests::rows::{Kind, Row, Table};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Real things beside the instance.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Elsewhere {
    /// The directory of PostgreSQL's socket.
    database: Option<PathBuf>,
    /// The name of the database.
    name: String,
    /// The address of a bucket: `http://127.0.0.1:9000/media`.
    bucket: Option<String>,
}

impl Elsewhere {
    /// Does what a recording does to the instance, and the same elsewhere.
    pub(crate) fn follow(&self, live: &Path, does: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.database.is_none() && self.bucket.is_none() {
            return does();
        }
        let before = Table::open(live)?.rows;
        does()?;
        let left: BTreeSet<u64> = Table::open(live)?.rows.iter().map(|row| row.id).collect();
        let gone: Vec<&Row> = before.iter().filter(|row| !left.contains(&row.id)).collect();
        self.clear(Kind::Media, "media_attachments", "file", &gone)?;
        self.clear(Kind::Card, "preview_cards", "image", &gone)?;
        for file in gone.iter().flat_map(|row| &row.files) {
            self.delete(file)?;
        }
        Ok(())
    }

    fn clear(&self, kind: Kind, table: &str, column: &str, gone: &[&Row]) -> io::Result<()> {
        let ids: Vec<String> = gone.iter().filter(|r| r.kind == kind).map(|r| r.id.to_string()).collect();
        let Some(socket) = self.database.as_deref().filter(|_| !ids.is_empty()) else { return Ok(()) };
        let sql = format!("UPDATE {table} SET {column}_file_name = NULL WHERE id IN ({})", ids.join(", "));
        let done = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "mastodon", "-d", &self.name, "-h"])
            .arg(socket)
            .args(["-c", &sql])
            .stdin(Stdio::null())
            .output()?;
        if done.status.success() {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned()))
    }

    fn delete(&self, key: &str) -> io::Result<()> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let address = bucket.strip_prefix("http://").unwrap_or(bucket);
        let (host, name) = address.split_once('/').unwrap_or((address, ""));
        let mut stream = TcpStream::connect(host)?;
        let request = format!("DELETE /{name}/{key} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}

//! `manifest`: what is in a file backup. `mastmaint-verify` makes it line by line; nothing is held in memory, however
//! large the backup is.

use crate::{check, error::CtlError, exit, print};
use jiff::Timestamp;
use mastmaint_control::words::VERSION;
use mastmaint_words::{BackupName, backup::Order};
use serde::Deserialize;
use std::{
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where the verify room keeps its proofs.
pub(crate) const STATE: &str = "/var/lib/mastmaintd-verify";
pub(crate) const PACKAGED: &str = "/usr/lib/mastmaintd/mastmaint-verify";

/// One name, as `mastmaint-verify` writes it.
#[derive(Debug, Deserialize)]
struct Line {
    path: String,
    #[serde(rename = "type")]
    kind: String,
    uid: u32,
    gid: u32,
    mode: String,
    size: Option<u64>,
    mtime: Timestamp,
    blake3: Option<String>,
    target: Option<String>,
}

pub(crate) fn manifest(config: &Path, state: &Path, backup: &BackupName, json: bool) -> Result<u8, CtlError> {
    let settings = check::load(config)?;
    let described = check::backup(&settings, backup)?;
    let order =
        Order { name: backup.clone(), backup: described.clone(), files: None, inside: None, full: false };
    let order = serde_json::to_string(&order).map_err(io::Error::from)?;
    let program = program();
    let failed =
        |why: String| CtlError::Command { command: format!("{} --manifest", program.display()), why };
    let mut child = Command::new(&program)
        .args(["--manifest", "--state"])
        .arg(state)
        .arg(order)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let lines = child.stdout.take().map(BufReader::new);
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = lines.map_or(Ok(()), |lines| {
        if json { as_document(backup, lines, &mut out) } else { as_text(lines, &mut out) }
    });
    if printed.is_err() {
        // Nobody reads any more: what would be written is written for nobody.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    printed?;
    if status.success() {
        out.flush()?;
        return Ok(exit::FINE);
    }
    drop(out);
    Err(failed(format!("{status}; see above")))
}

/// It is installed with the programs of the rooms; built, it is beside this one.
pub(crate) fn program() -> PathBuf {
    let beside = std::env::current_exe().map(|exe| exe.with_file_name("mastmaint-verify"));
    beside.ok().filter(|path| path.exists()).unwrap_or_else(|| PACKAGED.into())
}

/// One JSON document, a line for each name.
fn as_document(backup: &BackupName, lines: impl io::BufRead, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{{\"version\": {VERSION}, \"backup\": \"{backup}\", \"entries\": [")?;
    let mut between = "\n";
    for line in lines.lines() {
        write!(out, "{between}{}", line?)?;
        between = ",\n";
    }
    writeln!(out, "\n]}}")
}

/// Columns like those of `ls -l`, then the hash and the name.
fn as_text(lines: impl io::BufRead, out: &mut impl Write) -> io::Result<()> {
    for line in lines.lines() {
        let line: Line = serde_json::from_str(&line?)?;
        let size = line.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
        let hash = line.blake3.unwrap_or_else(|| "-".to_owned());
        let target = line.target.map(|target| format!(" -> {}", print::tame(&target))).unwrap_or_default();
        let owner = format!("{}:{}", line.uid, line.gid);
        let path = print::tame(&line.path);
        writeln!(
            out,
            "{:9} {} {owner:11} {size:>12} {} {hash:64} {path}{target}",
            line.kind, line.mode, line.mtime
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "{\"path\":\"a\",\"type\":\"directory\",\"uid\":0,\"gid\":0,\"mode\":\"0755\",\"mtime\":\"2026-11-26T02:14:00Z\"}\n\
        {\"path\":\"a/b\",\"type\":\"link\",\"uid\":991,\"gid\":991,\"mode\":\"0777\",\"mtime\":\"2026-11-26T02:14:00Z\",\"target\":\"c\"}\n";

    #[test]
    fn it_is_one_document_or_one_line_a_name() {
        let name: BackupName = "files".parse().unwrap();
        let mut out = Vec::new();
        as_document(&name, LINES.as_bytes(), &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (document["version"].as_u64(), document["entries"][1]["target"].as_str()),
            (Some(1), Some("c"))
        );
        let mut out = Vec::new();
        as_document(&name, &b""[..], &mut out).unwrap();
        assert!(
            serde_json::from_slice::<serde_json::Value>(&out).unwrap()["entries"]
                .as_array()
                .unwrap()
                .is_empty()
        );
        let mut out = Vec::new();
        as_text(LINES.as_bytes(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.lines().count() == 2 && text.ends_with("a/b -> c\n"), "{text}");
    }
}

//! `restores`: what was restored on this host, and how it stands.

use crate::{error::CtlError, exit, print, when::When};
use mastmaint_control::words::VERSION;
use mastmaint_words::{
    database::{LoadPhase, Loading},
    human,
    restore::{Phase, Restoring},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// What was restored, newest first.
pub(crate) fn list(state: &Path, when: &When, json: bool) -> Result<u8, CtlError> {
    let mut restores: Vec<Restoring> = records(&Restoring::directory(state))?;
    restores.sort_by(|a, b| b.run.cmp(&a.run));
    let mut databases: Vec<Loading> = records(&Loading::directory(&of_loads(state)))?;
    databases.sort_by(|a, b| b.run.cmp(&a.run));
    if json {
        print::json(&Listing { version: VERSION, restores, databases })?;
        return Ok(exit::FINE);
    }
    if restores.is_empty() && databases.is_empty() {
        print::talk("nothing was restored on this host");
    }
    let mut text = String::new();
    for restore in &restores {
        let _ = writeln!(text, "{}  {}  {}", restore.run, when.at(restore.began), stands(restore));
    }
    for load in &databases {
        let _ = writeln!(text, "{}  {}  {}", load.run, when.at(load.began), loaded(load));
    }
    print::data(&text)?;
    Ok(exit::FINE)
}

#[derive(Serialize)]
struct Listing {
    version: u16,
    restores: Vec<Restoring>,
    databases: Vec<Loading>,
}

/// Where the verify room keeps what it knows of loaded dumps, beside the restore room.
pub(crate) fn of_loads(state: &Path) -> PathBuf {
    let name = state.file_name().unwrap_or_default().to_string_lossy();
    state.with_file_name(name.replace("restore", "verify"))
}

fn records<T: DeserializeOwned>(directory: &Path) -> Result<Vec<T>, CtlError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| CtlError::File {
            what: "cannot read",
            path: directory.to_owned(),
            source,
            advice: "only root may; try with sudo",
        })?,
    };
    let files = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"));
    let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).ok()?).ok();
    Ok(files.filter_map(read).collect())
}

/// How a restore stands, for people.
fn stands(restore: &Restoring) -> String {
    let of = match &restore.generation {
        Some(generation) => format!("{} of {}", generation.name, restore.backup),
        None => restore.backup.to_string(),
    };
    let amount = || format!("{} files, {}", restore.plan.whole.files, human::bytes(restore.plan.whole.bytes));
    match &restore.phase {
        Phase::Preparing => format!("{of}: being copied"),
        Phase::Prepared => format!("{of}: {} copied and checked, not switched in", amount()),
        Phase::Switching { .. } => format!("{of}: in the middle of its switch"),
        Phase::Switched if restore.today.is_some() => {
            format!("{of}: live; what was there is {}", restore.before().display())
        }
        Phase::Switched => format!("{of}: live; nothing was there before"),
        Phase::GoingBack { .. } => format!("{of}: on its way back"),
        Phase::Back => format!("{of}: taken back; what was restored is {}", restore.restored().display()),
        Phase::Refused { code, why } => format!("{of}: not restored: {} [{code}]", print::tame(why)),
        Phase::Pruned => format!("{of}: what was beside has been removed"),
    }
}

/// How a load stands, for people. Which name its database has by now PostgreSQL knows.
fn loaded(load: &Loading) -> String {
    let of = match &load.dump {
        Some(dump) => format!("{} of {}", dump.name, load.backup),
        None => load.backup.to_string(),
    };
    match &load.phase {
        LoadPhase::Loading => format!("{of}: being loaded, or cut while it was"),
        LoadPhase::Loaded => {
            format!("{of}: {} rows loaded and checked; see `mastmaintctl show {}`", load.plan.rows, load.run)
        }
        LoadPhase::Refused { code, why } => format!("{of}: not loaded: {} [{code}]", print::tame(why)),
    }
}

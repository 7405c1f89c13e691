//! The backups: what each is, where it is, and what it must hold.

use super::{
    database,
    place::{BackupKind, decrypt, misplaced, place},
    reach::{budgeted, keys_of_decrypt},
    restore,
};
use crate::{
    diagnostic::Place,
    mistake::{self, Mistake},
    read::{At, Fields, Reader},
    settings::{Action, DatabaseAction, Job, RestoreAction},
    tree::{Kind, Node},
};
use mastmaint_words::{
    BackupName, JobName, Span,
    backup::{Backup, Backups, Budget},
};

pub(crate) const KEYS: &[&str] = &[
    "kind",
    "config",
    "from",
    "path",
    "repository",
    "password_file",
    "key_file",
    "host",
    "tags",
    "archives",
    "ssh_key",
    "known_hosts",
    "environment_file",
    "in",
    "decrypt",
    "max_age",
    "require",
    "forbid",
    "live",
    "files",
    "drill",
    "budget",
    "prove_every",
    "wait",
];
pub(crate) const BUDGET: &[&str] = &["time", "bytes"];
const DAY: u64 = 86_400;
const MOST: usize = 100;

/// Reads the section.
pub(super) fn backups(reader: &mut Reader, node: Option<&Node>) -> Backups {
    let mut backups = Backups::new();
    let Some(node) = node else { return backups };
    let listed = reader.pairs(node, "backups", "a map of backups").unwrap_or_default();
    if listed.len() > MOST {
        let mistake = Mistake::TooMany { what: "backups", count: listed.len(), max: MOST };
        reader.wrong(node.place, "backups", mistake);
    }
    let mut belonging = Vec::new();
    for (name, place, node) in listed.into_iter().take(MOST) {
        let path = crate::read::join("backups", name);
        let backup = backup(reader, node, &path, &mut belonging);
        match name.parse::<BackupName>() {
            Ok(name) => backups.extend(backup.map(|backup| (name, backup))),
            Err(error) => reader.wrong(place, &path, Mistake::BadName { why: error.to_string() }),
        }
    }
    for (key, path, files) in belonging {
        match backups.get(files.value.as_str()) {
            Some(backup) if backup.place.holds_files() => apart(reader, (key, &path), &files, &backups),
            Some(backup) => {
                let kind = backup.place.kind();
                let why = if backup.place.is_pulled() {
                    format!(
                        "{} lies on another host, which sends it to a restore and to nothing else",
                        files.value
                    )
                } else {
                    format!("{} is of kind {kind}, which holds no files", files.value)
                };
                reader.wrong(files.place, &path, Mistake::BadName { why });
            }
            // One that is there and wrong has been told already.
            None if !reader.mistakes.is_empty() => {}
            None => unknown(reader, &path, &files, &backups),
        }
    }
    super::drill::boots(reader, &backups);
    backups
}

/// Whether every backup that a job verifies is there. One that is there and wrong has been told already.
pub(super) fn verified(
    reader: &mut Reader,
    name: &JobName,
    job: &Job,
    section: Option<&Node>,
    backups: &Backups,
) {
    let is_written = |backup: &BackupName| match section.map(|node| &node.kind) {
        Some(Kind::Map(pairs)) => {
            pairs.iter().any(|(key, _)| matches!(&key.kind, Kind::Text(text) if text == backup.as_str()))
        }
        _ => false,
    };
    for (index, step) in job.indexed_steps() {
        let backup = match &step.action {
            Action::Verify(action) => &action.backup,
            Action::Restore(RestoreAction::Rehearse(restore) | RestoreAction::Prepare(restore)) => {
                &restore.backup
            }
            Action::Database(DatabaseAction::Rehearse(dump) | DatabaseAction::Load(dump)) => &dump.backup,
            _ => continue,
        };
        let path = format!("jobs.{name}.steps[{index}].{}", step.action.kind());
        let place = reader.places.get(&path).copied().unwrap_or(Place::start(0));
        let known = backups.get(backup);
        if known.is_none() && !is_written(backup) {
            unknown(reader, &path, &At { value: backup.to_string(), place }, backups);
        }
        match (&step.action, known) {
            (Action::Restore(_), Some(known)) => restore::restorable(reader, place, &path, backup, known),
            (Action::Database(_), Some(known)) => {
                let is_remote = known.is_remote(backups);
                database::restorable(reader, place, &path, backup, known, is_remote);
            }
            (Action::Verify(_), Some(known)) if known.place.is_pulled() => {
                reader.wrong(place, &path, Mistake::VerifiedElsewhere { backup: backup.to_string() });
            }
            _ => {}
        }
    }
}

/// A dump on this host and files on another, or the other way round.
fn apart(reader: &mut Reader, (key, path): (&str, &str), other: &At<String>, backups: &Backups) {
    let owner = path.split('.').nth(1).and_then(|name| backups.get(name));
    let is_remote = |name: &str| backups.get(name).is_some_and(|backup| backup.place.is_remote());
    let Some(owner) = owner else { return };
    let lies_remote = owner.inside.as_ref().is_some_and(|inside| is_remote(inside.as_str()));
    let hidden = owner.decrypt.as_ref().and_then(keys_of_decrypt);
    if let Some(hidden) = hidden.filter(|_| key == "in" && lies_remote) {
        let given = hidden.display().to_string();
        reader.odd(other.place, path, Mistake::KeyElsewhere { given });
    }
    if key == "in" && lies_remote && owner.drill.is_some() {
        let why = format!(
            "{} lies on another host, from where no dump is brought to life; remove `drill`",
            other.value
        );
        reader.wrong(other.place, path, Mistake::BadName { why });
    }
    if key == "files" && is_remote(&other.value) != lies_remote {
        let why = format!(
            "one of the dump and {} lies on another host, and no room sees both; take the dump from where the files are with `in:`",
            other.value
        );
        reader.wrong(other.place, path, Mistake::BadName { why });
    }
}

/// Has backups on other hosts verified by the room that reaches them.
pub(super) fn send_away(job: &mut Job, backups: &Backups) {
    for step in &mut job.steps {
        if let Action::Verify(action) = &mut step.action {
            action.remote = backups.get(&action.backup).is_some_and(|backup| backup.is_remote(backups));
        }
    }
}

/// A name that no backup has.
fn unknown(reader: &mut Reader, path: &str, given: &At<String>, backups: &Backups) {
    let known: Vec<&str> = backups.keys().map(BackupName::as_str).collect();
    let help = if known.is_empty() {
        "there are none; add it under `backups:`".to_owned()
    } else {
        mistake::help(&given.value, &known)
    };
    reader.wrong(
        given.place,
        path,
        Mistake::UnknownWord { what: "backup", given: given.value.clone(), help },
    );
}

fn backup(
    reader: &mut Reader,
    node: &Node,
    path: &str,
    belonging: &mut Vec<(&'static str, String, At<String>)>,
) -> Option<Backup> {
    let before = reader.mistakes.len();
    let f = reader.fields(node, path, "a map with a kind and a place", KEYS)?;
    if f.get("kind").is_none() {
        let help = "there are rsnapshot, tree, tar, postgres, redis, restic, borg, pulled";
        reader.wrong(f.place, path, Mistake::MissingKey { key: "kind", help });
    }
    let kind = reader.word(&f, "kind", "kind of backup", &BackupKind::ALL);
    let inside = reader.text(&f, "in", "the name of a file backup");
    let place = kind.and_then(|kind| place(reader, &f, kind, inside.is_some()));
    let decrypt = decrypt(reader, &f);
    let max_age = reader.span_within(&f, "max_age", "an age", (60, 3650 * DAY), "it is from 1m to 3650d");
    let (require, forbid) = (paths(reader, &f, "require"), paths(reader, &f, "forbid"));
    let live = reader.text(&f, "live", "the Rails root as it lies in the backup, like home/mastodon/live");
    let files = reader.text(&f, "files", "the name of a file backup");
    if let Some(kind) = kind {
        misplaced(reader, &f, kind);
    }
    for (key, other) in [("files", &files), ("in", &inside)] {
        belonging.extend(other.as_ref().map(|other| (key, f.path_of(key), other.clone())));
    }
    let drill = super::drill::drill(reader, &f);
    let budget = budget(reader, &f);
    let every = reader.span_within(&f, "prove_every", "a time", (0, 366 * DAY), "it is at most 366d");
    let wait = reader.span_within(&f, "wait", "a wait", (0, DAY), "it is at most 1d");
    let place = place?;
    budgeted(reader, &f, &place, &budget);
    (reader.mistakes.len() == before).then(|| Backup {
        place,
        max_age: max_age.map(|at| at.value),
        require,
        forbid,
        live: live.map(|at| at.value.trim_matches('/').to_owned()),
        files: files.and_then(|at| at.value.parse().ok()),
        inside: inside.and_then(|at| at.value.parse().ok()),
        decrypt,
        drill,
        budget,
        prove_every: every.map_or(Backup::PROVE_EVERY, |at| at.value),
        wait: wait.map_or(Backup::WAIT, |at| at.value),
    })
}

fn paths(reader: &mut Reader, f: &Fields<'_>, key: &str) -> Vec<String> {
    let Some(node) = f.get(key) else { return Vec::new() };
    let path = f.path_of(key);
    let Kind::Seq(items) = &node.kind else {
        let mistake = Mistake::WrongType { wanted: "a list of paths in the backup", found: node.kind_name() };
        reader.wrong(node.place, &path, mistake);
        return Vec::new();
    };
    let given = super::command::list(reader, items, &path).unwrap_or_default();
    for (given, item) in given.iter().zip(items) {
        if given.trim_matches('/').is_empty() || given.split('/').any(|part| part == "..") {
            let why = format!("{given:?} is no path in a backup");
            reader.wrong(item.place, &path, Mistake::BadName { why });
        }
    }
    given
}

fn budget(reader: &mut Reader, f: &Fields<'_>) -> Budget {
    let Some(node) = f.get("budget") else { return Budget::default() };
    let path = f.path_of("budget");
    let Some(f) = reader.fields(node, &path, "a map, like {time: 30m, bytes: 200 GB}", BUDGET) else {
        return Budget::default();
    };
    let time: Option<At<Span>> = reader.span_within(&f, "time", "a time", (1, DAY), "it is at most 1d");
    let bytes = super::effect::bytes(reader, &f, "bytes");
    Budget { time: time.map(|at| at.value), bytes }
}

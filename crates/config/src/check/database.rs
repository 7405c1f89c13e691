//! Restores of databases as they are written: which dump of which backup, or what is done with that of an earlier run.

use super::restore::{backup, name, of_run, state};
use crate::{
    diagnostic::Place,
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Copied, DatabaseAction, Dump},
    tree::Kind,
};
use mastmaint_words::{BackupName, backup::Backup};

/// The keys of a restore of a database: those that people write, then [`OF_RUNS`].
const KEYS: [&str; 7] = ["backup", "dump", "unproved", "rehearse", "rollback", "prepared", "prune"];
/// What stands alone, and is written by mastmaintctl: the run that it names says all the rest.
const OF_RUNS: [&str; 3] = [KEYS[4], KEYS[5], KEYS[6]];
/// What people write.
#[cfg(test)]
pub(crate) const WRITTEN: &[&str] = KEYS.split_at(4).0;
/// The key of the step.
pub(super) const KEY: &str = "restore-database";

/// What a step restores: the name of a backup, or a map.
pub(super) fn action(reader: &mut Reader, f: &Fields<'_>) -> Option<DatabaseAction> {
    let node = f.get(KEY)?;
    if let Kind::Text(_) = node.kind {
        let given = reader.text(f, KEY, "the name of a backup")?;
        let backup = name(reader, given.place, &f.path_of(KEY), &given.value)?;
        return Some(DatabaseAction::Load(Dump { backup, dump: None, unproved: false }));
    }
    let wanted = "the name of a backup, or a map like {backup: database, rehearse: true}";
    let f = reader.fields(node, &f.path_of(KEY), wanted, &KEYS)?;
    if let Some(key) = OF_RUNS.into_iter().find(|key| f.get(key).is_some()) {
        let run = of_run(reader, &f, &KEYS, key)?;
        return Some(match key {
            "rollback" => DatabaseAction::Back(Copied::By(run)),
            "prune" => DatabaseAction::Prune(run),
            _ => DatabaseAction::Switch(Copied::By(run)),
        });
    }
    let backup = backup(reader, &f, "name the backup, like `backup: database`");
    let dump = state(reader, &f, "dump");
    let unproved = reader.boolean(&f, "unproved").unwrap_or(false);
    let rehearse = reader.boolean(&f, "rehearse").unwrap_or(false);
    let dump = Dump { backup: backup?, dump: dump?, unproved };
    Some(if rehearse { DatabaseAction::Rehearse(dump) } else { DatabaseAction::Load(dump) })
}

/// Whether a backup can become the database of the instance at all.
pub(super) fn restorable(
    reader: &mut Reader,
    place: Place,
    path: &str,
    name: &BackupName,
    backup: &Backup,
    is_remote: bool,
) {
    let why = if backup.place.kind() != "postgres" {
        "it holds no dump of PostgreSQL"
    } else if is_remote {
        "it lies on another host; fetch it first, and name where it lies then"
    } else {
        return;
    };
    reader.wrong(place, path, Mistake::NotRestorable { backup: name.to_string(), why });
}

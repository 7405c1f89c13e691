//! Restores of files as they are written, and what may stand around them.

use super::{bracket, restoring::is_look, step};
use crate::{
    diagnostic::Place,
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Action, Copied, DatabaseAction, Restore, RestoreAction, Step},
    tree::{Kind, Node},
};
use mastmaint_words::{BackupName, NameError, RunId, Span, backup::Backup, restore::is_generation};

/// The keys of a restore: those that people write, then [`OF_RUNS`].
const KEYS: [&str; 9] = [
    "backup",
    "snapshot",
    "with_media",
    "with_env",
    "unproved",
    WITHOUT_ASSETS,
    "rehearse",
    "rollback",
    "prepared",
];
/// Assets that are not whole are told and not refused.
pub(super) const WITHOUT_ASSETS: &str = "without_assets";
/// What is written by mastmaintctl: the run that it names says all the rest.
const OF_RUNS: [&str; 2] = [KEYS[7], KEYS[8]];
/// What may stand beside a copy that is there already.
const OF_PREPARED: [&str; 2] = [WITHOUT_ASSETS, KEYS[6]];
/// What people write.
#[cfg(test)]
pub(crate) const WRITTEN: &[&str] = KEYS.split_at(7).0;
/// A backup is copied and checked while Mastodon runs; no admin wants that cut by the usual two hours.
pub(super) const TIMEOUT: Span = Span::from_secs(12 * 3600);

/// What a step restores: the name of a backup, or a map.
pub(super) fn action(reader: &mut Reader, f: &Fields<'_>) -> Option<RestoreAction> {
    let node = f.get("restore")?;
    if let Kind::Text(_) = node.kind {
        let given = reader.text(f, "restore", "the name of a backup")?;
        let backup = name(reader, given.place, &f.path_of("restore"), &given.value)?;
        let (snapshot, with_media, with_env, unproved) = (None, false, false, false);
        return Some(RestoreAction::Prepare(Restore { backup, snapshot, with_media, with_env, unproved }));
    }
    let wanted = "the name of a backup, or a map like {backup: nightly-files, snapshot: daily.1}";
    let f = reader.fields(node, &f.path_of("restore"), wanted, &KEYS)?;
    if let Some(key) = OF_RUNS.into_iter().find(|key| f.get(key).is_some()) {
        let beside: &[&str] = if key == "prepared" { &OF_PREPARED } else { &[] };
        let alone: Vec<&str> = KEYS.into_iter().filter(|other| !beside.contains(other)).collect();
        let run = of_run(reader, &f, &alone, key)?;
        let mut flag = |key| beside.contains(&key) && reader.boolean(&f, key).unwrap_or(false);
        flag(WITHOUT_ASSETS);
        return Some(match key {
            "rollback" => RestoreAction::Back(Copied::By(run)),
            _ if flag("rehearse") => RestoreAction::Try(Copied::By(run)),
            _ => RestoreAction::Switch(Copied::By(run)),
        });
    }
    let backup = backup(reader, &f, "name the backup, like `backup: nightly-files`");
    let snapshot = state(reader, &f, "snapshot");
    let mut flag = |key| reader.boolean(&f, key).unwrap_or(false);
    let (with_media, with_env, unproved) = (flag("with_media"), flag("with_env"), flag("unproved"));
    let rehearse = flag("rehearse");
    flag(WITHOUT_ASSETS);
    let restore = Restore { backup: backup?, snapshot: snapshot?, with_media, with_env, unproved };
    Some(if rehearse { RestoreAction::Rehearse(restore) } else { RestoreAction::Prepare(restore) })
}

/// The run that stands alone under a key.
pub(super) fn of_run(reader: &mut Reader, f: &Fields<'_>, keys: &[&str], key: &str) -> Option<RunId> {
    for other in keys.iter().filter(|other| **other != key && f.get(other).is_some()) {
        let why = "what is taken back, or was prepared before, says all of it by its run";
        reader.wrong(f.key_place(other), &f.path_of(other), Mistake::Misplaced { why });
    }
    let given = reader.text(f, key, "the id of a run")?;
    let run = given.value.parse();
    run.map_err(|_| {
        let why = "is no id of a run; `mastmaintctl restores` shows them".to_owned();
        reader.wrong(given.place, &f.path_of(key), Mistake::BadName { why });
    })
    .ok()
}

/// The backup that must be named.
pub(super) fn backup(reader: &mut Reader, f: &Fields<'_>, help: &'static str) -> Option<BackupName> {
    if f.get("backup").is_none() {
        reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "backup", help });
    }
    let at = reader.text(f, "backup", "the name of a backup")?;
    name(reader, at.place, &f.path_of("backup"), &at.value)
}

pub(super) fn name(reader: &mut Reader, place: Place, path: &str, given: &str) -> Option<BackupName> {
    given
        .parse()
        .map_err(|error: NameError| reader.wrong(place, path, Mistake::BadName { why: error.to_string() }))
        .ok()
}

/// Which state of a backup: `None` if what is written is none; `Some(None)` if nothing is written.
#[expect(clippy::option_option, reason = "nothing written and written wrong are two things")]
pub(super) fn state(reader: &mut Reader, f: &Fields<'_>, key: &str) -> Option<Option<String>> {
    if f.get(key).is_none() {
        return Some(None);
    }
    let given = reader.text(f, key, "a name, like daily.1")?;
    if is_generation(&given.value) {
        return Some(Some(given.value));
    }
    let why = "is no name of a state of a backup; write it as `mastmaintctl backups` does, like daily.1, \
               without a directory";
    reader.wrong(given.place, &f.path_of(key), Mistake::BadName { why: why.to_owned() });
    None
}

/// Whether the job restores, and whether nothing stands in the way of that.
pub(super) fn stands_right(
    reader: &mut Reader,
    f: &Fields<'_>,
    within: &[Step],
    around: &step::Surroundings<'_>,
) -> bool {
    // As they are written: what is looked at in a copy follows from it.
    let parts: Vec<Option<Part>> = within.iter().filter(|step| !is_look(step)).map(Part::of).collect();
    let Some(at) = parts.iter().position(Option::is_some) else { return false };
    let (node, parts) = (f.get("steps"), &parts[at..]);
    let is_behind = |(n, part): &(usize, &Option<Part>)| part.is_none() || parts[..*n].contains(part);
    if let Some((behind, _)) = parts.iter().enumerate().find(is_behind) {
        let behind = node.and_then(|node| item(node, at + behind)).unwrap_or(f.place);
        reader.wrong(behind, &f.path_of("steps"), Mistake::AfterRestore);
    }
    if f.get(bracket::STOPPED).is_some() {
        let path = f.path_of(bracket::STOPPED);
        reader.wrong(f.key_place(bracket::STOPPED), &path, Mistake::RestoreInBracket);
    }
    if f.get("schedule").is_some() {
        reader.wrong(f.key_place("schedule"), &f.path_of("schedule"), Mistake::RestoreOnSchedule);
    }
    if around.instance.is_some_and(|instance| instance.services.is_empty()) {
        let place = node.and_then(|node| item(node, at)).unwrap_or(f.place);
        reader.wrong(place, &f.path_of("steps"), Mistake::NoServices);
    }
    true
}

/// What a step switches in, or takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Files,
    Database,
}

impl Part {
    pub(super) fn of(step: &Step) -> Option<Self> {
        match &step.action {
            Action::Restore(RestoreAction::Rehearse(_)) | Action::Database(DatabaseAction::Rehearse(_)) => {
                None
            }
            _ if is_look(step) => None,
            Action::Restore(_) => Some(Self::Files),
            Action::Database(action) => {
                (!matches!(action, DatabaseAction::Prune(_))).then_some(Self::Database)
            }
            _ => None,
        }
    }
}

fn item(node: &Node, at: usize) -> Option<Place> {
    match &node.kind {
        Kind::Seq(items) => items.get(at).map(|item| item.place),
        _ => None,
    }
}

/// Whether a backup can be put in the place of a Rails root at all.
pub(super) fn restorable(reader: &mut Reader, place: Place, path: &str, name: &BackupName, backup: &Backup) {
    let why = if backup.place.is_pulled() {
        return;
    } else if !backup.place.holds_files() {
        "it holds no files of an instance"
    } else if backup.place.is_remote() {
        "its repository lies on another host; fetch it, or keep a copy of the files there that a backup of kind \
         `pulled` can be"
    } else {
        return;
    };
    reader.wrong(place, path, Mistake::NotRestorable { backup: name.to_string(), why });
}

//! Restores of files: a step of a runbook becomes the preparation, the stop of all services, the switch and their start,
//! so that each is run, recorded and taken over like any other step.

use super::{bracket, step};
use crate::{
    diagnostic::Place,
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Action, Copied, Instance, Restore, RestoreAction, Step},
    tree::{Kind, Node},
};
use mastmaint_words::{BackupName, NameError, RunId, Span, backup::Backup, restore::is_generation};

/// The keys of a restore: those that people write, then [`OF_RUNS`].
const KEYS: [&str; 8] =
    ["backup", "snapshot", "with_media", "with_env", "unproved", "rehearse", "rollback", "prepared"];
/// What stands alone, and is written by mastmaintctl: the run that it names says all the rest.
const OF_RUNS: [&str; 2] = [KEYS[6], KEYS[7]];
/// What people write.
#[cfg(test)]
pub(crate) const WRITTEN: &[&str] = KEYS.split_at(6).0;
/// A backup is copied and checked while Mastodon runs; no admin wants that cut by the usual two hours.
pub(super) const TIMEOUT: Span = Span::from_secs(12 * 3600);
/// Rails starts within seconds; a cold disk may take longer.
const TRY: Span = Span::from_secs(600);
/// The switch is a handful of renames; a disk that is slow to write them down may take its time.
const SWITCH: Span = Span::from_secs(900);

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
        let run = of_run(reader, &f, key)?;
        return Some(match key {
            "rollback" => RestoreAction::Back(run),
            _ => RestoreAction::Switch(Copied::By(run)),
        });
    }
    let backup = reader.text(&f, "backup", "the name of a backup, like nightly-files");
    if f.get("backup").is_none() {
        let help = "name the backup, like `backup: nightly-files`";
        reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "backup", help });
    }
    let backup = backup.and_then(|at| name(reader, at.place, &f.path_of("backup"), &at.value));
    let snapshot = snapshot(reader, &f);
    let mut flag = |key| reader.boolean(&f, key).unwrap_or(false);
    let (with_media, with_env, unproved) = (flag("with_media"), flag("with_env"), flag("unproved"));
    let rehearse = flag("rehearse");
    let restore = Restore { backup: backup?, snapshot: snapshot?, with_media, with_env, unproved };
    Some(if rehearse { RestoreAction::Rehearse(restore) } else { RestoreAction::Prepare(restore) })
}

fn of_run(reader: &mut Reader, f: &Fields<'_>, key: &'static str) -> Option<RunId> {
    for other in KEYS.iter().filter(|other| **other != key && f.get(other).is_some()) {
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

fn name(reader: &mut Reader, place: Place, path: &str, given: &str) -> Option<BackupName> {
    given
        .parse()
        .map_err(|error: NameError| reader.wrong(place, path, Mistake::BadName { why: error.to_string() }))
        .ok()
}

/// `None` if what is written is none; `Some(None)` if nothing is written.
#[expect(clippy::option_option, reason = "nothing written and written wrong are two things")]
fn snapshot(reader: &mut Reader, f: &Fields<'_>) -> Option<Option<String>> {
    if f.get("snapshot").is_none() {
        return Some(None);
    }
    let given = reader.text(f, "snapshot", "a name, like daily.1")?;
    if is_generation(&given.value) {
        return Some(Some(given.value));
    }
    let why = "is no name of a state of a backup; write it as `mastmaintctl backups` does, like daily.1, \
               without a directory";
    reader.wrong(given.place, &f.path_of("snapshot"), Mistake::BadName { why: why.to_owned() });
    None
}

/// Whether the job restores, and whether nothing stands in the way of that.
pub(super) fn stands_right(
    reader: &mut Reader,
    f: &Fields<'_>,
    within: &[Step],
    around: &step::Surroundings<'_>,
) -> bool {
    let is_restore = |step: &Step| matches!(&step.action, Action::Restore(action) if !matches!(action, RestoreAction::Rehearse(_)));
    let Some(at) = within.iter().position(is_restore) else { return false };
    let node = f.get("steps");
    if at + 1 < within.len() {
        let behind = node.and_then(|node| item(node, at + 1)).unwrap_or(f.place);
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

/// With each copy that is made the step that tries it.
pub(super) fn with_tries(steps: Vec<Step>) -> Vec<Step> {
    steps.into_iter().flat_map(|step| [tried(&step), Some(step)].into_iter().flatten().rev()).collect()
}

fn tried(step: &Step) -> Option<Step> {
    let is_copy =
        matches!(step.action, Action::Restore(RestoreAction::Rehearse(_) | RestoreAction::Prepare(_)));
    is_copy.then(|| trial(step, Copied::Here))
}

fn trial(of: &Step, copy: Copied) -> Step {
    let action = Action::Restore(RestoreAction::Try(copy));
    Step { environment: of.environment.clone(), ..bracket::of_its_own(action, TRY) }
}

/// The steps of a job that restores: what it writes before, the preparation, and the switch within a bracket.
pub(super) fn put_together(mut within: Vec<Step>, then: Vec<Step>, instance: &Instance) -> Vec<Step> {
    let Some(last) = within.pop() else { return then };
    let (prepared, switch) = match &last.action {
        Action::Restore(back @ RestoreAction::Back(_)) => (vec![], back.clone()),
        Action::Restore(switch @ RestoreAction::Switch(copy)) => {
            (vec![trial(&last, copy.clone())], switch.clone())
        }
        _ => (with_tries(vec![last]), RestoreAction::Switch(Copied::Here)),
    };
    let before = with_tries(within).into_iter().chain(prepared);
    let stop = bracket::stop(instance.services.clone());
    let switch = bracket::of_its_own(Action::Restore(switch), SWITCH);
    before.chain([stop, switch, bracket::start(instance.settle)]).chain(then).collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        effective_yaml, load_str,
        settings::{Action, RestoreAction, ServicesAction, Step},
    };

    const HEAD: &str = "instance: {live: /home/mastodon/live, user: mastodon, services: [mastodon-web]}\n\
        backups: {files: {kind: tree, path: /backup/files}, away: {kind: pulled, from: 'ssh://root@[::1]:2222/files', \
        max_age: 26h, ssh_key: /etc/mastmaintd/remote/id, known_hosts: /etc/mastmaintd/remote/hosts}}\n";

    fn kinds(steps: &[Step]) -> Vec<&'static str> {
        let kind = |step: &Step| match &step.action {
            Action::Restore(RestoreAction::Rehearse(_)) => "rehearse",
            Action::Restore(RestoreAction::Prepare(_)) => "prepare",
            Action::Restore(RestoreAction::Try(_)) => "try",
            Action::Restore(RestoreAction::Switch(_)) => "switch",
            Action::Restore(RestoreAction::Back(_)) => "back",
            Action::Services(ServicesAction::Stop { .. }) => "stop",
            Action::Services(ServicesAction::Start) => "start",
            other => other.kind(),
        };
        steps.iter().map(kind).collect()
    }

    #[test]
    fn only_the_switch_is_within_the_bracket_and_the_effective_configuration_says_the_same() {
        for (job, expected) in [
            (
                "{steps: [{run: /bin/true}, {restore: files}], then: [{run: /bin/true}]}",
                &["run", "prepare", "try", "stop", "switch", "start", "run"][..],
            ),
            (
                "{steps: [{restore: {backup: files, snapshot: daily.1, with_env: true}}]}",
                &["prepare", "try", "stop", "switch", "start"],
            ),
            ("{steps: [{restore: away}]}", &["prepare", "try", "stop", "switch", "start"]),
            (
                "{schedule: '@weekly', steps: [{restore: {backup: files, rehearse: true}}, {run: /bin/true}]}",
                &["rehearse", "try", "run"],
            ),
            (
                "{steps: [{restore: {prepared: 20261126T200000Z-7k3f9q}}]}",
                &["try", "stop", "switch", "start"],
            ),
            ("{steps: [{restore: {rollback: 20261126T200000Z-7k3f9q}}]}", &["stop", "back", "start"]),
        ] {
            let loaded = load_str("m.yaml", &format!("{HEAD}jobs: {{a: {job}}}\n")).unwrap().settings;
            let steps = &loaded.jobs.values().next().unwrap().steps;
            assert_eq!(kinds(steps), expected, "{job}");
            let again = load_str("m.yaml", &effective_yaml(&loaded).unwrap()).unwrap().settings;
            assert_eq!(again, loaded, "{job}");
        }
    }
}

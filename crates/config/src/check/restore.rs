//! Restores of files: a step of a runbook becomes the preparation, the stop of all services, the switch and their start,
//! so that each is run, recorded and taken over like any other step.

use super::{bracket, step};
use crate::{
    diagnostic::Place,
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Action, Copied, DatabaseAction, Instance, Restore, RestoreAction, Step},
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
        let run = of_run(reader, &f, &KEYS, key)?;
        return Some(match key {
            "rollback" => RestoreAction::Back(Copied::By(run)),
            _ => RestoreAction::Switch(Copied::By(run)),
        });
    }
    let backup = backup(reader, &f, "name the backup, like `backup: nightly-files`");
    let snapshot = state(reader, &f, "snapshot");
    let mut flag = |key| reader.boolean(&f, key).unwrap_or(false);
    let (with_media, with_env, unproved) = (flag("with_media"), flag("with_env"), flag("unproved"));
    let rehearse = flag("rehearse");
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
    let Some(at) = within.iter().position(|step| Part::of(step).is_some()) else { return false };
    let node = f.get("steps");
    let parts: Vec<Option<Part>> = within[at..].iter().map(Part::of).collect();
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
enum Part {
    Files,
    Database,
}

impl Part {
    fn of(step: &Step) -> Option<Self> {
        match &step.action {
            Action::Restore(RestoreAction::Rehearse(_)) | Action::Database(DatabaseAction::Rehearse(_)) => {
                None
            }
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
    let at = within.iter().position(|step| Part::of(step).is_some()).unwrap_or(within.len());
    let parts = within.split_off(at);
    let of = |wanted| parts.iter().find(|step| Part::of(step) == Some(wanted));
    let mut moves = Moves::default();
    let mut steps = with_tries(within);
    if let Some(files) = of(Part::Files) {
        steps.extend(moves.add_files(files));
    }
    match of(Part::Database) {
        Some(loaded) => steps.extend(moves.add_database(loaded)),
        // Files alone must belong to the database that stays.
        None => steps.extend(moves.copy.clone().map(fits)),
    }
    steps.push(bracket::stop(instance.services.clone(), true));
    steps.extend(moves.there);
    if let Some(matches) = moves.matches {
        steps.push(matches.clone());
        steps.push(bracket::stop(instance.services.clone(), true));
        steps.extend(moves.back);
        steps.extend([matches, bracket::start(instance.settle), bracket::keep_down()]);
    } else {
        steps.push(bracket::start(instance.settle));
    }
    steps.into_iter().chain(then).collect()
}

fn fits(copy: Copied) -> Step {
    bracket::of_its_own(Action::Database(DatabaseAction::Fits(copy)), TRY)
}

/// What is done while services are stopped.
#[derive(Default)]
struct Moves {
    there: Vec<Step>,
    /// In case that it does not match.
    back: Vec<Step>,
    /// The files that are switched in.
    copy: Option<Copied>,
    /// Only where a database changes places can there be one that does not match.
    matches: Option<Step>,
}

impl Moves {
    /// Gives what is done before services are stopped.
    fn add_files(&mut self, written: &Step) -> Vec<Step> {
        let Action::Restore(action) = &written.action else { return vec![] };
        let (before, copy) = match action {
            RestoreAction::Back(of) => {
                let back = Action::Restore(RestoreAction::Back(of.clone()));
                self.there.push(bracket::of_its_own(back, SWITCH));
                return vec![];
            }
            RestoreAction::Switch(copy) => (vec![trial(written, copy.clone())], copy.clone()),
            _ => (with_tries(vec![written.clone()]), Copied::Here),
        };
        self.copy = Some(copy.clone());
        let switch = Action::Restore(RestoreAction::Switch(copy.clone()));
        self.there.push(bracket::of_its_own(switch, SWITCH));
        self.back.push(bracket::of_its_own(Action::Restore(RestoreAction::Back(copy)), SWITCH));
        before
    }

    /// The files change places first: should the host go down in between, they are what comes back, and today's
    /// database fits them as it does after a restore of files alone.
    fn add_database(&mut self, written: &Step) -> Vec<Step> {
        let Action::Database(action) = &written.action else { return vec![] };
        let part = |action| Step {
            environment: written.environment.clone(),
            ..bracket::of_its_own(Action::Database(action), SWITCH)
        };
        let (mut before, copy) = match action {
            DatabaseAction::Back(of) => {
                self.there.insert(0, part(DatabaseAction::Back(of.clone())));
                self.matches = Some(part(DatabaseAction::Match));
                return vec![];
            }
            DatabaseAction::Switch(copy) => (vec![], copy.clone()),
            _ => (vec![written.clone()], Copied::Here),
        };
        before.push(part(DatabaseAction::Ready(copy.clone())));
        self.there.push(part(DatabaseAction::Switch(copy.clone())));
        self.back.insert(0, part(DatabaseAction::Back(copy)));
        self.matches = Some(part(DatabaseAction::Match));
        before
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        effective_yaml, load_str,
        settings::{Action, DatabaseAction, RestoreAction, ServicesAction, Step},
    };

    const HEAD: &str = "instance: {live: /home/mastodon/live, user: mastodon, services: [mastodon-web]}\n\
        backups: {files: {kind: tree, path: /backup/files}, base: {kind: postgres, path: /backup/*.dump}, \
        away: {kind: pulled, from: 'ssh://root@[::1]:2222/files', \
        max_age: 26h, ssh_key: /etc/mastmaintd/remote/id, known_hosts: /etc/mastmaintd/remote/hosts}}\n";

    fn kinds(steps: &[Step]) -> Vec<&'static str> {
        let kind = |step: &Step| match &step.action {
            Action::Restore(RestoreAction::Rehearse(_)) => "rehearse",
            Action::Restore(RestoreAction::Prepare(_)) => "prepare",
            Action::Restore(RestoreAction::Try(_)) => "try",
            Action::Restore(RestoreAction::Switch(_)) => "switch",
            Action::Restore(RestoreAction::Back(_)) => "back",
            Action::Database(DatabaseAction::Rehearse(_)) => "rehearse-database",
            Action::Database(DatabaseAction::Load(_)) => "load",
            Action::Database(DatabaseAction::Switch(_)) => "switch-database",
            Action::Database(DatabaseAction::Fits(_)) => "fits",
            Action::Database(DatabaseAction::Ready(_)) => "ready",
            Action::Database(DatabaseAction::Match) => "match",
            Action::Database(DatabaseAction::Back(_)) => "back-database",
            Action::Database(DatabaseAction::Prune(_)) => "prune",
            Action::Services(ServicesAction::KeepDown) => "keep-down",
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
                &["run", "prepare", "try", "fits", "stop", "switch", "start", "run"][..],
            ),
            (
                "{steps: [{restore: {backup: files, snapshot: daily.1, with_env: true}}]}",
                &["prepare", "try", "fits", "stop", "switch", "start"],
            ),
            ("{steps: [{restore: away}]}", &["prepare", "try", "fits", "stop", "switch", "start"]),
            (
                "{schedule: '@weekly', steps: [{restore: {backup: files, rehearse: true}}, {run: /bin/true}]}",
                &["rehearse", "try", "run"],
            ),
            (
                "{steps: [{restore: {prepared: 20261126T200000Z-7k3f9q}}]}",
                &["try", "fits", "stop", "switch", "start"],
            ),
            ("{steps: [{restore: {rollback: 20261126T200000Z-7k3f9q}}]}", &["stop", "back", "start"]),
            (
                "{steps: [{run: /bin/true}, {restore-database: base}], then: [{run: /bin/true}]}",
                &[
                    "run",
                    "load",
                    "ready",
                    "stop",
                    "switch-database",
                    "match",
                    "stop",
                    "back-database",
                    "match",
                    "start",
                    "keep-down",
                    "run",
                ],
            ),
            (
                "{steps: [{restore-database: {backup: base, dump: m.dump}, environment: {DB_PORT: '5432'}}, {restore: files}]}",
                &[
                    "prepare",
                    "try",
                    "load",
                    "ready",
                    "stop",
                    "switch",
                    "switch-database",
                    "match",
                    "stop",
                    "back-database",
                    "back",
                    "match",
                    "start",
                    "keep-down",
                ],
            ),
            (
                "{steps: [{restore-database: {backup: base, rehearse: true}}, {restore: {backup: files, rehearse: true}}]}",
                &["rehearse-database", "rehearse", "try"],
            ),
            (
                "{steps: [{restore: {prepared: 20261126T200000Z-7k3f9q}}, {restore-database: {prepared: 20261126T200000Z-7k3f9q}}]}",
                &[
                    "try",
                    "ready",
                    "stop",
                    "switch",
                    "switch-database",
                    "match",
                    "stop",
                    "back-database",
                    "back",
                    "match",
                    "start",
                    "keep-down",
                ],
            ),
            (
                "{steps: [{restore: {rollback: 20261126T200000Z-7k3f9q}}, {restore-database: {rollback: 20261126T200000Z-7k3f9q}}]}",
                &["stop", "back-database", "back", "match", "stop", "match", "start", "keep-down"],
            ),
            ("{steps: [{restore-database: {prune: 20261126T200000Z-7k3f9q}}]}", &["prune"]),
        ] {
            let loaded = load_str("m.yaml", &format!("{HEAD}jobs: {{a: {job}}}\n")).unwrap().settings;
            let steps = &loaded.jobs.values().next().unwrap().steps;
            assert_eq!(kinds(steps), expected, "{job}");
            let again = load_str("m.yaml", &effective_yaml(&loaded).unwrap()).unwrap().settings;
            assert_eq!(again, loaded, "{job}");
        }
    }
}

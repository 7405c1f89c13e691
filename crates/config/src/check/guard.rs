//! A guarded change: what is written of it, and the ordinary steps that become of it. What is done when it goes wrong
//! stands among them, right behind what is done when all is well.

use super::{
    bracket,
    command::{self, Key},
    effect as sizes, step,
};
use crate::{
    diagnostic::Place as At,
    effect,
    guard::{BUILD, GuardAction, MEMORY, SafePoint},
    mistake::Mistake,
    read::{Fields, Reader, is_control},
    requires::Service,
    settings::{Action, Instance, Job, Judged, OnPartial, Step, SystemctlAction, SystemctlVerb},
    tree::{Kind, Node},
};
use mastmaint_words::{
    BackupName, JobName, Span, UnitName,
    backup::{Backups, Place},
};
use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

/// The keys that only a guard has.
const OWN_KEYS: [&str; 4] = ["keep", "build", "memory", "restart"];
/// What a guard never keeps: copies of media would fill the disk, and a whole of which they are a part, too.
const NEVER: &str = "public/system";
const MOST_COMMANDS: usize = 20;
const MOST_KEPT: usize = 50;
/// A copy of all that is kept, on a slow disk.
const COPY: Span = Span::from_secs(1800);
/// Every built file is read.
const CHECK: Span = Span::from_secs(900);
/// systemd gives a unit 90 s to stop and as much to start.
const RESTART: Span = Span::from_secs(300);
/// A service that was just started needs some seconds until it answers. One that takes so many times as long as it is
/// watched (two minutes by default) is not well.
const LOOK: u32 = 12;
/// A service that was not restarted needs no time to come up, and one that cannot run what was put back shall not be looked
/// at for long: this many times as long, and no shorter than a page may take on a busy host.
const LOOK_FIRST: u32 = 4;
const LOOK_LEAST: Span = Span::from_secs(15);
/// What the look itself takes to end.
const LOOK_MORE: Span = Span::from_secs(5);
const KEEP: Span = Span::from_secs(600);

/// A guard as written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    commands: Vec<Vec<String>>,
    keep: Vec<PathBuf>,
    build: bool,
    memory: mastmaint_words::Bytes,
    restart: Vec<UnitName>,
}

/// What the keys of a step that are for guards only say in a step that is none.
pub(super) fn misplaced(reader: &mut Reader, f: &Fields<'_>) {
    for key in OWN_KEYS {
        if f.get(key).is_some() {
            let why = "only `guard` steps change the instance";
            reader.wrong(f.key_place(key), &f.path_of(key), Mistake::Misplaced { why });
        }
    }
}

/// Reads a guard.
pub(super) fn written(
    reader: &mut Reader,
    f: &Fields<'_>,
    around: &step::Surroundings<'_>,
) -> Option<Written> {
    let before = reader.mistakes.len();
    for (key, why) in [
        ("on_partial", "a guard that does not go well is put back"),
        ("continue", "a guard that does not go well is put back, and nothing after it is run"),
    ] {
        if f.get(key).is_some() {
            reader.odd(f.key_place(key), &f.path_of(key), Mistake::NoEffect { why });
        }
    }
    let node = f.get("guard")?;
    let commands = commands(reader, node, &f.path_of("guard"));
    let build = reader.boolean(f, "build").unwrap_or(true);
    let keep = keep(reader, f);
    let memory = sizes::bytes(reader, f, "memory").unwrap_or(MEMORY);
    let restart = restart(reader, f, around);
    if commands.is_empty() && !build && reader.mistakes.len() == before {
        reader.wrong(node.place, &f.path_of("guard"), Mistake::Empty { wanted: Key::Guard.wanted() });
    }
    (reader.mistakes.len() == before).then_some(Written { commands, keep, build, memory, restart })
}

/// One text is one command, a list holds several; `[]` only builds.
fn commands(reader: &mut Reader, node: &Node, path: &str) -> Vec<Vec<String>> {
    let items = match &node.kind {
        Kind::Seq(items) => items.iter().collect(),
        _ => vec![node],
    };
    if items.len() > MOST_COMMANDS {
        let mistake = Mistake::TooMany { what: "commands", count: items.len(), max: MOST_COMMANDS };
        reader.wrong(node.place, path, mistake);
    }
    let mut commands = Vec::new();
    for (index, item) in items.into_iter().take(MOST_COMMANDS).enumerate() {
        let path = if matches!(node.kind, Kind::Seq(_)) {
            format!("{path}[{}]", index + 1)
        } else {
            path.to_owned()
        };
        if let Kind::Text(text) = &item.kind
            && text.trim_start().starts_with('-')
        {
            let given = text.chars().take(64).collect();
            reader.wrong(item.place, &path, Mistake::NotACommand { given });
            continue;
        }
        commands.extend(command::words(reader, item, &path, Key::Guard));
    }
    commands
}

fn keep(reader: &mut Reader, f: &Fields<'_>) -> Vec<PathBuf> {
    let Some(node) = f.get("keep") else { return vec![] };
    let path = f.path_of("keep");
    let given = match &node.kind {
        Kind::Text(text) => vec![(text.clone(), node.place)],
        Kind::Seq(items) => {
            let texts = command::list(reader, items, &path).unwrap_or_default();
            texts.into_iter().zip(items.iter().map(|item| item.place)).collect()
        }
        _ => {
            let wanted = "a path below the Rails root, or a list of them";
            reader.wrong(node.place, &path, Mistake::WrongType { wanted, found: node.kind_name() });
            return vec![];
        }
    };
    if given.len() > MOST_KEPT {
        let mistake = Mistake::TooMany { what: "paths", count: given.len(), max: MOST_KEPT };
        reader.wrong(node.place, &path, mistake);
    }
    let mut kept = Vec::new();
    for (text, place) in given.into_iter().take(MOST_KEPT) {
        match is_kept(&text) {
            Ok(path) if kept.contains(&path) => {}
            Ok(path) => kept.push(path),
            Err(why) => {
                let given = text.chars().take(64).collect();
                reader.wrong(place, &path, Mistake::BadKeep { given, why });
            }
        }
    }
    kept
}

/// A path below the Rails root, by its names only.
fn is_kept(text: &str) -> Result<PathBuf, &'static str> {
    let path = Path::new(text);
    if text.chars().any(is_control) {
        return Err("it holds a control character");
    }
    if path.is_absolute() {
        return Err("it is absolute; write it from the Rails root on, like config/custom.yml");
    }
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            _ => return Err("it leads out of the Rails root; nothing out of it is kept"),
        }
    }
    if plain.as_os_str().is_empty() {
        return Err("it is all of the Rails root; name what the change may spoil");
    }
    if plain.starts_with(NEVER) || Path::new(NEVER).starts_with(&plain) {
        return Err("media are never kept: a copy would fill the disk; name what else the change may spoil");
    }
    Ok(plain)
}

/// Where a job has guards, in the order of the file.
fn places(reader: &Reader, job: &str) -> Vec<(At, String)> {
    let below = format!("{job}.");
    let is_guard = |path: &&String| path.starts_with(&below) && path.ends_with("].guard");
    let mut found: Vec<_> = reader.places.iter().filter(|(path, _)| is_guard(path)).collect();
    found.sort_by_key(|(_, place)| **place);
    found.into_iter().map(|(path, place)| (*place, path.clone())).collect()
}

/// Whether a job has a guard; it has one only, and none while its services are stopped.
pub(super) fn is_one(reader: &mut Reader, job: &str, is_bracket: bool) -> bool {
    let found = places(reader, job);
    if let Some((place, path)) = found.get(1) {
        reader.wrong(*place, path, Mistake::TwoGuards);
    }
    if let Some((place, path)) = found.first().filter(|_| is_bracket) {
        reader.wrong(*place, path, Mistake::GuardInBracket);
    }
    !found.is_empty()
}

/// What migrates the database needs a dump that was verified before, in the same run; the guard is told which.
pub(super) fn is_covered(reader: &mut Reader, name: &JobName, job: &mut Job, backups: &Backups) {
    let Some(guard) = job.guard() else { return };
    let is_dump = |backup: &BackupName| {
        backups.get(backup).is_some_and(|backup| matches!(backup.place, Place::Postgres { .. }))
    };
    let before = job.indexed_steps().take_while(|(index, _)| *index < guard.begin);
    let proved = before.filter_map(|(_, step)| match &step.action {
        Action::Verify(verify) if !step.go_on && is_dump(&verify.backup) => Some(verify.backup.clone()),
        _ => None,
    });
    let proved = proved.last();
    let command = job.steps.iter().find_map(|step| match &step.action {
        Action::Guard(GuardAction::Command(argv)) if effect::migrates(argv) => Some(step.action.title()),
        _ => None,
    });
    if let (Some(command), None) = (command, &proved)
        && let Some((place, path)) = places(reader, &format!("jobs.{name}")).into_iter().next()
    {
        reader.wrong(place, &path, Mistake::MigratesUnproved { command });
    }
    let begin = job.steps.get_mut(usize::from(guard.begin.0)).map(|step| &mut step.action);
    if let Some(Action::Guard(GuardAction::Begin(point))) = begin {
        point.dump = proved;
    }
}

/// What is restarted afterwards: web reads what was built when it starts.
fn restart(reader: &mut Reader, f: &Fields<'_>, around: &step::Surroundings<'_>) -> Vec<UnitName> {
    let path = f.path_of("restart");
    let Some(node) = f.get("restart") else {
        let Some(instance) = around.instance else { return vec![] };
        let web = web(instance);
        if web.is_empty() {
            reader.wrong(f.key_place("guard"), &f.path_of("guard"), Mistake::GuardNeedsWeb);
        }
        return web;
    };
    let named: Vec<_> = match &node.kind {
        Kind::Text(text) => text.split_whitespace().map(|unit| (unit.to_owned(), node.place)).collect(),
        Kind::Seq(items) => {
            let units = command::list(reader, items, &path).unwrap_or_default();
            units.into_iter().zip(command::places(node)).collect()
        }
        _ => vec![],
    };
    if named.is_empty() {
        let wanted = "at least one unit, like [mastodon-web]";
        reader.wrong(node.place, &path, Mistake::Empty { wanted });
    }
    let units = named.into_iter().filter_map(|(unit, at)| step::named_unit(reader, at, &path, around, unit));
    units.collect()
}

fn web(instance: &Instance) -> Vec<UnitName> {
    instance.services.iter().filter(|unit| Service::of(unit) == Some(Service::Web)).cloned().collect()
}

/// The steps of a guard; `command` is a step as its keys say, with an action that does not matter.
pub(crate) fn steps(written: Written, command: &Step, settle: Span) -> Vec<Step> {
    let Written { mut commands, keep, build, memory, restart } = written;
    let builds = build && !commands.iter().any(|argv| effect::builds_assets(argv));
    if builds {
        commands.push(BUILD.map(str::to_owned).to_vec());
    }
    let migrates = commands.iter().any(|argv| effect::migrates(argv));
    let begin = GuardAction::Begin(SafePoint { keep, memory, builds, migrates, dump: None });
    let part = |action, timeout| bracket::of_its_own(Action::Guard(action), timeout);
    // Those that ask the database do it as the commands would.
    let asking = |action, timeout| Step { environment: command.environment.clone(), ..part(action, timeout) };
    let again = || Step {
        action: Action::Systemctl(SystemctlAction { verb: SystemctlVerb::Restart, units: restart.clone() }),
        ..part(GuardAction::Check, Span::new(RESTART.get() + settle.get() * 3))
    };
    let look_for = |time: Duration| part(GuardAction::Look, Span::new(time + LOOK_MORE.get()));
    let look = || look_for(settle.get() * LOOK);
    let look_first = look_for((settle.get() * LOOK_FIRST).max(LOOK_LEAST.get()));
    let last = commands.len().saturating_sub(1);
    let numbered = commands.into_iter().enumerate();
    let commands = numbered.map(|(index, argv)| Step {
        action: Action::Guard(GuardAction::Command(argv)),
        on_partial: OnPartial::Stop,
        go_on: false,
        judged: if builds && index == last { Judged::default() } else { command.judged.clone() },
        ..command.clone()
    });
    std::iter::once(asking(begin, COPY))
        .chain(commands)
        .chain([
            asking(GuardAction::Check, CHECK),
            again(),
            look(),
            part(GuardAction::Keep, KEEP),
            asking(GuardAction::PutBack, COPY),
            look_first,
            again(),
            look(),
        ])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_only_below_the_rails_root() {
        assert_eq!(is_kept("config/./custom.yml"), Ok("config/custom.yml".into()));
        assert_eq!(is_kept("app/javascript"), Ok("app/javascript".into()));
        for wrong in
            ["/etc/passwd", "../x", "config/../../x", ".", "", "public", "public/system/cache", "a\u{7}b"]
        {
            assert!(is_kept(wrong).is_err(), "{wrong:?}");
        }
    }
}

//! What a job requires before a run of it is admitted.

use super::command;
use crate::{
    diagnostic::Place,
    mistake::{self, Mistake},
    read::{Fields, Reader},
    requires::{Below, FreeSpace, LoadBelow, Requires, Resource, Service, USUAL_TRY_AGAIN},
    settings::Instance,
    tree::{Kind, Node},
};
use mastmaint_words::{ProgramName, UnitName};
use std::{collections::BTreeMap, path::PathBuf};

/// The keys of `requires`.
pub(crate) const KEYS: &[&str] =
    &["free", "load", "pressure", "unit_active", "not_running", "probe", "try_again"];
/// The keys of an entry of `free`.
pub(crate) const FREE: &[&str] = &["path", "at_least"];
/// The keys of `load`.
pub(crate) const LOAD: &[&str] = &["below"];
/// The keys of `pressure`.
pub(crate) const PRESSURE: &[&str] =
    &[Resource::Cpu.as_str(), Resource::Io.as_str(), Resource::Memory.as_str()];

/// In seconds: what is looked at more often than each second says nothing new.
const TRY_AGAIN: (u64, u64) = (1, 3600);
/// Conditions of one kind.
const MOST: usize = 20;
/// Places that no room sees, whatever is there.
const HIDDEN: [&str; 5] = ["/root", "/run/user", "/proc", "/sys", "/dev"];

/// What the job requires. `instance`: `None` if there is none, `Some(None)` if it is written but wrong. Only within a
/// window it is tried again.
#[expect(clippy::option_option, reason = "absent, wrong and right are three things here")]
pub(super) fn requires(
    reader: &mut Reader,
    f: &Fields<'_>,
    instance: Option<Option<&Instance>>,
    has_window: bool,
) -> Option<Requires> {
    let node = f.get("requires")?;
    let path = f.path_of("requires");
    let wanted = "a map of conditions, like {not_running: [pg_dump]}";
    let f = reader.fields(node, &path, wanted, KEYS)?;
    if KEYS.iter().all(|key| *key == "try_again" || f.get(key).is_none()) {
        reader.wrong(node.place, &path, Mistake::Empty { wanted });
    }
    let range = "it is at least 1s and at most 1h";
    let again = reader.span_within(&f, "try_again", "a pause", TRY_AGAIN, range);
    if f.get("try_again").is_some() && !has_window {
        let why = "the job has no schedule with a window within which it could be tried again";
        reader.odd(f.key_place("try_again"), &f.path_of("try_again"), Mistake::NoEffect { why });
    }
    Some(Requires {
        free: free(reader, &f),
        load: load(reader, &f),
        pressure: pressure(reader, &f),
        unit_active: units(reader, &f),
        not_running: programs(reader, &f),
        probe: services(reader, &f, instance),
        try_again: has_window.then(|| again.map_or(USUAL_TRY_AGAIN, |at| at.value)),
    })
}

pub(super) fn free(reader: &mut Reader, f: &Fields<'_>) -> Vec<FreeSpace> {
    let Some(node) = f.get("free") else { return vec![] };
    let path = f.path_of("free");
    let entries = match &node.kind {
        Kind::Seq(items) => {
            let numbered = items.iter().enumerate();
            numbered.map(|(index, item)| (item, format!("{path}[{}]", index + 1))).collect()
        }
        _ => vec![(node, path.clone())],
    };
    not_empty_nor_many(reader, node, &path, entries.len());
    entries.into_iter().filter_map(|(node, path)| one_free(reader, node, &path)).collect()
}

fn one_free(reader: &mut Reader, node: &Node, path: &str) -> Option<FreeSpace> {
    let f = reader.fields(node, path, "a map, like {path: /home, at_least: 5 GB}", FREE)?;
    let at_least = super::effect::bytes(reader, &f, "at_least");
    let given = reader.text(&f, "path", "a path, like /home");
    for (key, help) in [("path", "write where there must be room"), ("at_least", "write how much, like 5 GB")]
    {
        if f.get(key).is_none() {
            reader.wrong(f.place, &f.path, Mistake::MissingKey { key, help });
        }
    }
    let given = given?;
    let is_whole = given.value.starts_with('/') && given.value.split('/').all(|part| part != "..");
    if !is_whole {
        let help = "write the whole path of a directory on that file system".to_owned();
        let mistake = Mistake::RelativePath { given: given.value, help };
        reader.wrong(given.place, &f.path_of("path"), mistake);
        return None;
    }
    let directory = PathBuf::from(&given.value);
    if HIDDEN.iter().any(|hidden| directory.starts_with(hidden)) {
        reader.wrong(given.place, &f.path_of("path"), Mistake::HiddenPath { given: given.value });
        return None;
    }
    Some(FreeSpace { path: directory, at_least: at_least? })
}

fn load(reader: &mut Reader, f: &Fields<'_>) -> Option<LoadBelow> {
    let node = f.get("load")?;
    let wanted = "a map, like {below: 4}";
    let f = reader.fields(node, &f.path_of("load"), wanted, LOAD)?;
    let Some(bound) = f.get("below") else {
        reader.wrong(node.place, &f.path, Mistake::Empty { wanted });
        return None;
    };
    let path = f.path_of("below");
    let (Kind::Number(text) | Kind::Text(text)) = &bound.kind else {
        let wanted = "a number, like 4 or 0.75";
        reader.wrong(bound.place, &path, Mistake::WrongType { wanted, found: bound.kind_name() });
        return None;
    };
    match text.parse() {
        Ok(below) => Some(LoadBelow { below }),
        Err(error) => {
            let error: mastmaint_words::ParseHundredthsError = error;
            reader.wrong(bound.place, &path, Mistake::BadSize { why: error.to_string() });
            None
        }
    }
}

fn pressure(reader: &mut Reader, f: &Fields<'_>) -> BTreeMap<Resource, Below> {
    let Some(node) = f.get("pressure") else { return BTreeMap::new() };
    let wanted = "a map, like {io: below 20%}";
    let Some(f) = reader.fields(node, &f.path_of("pressure"), wanted, PRESSURE) else {
        return BTreeMap::new();
    };
    let mut bounds = BTreeMap::new();
    for resource in [Resource::Cpu, Resource::Io, Resource::Memory] {
        let Some(text) = reader.text(&f, resource.as_str(), "a bound, like \"below 20%\"") else { continue };
        match text.value.parse::<Below>() {
            Ok(below) => drop(bounds.insert(resource, below)),
            Err(error) => {
                let mistake = Mistake::BadSize { why: error.to_string() };
                reader.wrong(text.place, &f.path_of(resource.as_str()), mistake);
            }
        }
    }
    if PRESSURE.iter().all(|key| f.get(key).is_none()) {
        reader.wrong(node.place, &f.path, Mistake::Empty { wanted });
    }
    bounds
}

fn units(reader: &mut Reader, f: &Fields<'_>) -> Vec<UnitName> {
    let path = f.path_of("unit_active");
    let mut units = Vec::new();
    for (text, place) in words(reader, f, "unit_active", "a unit or a list of them, like [postgresql]") {
        match text.parse::<UnitName>() {
            Ok(unit) if unit.with_suffix().contains("@.") => {
                let why = format!("{text:?} is a template and never active; name an instance of it");
                reader.wrong(place, &path, Mistake::BadName { why });
            }
            Ok(unit) => units.push(unit),
            Err(error) => reader.wrong(place, &path, Mistake::BadName { why: error.to_string() }),
        }
    }
    units
}

fn programs(reader: &mut Reader, f: &Fields<'_>) -> Vec<ProgramName> {
    let path = f.path_of("not_running");
    let wanted = "the name of a program or a list of them, like [pg_dump, rsnapshot]";
    let mut programs = Vec::new();
    for (text, place) in words(reader, f, "not_running", wanted) {
        match text.parse() {
            Ok(name) => programs.push(name),
            Err(error) => {
                let error: mastmaint_words::NameError = error;
                reader.wrong(place, &path, Mistake::BadName { why: error.to_string() });
            }
        }
    }
    programs
}

#[expect(clippy::option_option, reason = "absent, wrong and right are three things here")]
fn services(reader: &mut Reader, f: &Fields<'_>, instance: Option<Option<&Instance>>) -> Vec<Service> {
    let path = f.path_of("probe");
    let known = Service::ALL.map(Service::as_str);
    let mut services = Vec::new();
    for (text, place) in words(reader, f, "probe", "web, streaming, sidekiq, or a list of them") {
        let Some(service) = Service::ALL.into_iter().find(|service| service.as_str() == text) else {
            let help = mistake::help(&text, &known);
            let given = text.chars().take(64).collect();
            reader.wrong(place, &path, Mistake::UnknownWord { what: "service", given, help });
            continue;
        };
        let is_there =
            |instance: &Instance| instance.services.iter().any(|unit| Service::of(unit) == Some(service));
        // An instance that is wrong has been reported.
        if instance.is_none_or(|instance| instance.is_some_and(|instance| !is_there(instance))) {
            reader.wrong(place, &path, Mistake::NoSuchService { service: service.as_str() });
        }
        services.push(service);
    }
    services
}

/// A word, several with blanks between them, or a list; each with its place.
fn words(reader: &mut Reader, f: &Fields<'_>, key: &str, wanted: &'static str) -> Vec<(String, Place)> {
    let Some(node) = f.get(key) else { return vec![] };
    let path = f.path_of(key);
    let words: Vec<String> = match &node.kind {
        Kind::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
        Kind::Seq(items) => match command::list(reader, items, &path) {
            Some(words) => words,
            None => return vec![],
        },
        Kind::Null => vec![],
        _ => {
            reader.wrong(node.place, &path, Mistake::WrongType { wanted, found: node.kind_name() });
            return vec![];
        }
    };
    not_empty_nor_many(reader, node, &path, words.len());
    words.into_iter().zip(command::places(node)).take(MOST).collect()
}

fn not_empty_nor_many(reader: &mut Reader, node: &Node, path: &str, count: usize) {
    if count == 0 {
        reader.wrong(node.place, path, Mistake::Empty { wanted: "at least one; leave the key out for none" });
    }
    if count > MOST {
        reader.wrong(node.place, path, Mistake::TooMany { what: "conditions", count, max: MOST });
    }
}

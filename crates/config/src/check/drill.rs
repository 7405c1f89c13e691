//! `drill:` of a dump of PostgreSQL: how often it is brought to life, and what it is asked then.

use crate::{
    diagnostic::Place as At,
    mistake::Mistake,
    read::{Fields, Reader},
    tree::Kind,
};
use mastmaint_words::backup::{Backup, Backups, DrillPlan, Every, Place};

pub(crate) const KEYS: &[&str] = &["schedule", "assertions", "reserve", "boot"];
const MOST: usize = 100;

pub(super) fn drill(reader: &mut Reader, f: &Fields<'_>) -> Option<DrillPlan> {
    let node = f.get("drill")?;
    let f = reader.fields(node, &f.path_of("drill"), "a map, like {schedule: weekly}", KEYS)?;
    let schedule = reader.word(&f, "schedule", "schedule of drills", &Every::ALL).unwrap_or_default();
    let assertions = assertions(reader, &f);
    let reserve = super::effect::bytes(reader, &f, "reserve").unwrap_or(DrillPlan::RESERVE);
    let boot = reader.boolean(&f, "boot").unwrap_or_default();
    Some(DrillPlan { schedule, assertions, reserve, boot })
}

/// Whether there is something that Mastodon can be started from, for each dump on which it shall be.
pub(super) fn boots(reader: &mut Reader, backups: &Backups) {
    for (name, backup) in backups {
        if !backup.drill.as_ref().is_some_and(|plan| plan.boot) {
            continue;
        }
        let path = format!("backups.{name}.drill.boot");
        let files = backup.files.as_ref().map(|files| (files, backups.get(files)));
        let why = match files {
            None => "Mastodon is started from a file backup; say `files:` of this dump".to_owned(),
            // One that is not there has been told already.
            Some((_, None)) => continue,
            Some((files, Some(Backup { place: Place::Rsnapshot { .. } | Place::Tree { .. }, live, .. }))) => {
                if live.is_some() {
                    continue;
                }
                format!("Mastodon is started from the Rails root in {files}; say `live:` of that backup")
            }
            Some((files, Some(other))) => format!(
                "Mastodon is started from a file backup of kind rsnapshot or tree, and {files} is of kind {}",
                other.place.kind()
            ),
        };
        let place = reader.places.get(&path).copied().unwrap_or(At::start(0));
        reader.wrong(place, &path, Mistake::BadName { why });
    }
}

fn assertions(reader: &mut Reader, f: &Fields<'_>) -> Vec<String> {
    let Some(node) = f.get("assertions") else { return Vec::new() };
    let path = f.path_of("assertions");
    let Kind::Seq(items) = &node.kind else {
        let wanted = "a list of questions in SQL, like [SELECT count(*) > 100 FROM users]";
        reader.wrong(node.place, &path, Mistake::WrongType { wanted, found: node.kind_name() });
        return Vec::new();
    };
    if items.len() > MOST {
        let mistake = Mistake::TooMany { what: "assertions", count: items.len(), max: MOST };
        reader.wrong(node.place, &path, mistake);
    }
    let given = super::command::list(reader, items, &path).unwrap_or_default();
    for (sql, item) in given.iter().zip(items) {
        let first = sql.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        if !["select", "with", "values"].contains(&first.to_ascii_lowercase().as_str()) {
            let why =
                "an assertion is a question with one answer, true or false; it begins with SELECT or WITH";
            reader.wrong(item.place, &path, Mistake::BadName { why: why.to_owned() });
        }
    }
    given
}

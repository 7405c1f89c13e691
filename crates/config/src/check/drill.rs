//! `drill:` of a dump of PostgreSQL: how often it is brought to life, and what it is asked then.

use crate::{
    mistake::Mistake,
    read::{Fields, Reader},
    tree::Kind,
};
use mastmaint_words::backup::{DrillPlan, Every};

pub(crate) const KEYS: &[&str] = &["schedule", "assertions", "reserve"];
const MOST: usize = 100;

pub(super) fn drill(reader: &mut Reader, f: &Fields<'_>) -> Option<DrillPlan> {
    let node = f.get("drill")?;
    let f = reader.fields(node, &f.path_of("drill"), "a map, like {schedule: weekly}", KEYS)?;
    let schedule = reader.word(&f, "schedule", "schedule of drills", &Every::ALL).unwrap_or_default();
    let assertions = assertions(reader, &f);
    let reserve = super::effect::bytes(reader, &f, "reserve").unwrap_or(DrillPlan::RESERVE);
    Some(DrillPlan { schedule, assertions, reserve })
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

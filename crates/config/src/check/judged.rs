//! How a step is judged beside what is known of its command: `tolerate`, `expect`, `fail_on`.

use super::command;
use crate::{
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Action, Judged},
    tree::Kind,
};

const TOLERATE: &[&str] = &["errors"];
/// Patterns of a step, of each kind.
const MOST_PATTERNS: usize = 20;
/// What a compiled pattern may take: bytes.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn judged(reader: &mut Reader, f: &Fields<'_>, action: Option<&Action>) -> Judged {
    let judged = Judged {
        tolerated_errors: tolerate(reader, f),
        expect: patterns(reader, f, "expect"),
        fail_on: patterns(reader, f, "fail_on"),
    };
    let Some(action) = action else { return judged };
    let is_run = matches!(action, Action::Run(_) | Action::Guard(_));
    let is_verify = matches!(action, Action::Verify(_));
    let has_items = !matches!(
        action,
        Action::Systemctl(_)
            | Action::Verify(_)
            | Action::Probe(_)
            | Action::Restore(_)
            | Action::Database(_)
            | Action::RedisFlush
            | Action::Guard(_)
    );
    for (key, has_effect, why) in [
        ("tolerate", has_items, "only tootctl and run steps have items that may fail"),
        ("full", is_verify, "only `verify` steps read more or less"),
        ("expect", is_run, "only `run` and `guard` steps are judged by patterns"),
        ("fail_on", is_run, "only `run` and `guard` steps are judged by patterns"),
    ] {
        if f.get(key).is_some() && !has_effect {
            reader.wrong(f.key_place(key), &f.path_of(key), Mistake::Misplaced { why });
        }
    }
    judged
}

fn tolerate(reader: &mut Reader, f: &Fields<'_>) -> u32 {
    let Some(node) = f.get("tolerate") else { return 0 };
    let Some(f) = reader.fields(node, &f.path_of("tolerate"), "a map, like {errors: 3}", TOLERATE) else {
        return 0;
    };
    let range = "it is a whole number from 0 to 1000000";
    reader.count(&f, "errors", 1_000_000, "a number of errors", range).unwrap_or(0)
}

fn patterns(reader: &mut Reader, f: &Fields<'_>, key: &str) -> Vec<String> {
    let Some(node) = f.get(key) else { return vec![] };
    let path = f.path_of(key);
    let (given, places) = match &node.kind {
        Kind::Text(pattern) => (vec![pattern.clone()], vec![node.place]),
        Kind::Seq(items) => {
            let given = command::list(reader, items, &path).unwrap_or_default();
            (given, items.iter().map(|item| item.place).collect())
        }
        _ => {
            let wanted = "a regular expression or a list of them";
            reader.wrong(node.place, &path, Mistake::WrongType { wanted, found: node.kind_name() });
            return vec![];
        }
    };
    if given.len() > MOST_PATTERNS {
        let mistake = Mistake::TooMany { what: "patterns", count: given.len(), max: MOST_PATTERNS };
        reader.wrong(node.place, &path, mistake);
        return vec![];
    }
    for (pattern, place) in given.iter().zip(places) {
        if let Err(why) = regex::RegexBuilder::new(pattern).size_limit(MOST_BYTES).build() {
            // The last line of the explanation says it; those before it point at the pattern.
            let why = why.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").chars();
            reader.wrong(place, &path, Mistake::BadPattern { why: why.take(200).collect() });
        }
    }
    given
}

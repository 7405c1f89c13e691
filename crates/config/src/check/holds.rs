//! `holds`: periods in which jobs marked `change: true` do not run.

use crate::{
    instant::{Edge, instant},
    mistake::Mistake,
    read::{At, Fields, Reader},
    tree::{Kind, Node},
    zone,
};
use jiff::{Timestamp, tz::TimeZone};
use mastmaint_words::{Hold, HoldScope};

/// The keys of a hold.
pub(crate) const KEYS: &[&str] = &["from", "until", "reason"];
const MOST: usize = 100;
const WANTED: &str = "a list of holds, like - {from: 2026-12-01, until: 2026-12-31, reason: freeze}";

/// Dates without an offset are days of the zone.
pub(super) fn holds(reader: &mut Reader, node: &Node, zone: &str) -> Vec<Hold> {
    let Kind::Seq(items) = &node.kind else {
        let mistake = Mistake::WrongType { wanted: WANTED, found: node.kind_name() };
        reader.wrong(node.place, "holds", mistake);
        return vec![];
    };
    if items.len() > MOST {
        let mistake = Mistake::TooMany { what: "holds", count: items.len(), max: MOST };
        reader.wrong(node.place, "holds", mistake);
    }
    // A zone that is wrong has been reported.
    let zone = zone::named(zone).unwrap_or(TimeZone::UTC);
    let numbered = items.iter().take(MOST).enumerate();
    numbered.filter_map(|(index, item)| hold(reader, item, &format!("holds[{}]", index + 1), &zone)).collect()
}

fn hold(reader: &mut Reader, node: &Node, path: &str, zone: &TimeZone) -> Option<Hold> {
    let f = reader.fields(node, path, "a map with from, until and reason", KEYS)?;
    for (key, help) in [
        ("from", "write when it begins, like from: 2026-12-01"),
        ("until", "write when it ends, like until: 2026-12-31"),
        ("reason", "whoever meets the hold wants to know why it is there"),
    ] {
        if f.get(key).is_none() {
            reader.wrong(f.place, &f.path, Mistake::MissingKey { key, help });
        }
    }
    let from = edge(reader, &f, "from", zone, Edge::Begin);
    let until = edge(reader, &f, "until", zone, Edge::End);
    let reason = reason(reader, &f);
    let (from, until) = (from?, until?);
    if until.value <= from.value {
        reader.wrong(until.place, &f.path_of("until"), Mistake::EmptyHold);
        return None;
    }
    Some(Hold { from: from.value, until: until.value, scope: HoldScope::Change, reason: reason? })
}

/// On one line, however it is folded in the file: it stands in systemd's sentence.
fn reason(reader: &mut Reader, f: &Fields<'_>) -> Option<String> {
    let text = reader.text(f, "reason", "a few words")?;
    let reason = text.value.split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.is_empty() {
        reader.wrong(text.place, &f.path_of("reason"), Mistake::Empty { wanted: "a few words" });
        return None;
    }
    Some(reason)
}

fn edge(
    reader: &mut Reader,
    f: &Fields<'_>,
    key: &str,
    zone: &TimeZone,
    edge: Edge,
) -> Option<At<Timestamp>> {
    let text = reader.text(f, key, "a date, like 2026-12-31")?;
    match instant(&text.value, zone, edge) {
        Ok(value) => Some(At { value, place: text.place }),
        Err(error) => {
            reader.wrong(text.place, &f.path_of(key), Mistake::BadInstant { why: error.to_string() });
            None
        }
    }
}

//! What a step says about its effect: how it is proved, and how much it may remove.

use crate::{
    effect,
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Action, Again, AtMost, Prove},
    tree::{Kind, Node},
};
use mastmaint_words::{Bytes, Percent};

/// The keys of `prove`.
pub(crate) const PROVE: &[&str] = &["again", "sample"];
/// The keys of `prove.again`.
pub(crate) const AGAIN: &[&str] = &["tolerance"];
/// The keys of `at_most`.
pub(crate) const AT_MOST: &[&str] = &["items", "bytes", "share", "times_usual"];

/// New items come up to the age limit while the command runs: a few are no sign of anything.
const TOLERANCE: u32 = 10;
/// Rows of a sample where nothing is written.
const ROWS: u16 = 20;
const MOST_ROWS: u32 = 500;
const MOST_ITEMS: u32 = 1_000_000_000;
const MOST_TIMES: u32 = 1_000;

/// What `media remove-orphans` may remove where nothing is written.
const ORPHANS: AtMost =
    AtMost { items: Some(1000), bytes: None, share: Some(Percent::TEN), times_usual: None };

/// How the effect of the step is looked at.
pub(super) fn prove(reader: &mut Reader, f: &Fields<'_>, action: Option<&Action>) -> Prove {
    let Some(node) = f.get("prove") else { return Prove::default() };
    let path = f.path_of("prove");
    let prove = read_prove(reader, node, &path);
    let Some(args) = tootctl(reader, f, "prove", action) else { return Prove::default() };
    let mut cannot = |what: &'static str, help: &'static str| {
        reader.wrong(node.place, &path, Mistake::NoProof { what, help });
    };
    if prove.sample.is_some() && !effect::can_be_sampled(args) {
        cannot(
            "a sample",
            "it can be taken for media remove and preview_cards remove, whose rows are known beforehand",
        );
    }
    if prove.again.is_some() && !effect::can_look_first(args) {
        cannot("again", "it is for commands that remove something and whose dry run counts that");
    }
    prove
}

fn read_prove(reader: &mut Reader, node: &Node, path: &str) -> Prove {
    let again = Some(Again { tolerance: TOLERANCE });
    let sample = Some(ROWS);
    if let Kind::Text(word) = &node.kind {
        return match word.as_str() {
            "again" => Prove { again, sample: None },
            "sample" => Prove { again: None, sample },
            _ => {
                let help = crate::mistake::help(word, PROVE);
                let given = word.chars().take(64).collect();
                reader.wrong(node.place, path, Mistake::UnknownWord { what: "proof", given, help });
                Prove::default()
            }
        };
    }
    let wanted = "again, sample, or a map like {sample: 20}";
    let Some(f) = reader.fields(node, path, wanted, PROVE) else { return Prove::default() };
    let mut prove = Prove::default();
    if let Some(node) = f.get("again") {
        let of = reader.fields(node, &f.path_of("again"), "a map like {tolerance: 10}", AGAIN);
        let given = of.and_then(|of| {
            let range = "it is a whole number of items";
            reader.count(&of, "tolerance", MOST_ITEMS, "a tolerance", range)
        });
        prove.again = Some(Again { tolerance: given.unwrap_or(TOLERANCE) });
    }
    if f.get("sample").is_some() {
        let range = "it is a whole number of rows from 1 to 500";
        let rows = reader.count(&f, "sample", MOST_ROWS, "a sample", range).unwrap_or(u32::from(ROWS));
        prove.sample = Some(u16::try_from(rows.max(1)).unwrap_or(ROWS));
    }
    if prove == Prove::default() {
        reader.wrong(node.place, path, Mistake::Empty { wanted });
    }
    prove
}

/// How much the step may remove without a person's approval.
pub(super) fn at_most(reader: &mut Reader, f: &Fields<'_>, action: Option<&Action>) -> Option<AtMost> {
    let usual = action.and_then(|action| match action {
        Action::Tootctl(args) if effect::trusts_the_database(args) && effect::can_look_first(args) => {
            Some(ORPHANS)
        }
        _ => None,
    });
    let Some(node) = f.get("at_most") else { return usual };
    let path = f.path_of("at_most");
    let wanted = "a map, like {items: 2000, bytes: 5 GB}";
    let read = reader.fields(node, &path, wanted, AT_MOST).map(|f| {
        if AT_MOST.iter().all(|key| f.get(key).is_none()) {
            reader.wrong(node.place, &path, Mistake::Empty { wanted });
        }
        read_at_most(reader, &f)
    });
    let args = tootctl(reader, f, "at_most", action)?;
    if !effect::can_look_first(args) {
        let help = "it is for commands that remove something and whose dry run counts that";
        reader.wrong(node.place, &path, Mistake::NoProof { what: "a look first", help });
    }
    read
}

fn read_at_most(reader: &mut Reader, f: &Fields<'_>) -> AtMost {
    let items = reader.count(f, "items", MOST_ITEMS, "a number of items", "it is a whole number of items");
    let range = "it is a whole number from 1 to 1000";
    AtMost {
        items: items.map(u64::from),
        bytes: bytes(reader, f, "bytes"),
        share: share(reader, f),
        times_usual: reader
            .count(f, "times_usual", MOST_TIMES, "a multiple", range)
            .map(|times| times.max(1)),
    }
}

/// A size with a unit.
pub(super) fn bytes(reader: &mut Reader, f: &Fields<'_>, key: &str) -> Option<Bytes> {
    let node = f.get(key)?;
    let mistake = match &node.kind {
        Kind::Text(text) => match text.parse() {
            Ok(bytes) => return Some(bytes),
            Err(error) => Mistake::BadSize { why: format!("{error}") },
        },
        Kind::Number(number) => Mistake::BadSize {
            why: format!("{number} has no unit; write it like \"{number} MB\" or \"{number} GB\""),
        },
        Kind::Null => Mistake::Empty { wanted: "a size like \"5 GB\"" },
        _ => Mistake::WrongType { wanted: "a size like \"5 GB\"", found: node.kind_name() },
    };
    reader.wrong(node.place, &f.path_of(key), mistake);
    None
}

/// `10%`.
fn share(reader: &mut Reader, f: &Fields<'_>) -> Option<Percent> {
    let text = reader.text(f, "share", "a share, like \"10%\"")?;
    match text.value.parse() {
        Ok(share) => Some(share),
        Err(error) => {
            let why = format!("{error}");
            reader.wrong(text.place, &f.path_of("share"), Mistake::BadSize { why });
            None
        }
    }
}

/// The arguments of a tootctl step; the key has no meaning for another.
fn tootctl<'a>(
    reader: &mut Reader,
    f: &Fields<'_>,
    key: &'static str,
    action: Option<&'a Action>,
) -> Option<&'a [String]> {
    if let Action::Tootctl(args) = action? {
        return Some(args);
    }
    let help = "only the effect of a tootctl step can be looked at";
    reader.wrong(f.key_place(key), &f.path_of(key), Mistake::NoProof { what: key, help });
    None
}

//! What a step says about its effect: how it is proved.

use crate::{
    effect,
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Action, Again, Prove},
    tree::{Kind, Node},
};

/// The keys of `prove`.
pub(crate) const PROVE: &[&str] = &["again", "sample"];
/// The keys of `prove.again`.
pub(crate) const AGAIN: &[&str] = &["tolerance"];

/// New items come up to the age limit while the command runs: a few are no sign of anything.
const TOLERANCE: u32 = 10;
/// Rows of a sample where nothing is written.
const ROWS: u16 = 20;
const MOST_ROWS: u32 = 500;
const MOST_ITEMS: u32 = 1_000_000_000;

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

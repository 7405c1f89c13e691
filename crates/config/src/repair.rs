//! Values that YAML reads as something else (`*/5`, `@daily`, `&name`, `!name`) are reported and mended in a copy of
//! the text, and the copy is read, so that the mistakes after them are found in the same go. Places are those of the
//! text as written.

mod scan;

use crate::{
    diagnostic::{Files, Place},
    mistake::Mistake,
    tree::{self, Kind, Node},
};
use scan::Begin;

/// More than these and the file is not read any further: each of them reads it once more.
const MOST: usize = 32;

/// What was put into a line of the copy.
struct Edit {
    line: usize,
    column: usize,
    added: usize,
}

/// Parses a file and mends what can be mended. `None` if it has no value or is past mending.
pub(crate) fn parse(
    file: usize,
    text: &str,
    files: &mut Files,
    broken: &mut Vec<(Place, Mistake)>,
) -> Option<Node> {
    let mut text = text.to_owned();
    let mut edits: Vec<Edit> = Vec::new();
    let mut masks = Vec::new();
    let mut answer = None;
    for _ in 0..=MOST {
        let (place, mistake) = match tree::parse(file, &text) {
            Ok(node) => {
                answer = node;
                break;
            }
            Err(found) => found,
        };
        let Some(mended) = mend(&text, place, &mistake) else {
            broken.push((as_written(place, &edits), mistake));
            break;
        };
        let written = as_written(mended.place, &edits);
        broken.push((written, mended.mistake));
        if let Some(width) = mended.blanked {
            masks.push((written, (written.line, written.column + width)));
        }
        text = mended.text;
        edits.extend(mended.edit);
    }
    if let Some(node) = &mut answer {
        restore(node, &edits);
        mask_blanked(files, node, &masks);
    }
    answer
}

struct Mended {
    place: Place,
    mistake: Mistake,
    text: String,
    edit: Option<Edit>,
    /// How many characters were blanked at the place.
    blanked: Option<usize>,
}

fn mend(text: &str, place: Place, mistake: &Mistake) -> Option<Mended> {
    match mistake {
        Mistake::Anchor => blank(text, place, '&', Mistake::Anchor),
        Mistake::Tag => blank(text, place, '!', Mistake::Tag),
        Mistake::Syntax { .. } | Mistake::Alias => quote(text, place),
        _ => None,
    }
}

/// Quotes the first value of the line, or of the one above, that begins with a character YAML keeps for itself.
fn quote(text: &str, place: Place) -> Option<Mended> {
    let begins = scan::reserved(text, place.line);
    let on = |number: usize| begins.iter().find(|begin| begin.line == number);
    let Begin { line: number, byte, end } = *on(place.line).or_else(|| on(place.line.checked_sub(1)?))?;
    let mut lines: Vec<&str> = text.lines().collect();
    let slot = lines.get_mut(number - 1)?;
    let (head, value, tail) = (slot.get(..byte)?, slot.get(byte..end)?, slot.get(end..)?);
    let c = value.chars().next()?;
    let quoted = format!("'{}'", value.replace('\'', "''"));
    let column = head.chars().count() + 1;
    let added = quoted.chars().count() - value.chars().count();
    let mended = format!("{head}{quoted}{tail}");
    *slot = &mended;
    Some(Mended {
        place: Place::new(place.file, number, column),
        mistake: if c == '*' { Mistake::Alias } else { Mistake::Reserved { c } },
        text: lines.join("\n"),
        edit: Some(Edit { line: number, column: column + value.chars().count(), added }),
        blanked: None,
    })
}

/// Puts blanks in the place of `&name` or `!name`; the parser may point at the value behind it.
fn blank(text: &str, place: Place, sign: char, mistake: Mistake) -> Option<Mended> {
    let mut lines: Vec<&str> = text.lines().collect();
    let slot = lines.get_mut(place.line - 1)?;
    let chars: Vec<char> = slot.chars().collect();
    let begin = (0..place.column.min(chars.len())).rev().find(|index| {
        chars[*index] == sign && (*index == 0 || matches!(chars[*index - 1], ' ' | '\t' | '[' | '{' | ','))
    })?;
    let width =
        chars[begin..].iter().take_while(|c| !matches!(c, ' ' | '\t' | ',' | ']' | '}' | '[' | '{')).count();
    let mended: String =
        (0..).zip(&chars).map(|(i, c)| if (begin..begin + width).contains(&i) { ' ' } else { *c }).collect();
    *slot = &mended;
    Some(Mended {
        place: Place::new(place.file, place.line, begin + 1),
        mistake,
        text: lines.join("\n"),
        edit: None,
        blanked: Some(width),
    })
}

/// A place of the copy in the text as written.
fn as_written(place: Place, edits: &[Edit]) -> Place {
    let (line, column) = column_as_written((place.line, place.column), edits);
    Place::new(place.file, line, column)
}

fn column_as_written((line, mut column): (usize, usize), edits: &[Edit]) -> (usize, usize) {
    for edit in edits.iter().rev().filter(|edit| edit.line == line) {
        if column > edit.column {
            column = column.saturating_sub(edit.added).max(edit.column);
        }
    }
    (line, column)
}

fn restore(node: &mut Node, edits: &[Edit]) {
    if edits.is_empty() {
        return;
    }
    node.place = as_written(node.place, edits);
    node.end = column_as_written(node.end, edits);
    match &mut node.kind {
        Kind::Seq(items) => items.iter_mut().for_each(|item| restore(item, edits)),
        Kind::Map(pairs) => {
            for (key, value) in pairs {
                restore(key, edits);
                restore(value, edits);
            }
        }
        _ => {}
    }
}

/// What was blanked may have been the begin of a secret: it is not shown where an environment is.
fn mask_blanked(files: &mut Files, node: &Node, masks: &[(Place, (usize, usize))]) {
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|item| mask_blanked(files, item, masks)),
        Kind::Map(pairs) => {
            for (key, value) in pairs {
                if matches!(&key.kind, Kind::Text(name) if name == "environment") {
                    let from = (key.place.line, key.place.column);
                    let within = |(place, _): &&(Place, _)| {
                        from <= (place.line, place.column) && (place.line, place.column) <= reach(value)
                    };
                    masks.iter().filter(within).for_each(|(place, end)| files.mask(*place, *end));
                } else {
                    mask_blanked(files, value, masks);
                }
            }
        }
        _ => {}
    }
}

/// Where the last of what is in a value ends; a map or list itself only knows where it begins.
fn reach(node: &Node) -> (usize, usize) {
    let inner = match &node.kind {
        Kind::Seq(items) => items.iter().map(reach).max(),
        Kind::Map(pairs) => pairs.iter().map(|(key, value)| reach(key).max(reach(value))).max(),
        _ => None,
    };
    inner.unwrap_or_default().max(node.end)
}

//! Lines of an output that the grammar knows, whichever command wrote them. Every line of every step is asked here, so
//! shapes are kept by their first byte: nearly every line ends at an empty list.

use crate::{Command, statement};
use std::sync::LazyLock;

/// Shapes by their first byte.
struct Shapes(Vec<Vec<&'static str>>);

impl Shapes {
    fn new(shapes: impl Iterator<Item = &'static &'static str>) -> Self {
        let mut by_first = vec![Vec::new(); 256];
        for shape in shapes {
            let of_byte = shape.bytes().next().and_then(|byte| by_first.get_mut(usize::from(byte)));
            if let Some(of_byte) = of_byte.filter(|known| !known.contains(shape)) {
                of_byte.push(*shape);
            }
        }
        Self(by_first)
    }

    fn fit(&self, text: &str) -> Option<&'static str> {
        let shapes = text.bytes().next().and_then(|byte| self.0.get(usize::from(byte)))?;
        if shapes.is_empty() {
            return None;
        }
        let (text, _) = statement::without_mode(text);
        shapes.iter().find(|shape| statement::read(shape, text).is_some()).copied()
    }
}

static STATEMENTS: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::new(Command::all().flat_map(|c| c.statements).flat_map(|s| s.shapes)));

/// Whether a line states the success of any command.
pub fn is_statement(text: &str) -> bool {
    STATEMENTS.fit(text).is_some()
}

/// Whether a statement may be the beginning of a longer one: `removed 1` of `removed 15`. tootctl ends each with a
/// newline, so one without it was cut.
pub fn may_go_on(text: &str) -> bool {
    let (_, is_dry) = statement::without_mode(text);
    !is_dry && STATEMENTS.fit(text).is_some_and(|shape| shape.ends_with('}'))
}

/// Whether a line says that something now is in the database that is taken away later.
pub fn is_milestone(text: &str) -> bool {
    static SHAPES: LazyLock<Shapes> =
        LazyLock::new(|| Shapes::new(Command::all().flat_map(|c| c.debris).flat_map(|d| d.begins)));
    SHAPES.fit(text).is_some()
}

/// Whether a line only names something, in words that are anybody's: names of files and addresses of accounts.
pub fn is_notice(text: &str) -> bool {
    ["Found and removed orphan: ", "Unrecognized file found: ", "Duplicates found for "]
        .iter()
        .any(|begin| text.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_from_other_lines() {
        assert!(is_statement("Removed 5 orphans (approx. 97.7 KB) (DRY RUN)"));
        assert!(is_statement("Regenerated feeds for 0 accounts"));
        assert!(!is_statement("Removing temporary database indices to restore write performance..."));
        assert!(!is_statement(""));
        assert!(may_go_on("Visited 15 accounts, removed 1"));
        assert!(!may_go_on("Visited 15 accounts, removed 1 (DRY RUN)"));
        assert!(!may_go_on("Removed 5 orphans (approx. 97.7 KB)"));
        assert!(is_milestone("Extract the deletion target from statuses... This might take a while..."));
        assert!(!is_milestone("Creating temporary database indices..."));
    }
}

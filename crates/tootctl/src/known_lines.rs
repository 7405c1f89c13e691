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

    fn fit(&self, text: &str) -> bool {
        let Some(shapes) = text.bytes().next().and_then(|byte| self.0.get(usize::from(byte))) else {
            return false;
        };
        !shapes.is_empty() && {
            let (text, _) = statement::without_mode(text);
            shapes.iter().any(|shape| statement::read(shape, text).is_some())
        }
    }
}

/// Whether a line states the success of any command.
pub fn is_statement(text: &str) -> bool {
    static SHAPES: LazyLock<Shapes> =
        LazyLock::new(|| Shapes::new(Command::all().flat_map(|c| c.statements).flat_map(|s| s.shapes)));
    SHAPES.fit(text)
}

/// Whether a line says that something now is in the database that is taken away later.
pub fn is_milestone(text: &str) -> bool {
    static SHAPES: LazyLock<Shapes> =
        LazyLock::new(|| Shapes::new(Command::all().flat_map(|c| c.debris).flat_map(|d| d.begins)));
    SHAPES.fit(text)
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
        assert!(is_milestone("Extract the deletion target from statuses... This might take a while..."));
        assert!(!is_milestone("Creating temporary database indices..."));
    }
}

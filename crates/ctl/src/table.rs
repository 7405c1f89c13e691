//! Borderless columns, like `systemctl list-timers`. Only the last column is cut to the width of a terminal, and
//! nothing is cut in a pipe.

/// A colour with a meaning; a stream that shows no colours drops them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// Went well.
    Good,
    /// Somebody should look.
    Odd,
    /// Went wrong.
    Bad,
}

impl Tone {
    /// The text in this colour.
    pub fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Good => "32",
            Self::Odd => "33",
            Self::Bad => "1;31",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A field in a colour.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }
}

/// The rows below their titles, each column as wide as its widest field.
pub fn columns<const N: usize>(titles: [&str; N], rows: &[[Cell; N]], width: Option<usize>) -> String {
    let mut widest = titles.map(|t| t.chars().count());
    for row in rows {
        for (wide, cell) in widest.iter_mut().zip(row) {
            *wide = (*wide).max(cell.text.chars().count());
        }
    }
    let mut text = line(&titles.map(Cell::from), &widest, width);
    for row in rows {
        text.push_str(&line(row, &widest, width));
    }
    text
}

fn line(row: &[Cell], widest: &[usize], width: Option<usize>) -> String {
    let mut text = String::new();
    let mut used = 0;
    for (place, (cell, wide)) in row.iter().zip(widest).enumerate() {
        let is_last = place + 1 == row.len();
        let shown = match width {
            Some(width) if is_last => cut(&cell.text, width.saturating_sub(used).max(8)),
            _ => cell.text.clone(),
        };
        let padding = if is_last { 0 } else { wide - shown.chars().count() + 2 };
        text.push_str(&cell.tone.paint(&shown));
        text.push_str(&" ".repeat(padding));
        used += wide + 2;
    }
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
    text
}

/// At most `width` characters, the last an ellipsis where something was cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_line_up_and_only_the_last_is_cut() {
        let rows = [
            [Cell::from("a"), Cell::toned("ok", Tone::Good), Cell::from("Remove cached copies")],
            [Cell::from("long-name"), Cell::from("failed"), Cell::from("x")],
        ];
        let whole = columns(["JOB", "OUTCOME", "ABOUT"], &rows, None);
        assert_eq!(
            whole,
            "JOB        OUTCOME  ABOUT\n\
             a          \u{1b}[32mok\u{1b}[0m       Remove cached copies\n\
             long-name  failed   x\n"
        );
        let narrow = columns(["JOB", "OUTCOME", "ABOUT"], &rows, Some(30));
        assert!(narrow.contains("Remove ca…\n"), "{narrow}");
    }

    proptest! {
        #[test]
        fn a_terminal_line_never_wraps_once_the_columns_fit(text in "\\PC{0,80}", width in 20_usize..120) {
            let table = columns(["JOB", "ABOUT"], &[[Cell::from("job"), Cell::from(text)]], Some(width));
            prop_assert!(table.lines().all(|l| l.chars().count() <= width));
        }
    }
}

//! Rows of `COPY … FROM stdin`: columns by name, escapes undone.

use std::borrow::Cow;

/// The columns of a table, from its `COPY` line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<String>,
}

impl Table {
    /// Reads `COPY public.users (id, email) FROM stdin;`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("COPY ")?.strip_suffix("FROM stdin;")?;
        let (name, columns) = rest.split_once(" (")?;
        let name = name.strip_prefix("public.").unwrap_or(name).trim_matches('"').to_owned();
        let columns = columns.trim_end().strip_suffix(')')?;
        let columns = columns.split(", ").map(|c| c.trim_matches('"').to_owned()).collect();
        Some(Self { name, columns })
    }

    /// The value of a column in a row; `None` for NULL and for a column that is not there.
    pub(super) fn get<'a>(&self, row: &'a str, column: &str) -> Option<Cow<'a, str>> {
        let at = self.columns.iter().position(|c| c == column)?;
        let field = row.split('\t').nth(at)?;
        (field != "\\N").then(|| unescaped(field))
    }

    /// The same as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, row: &str, column: &str) -> Option<T> {
        self.get(row, column)?.parse().ok()
    }
}

fn unescaped(field: &str) -> Cow<'_, str> {
    if !field.contains('\\') {
        return Cow::Borrowed(field);
    }
    let mut text = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('v') => text.push('\u{b}'),
            Some(other) => text.push(other),
            None => text.push('\\'),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let table = Table::parse("COPY public.users (id, \"group\", email) FROM stdin;").unwrap();
        assert_eq!(table.name, "users");
        let row = "17\t\\N\ta\\tb\\\\c\\n";
        assert_eq!(table.number::<u64>(row, "id"), Some(17));
        assert_eq!(table.get(row, "group"), None);
        assert_eq!(table.get(row, "email").unwrap(), "a\tb\\c\n");
        assert_eq!(table.get(row, "none"), None);
        assert_eq!(Table::parse("COPY public.users (id) TO stdout;"), None);
    }
}

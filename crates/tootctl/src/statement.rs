//! The lines in which a command states its success: literal text with places in it.

/// A line that says that the command got to its end.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// It has one of these shapes: text with `{visited}`, `{done}`, `{removed}`, `{failed}`, `{bytes}` or `{any}` in it.
    pub shapes: &'static [&'static str],
    /// It is expected only with one of these options; always, if there are none.
    pub only_with: &'static [&'static str],
    /// It is not expected with one of these.
    pub unless: &'static [&'static str],
}

impl Statement {
    pub(crate) const fn line(shapes: &'static [&'static str]) -> Self {
        Self { shapes, only_with: &[], unless: &[] }
    }

    pub(crate) const fn only_with(self, options: &'static [&'static str]) -> Self {
        Self { only_with: options, ..self }
    }

    pub(crate) const fn unless(self, options: &'static [&'static str]) -> Self {
        Self { unless: options, ..self }
    }

    /// What a line says if it is this statement, and whether it says that it only tried.
    pub fn read(&self, text: &str) -> Option<(Found, bool)> {
        let (text, is_dry) = without_mode(text);
        self.shapes.iter().find_map(|shape| read(shape, text)).map(|found| (found, is_dry))
    }
}

/// A line without the mark of a dry run, and whether it had one.
pub(crate) fn without_mode(text: &str) -> (&str, bool) {
    let text = text.trim_end();
    match text.strip_suffix("(DRY RUN)") {
        Some(said) => (said.trim_end(), true),
        None => (text, false),
    }
}

/// What a line says in its places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Items looked at.
    pub visited: Option<u64>,
    /// Items that were done, without those that failed.
    pub done: Option<u64>,
    /// Items removed.
    pub removed: Option<u64>,
    /// Items that failed.
    pub failed: Option<u64>,
    /// A size.
    pub bytes: Option<u64>,
}

/// What `text` says if it has the shape of `template`.
pub fn read(template: &str, text: &str) -> Option<Found> {
    let mut found = Found::default();
    let (mut shape, mut rest) = (template, text);
    while let Some((literal, after)) = shape.split_once('{') {
        let (place, after) = after.split_once('}')?;
        rest = rest.strip_prefix(literal)?;
        let next = after.split('{').next().unwrap_or("");
        let end = if next.is_empty() { rest.len() } else { rest.find(next)? };
        let value = &rest[..end];
        match place {
            "visited" => found.visited = Some(value.parse().ok()?),
            "done" => found.done = Some(value.parse().ok()?),
            "removed" => found.removed = Some(value.parse().ok()?),
            "failed" => found.failed = Some(value.parse().ok()?),
            "bytes" => found.bytes = size(value),
            _ => {}
        }
        (shape, rest) = (after, &rest[end..]);
    }
    (shape == rest).then_some(found)
}

/// `1.11 MB`, `1,11 Mo`, `0 Bytes`, `75.6KB`, `1,11 МБ` in bytes. Base 1024; a unit that nobody knows tells nothing,
/// unless it is zero of them.
fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')).count();
    let number: f64 = text[..digits].replace(',', ".").parse().ok()?;
    if number == 0.0 {
        return Some(0);
    }
    let unit = text[digits..].trim_start().to_uppercase();
    let power = match unit.as_str() {
        "BYTE" | "BYTES" | "B" | "OCTET" | "OCTETS" | "O" | "БАЙТ" | "БАЙТА" | "БАЙТІВ" | "Б" | "バイト"
        | "바이트" | "字节" => 0,
        "KB" | "KO" | "KIB" | "КБ" => 1,
        "MB" | "MO" | "MIB" | "МБ" => 2,
        "GB" | "GO" | "GIB" | "ГБ" => 3,
        "TB" | "TO" | "TIB" | "ТБ" => 4,
        "PB" | "PO" | "PIB" | "ПБ" => 5,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative; a float too large becomes the largest integer"
    )]
    Some((number * 1024_f64.powi(power)).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_places() {
        let template = "Removed {visited} media attachments (approx. {bytes})";
        let found = read(template, "Removed 15 media attachments (approx. 1.11 MB)").unwrap();
        assert_eq!(found, Found { visited: Some(15), bytes: Some(1_163_919), ..Found::default() });
        assert_eq!(read(template, "Removed 15 media attachments (approx. 1.11 MB) or so"), None);
        assert_eq!(read(template, "Removed many media attachments (approx. 1.11 MB)"), None);
        assert_eq!(read("OK", "OK"), Some(Found::default()));
        assert_eq!(read("OK", "OK?"), None);
    }

    #[test]
    fn a_dry_run_is_told_apart() {
        let statement = Statement::line(&["OK, pruned {removed} accounts", "OK"]);
        let found = Found { removed: Some(3), ..Found::default() };
        assert_eq!(statement.read("OK, pruned 3 accounts (DRY RUN)"), Some((found, true)));
        assert_eq!(statement.read("OK, pruned 3 accounts "), Some((found, false)));
        assert_eq!(statement.read("OK (DRY RUN)"), Some((Found::default(), true)));
    }

    #[test]
    fn reads_sizes_of_any_locale() {
        for (text, bytes) in [
            ("0 Bytes", Some(0)),
            ("1 Byte", Some(1)),
            ("831 KB", Some(850_944)),
            ("1,11 MB", Some(1_163_919)),
            ("1,11 Mo", Some(1_163_919)),
            ("1,11\u{a0}МБ", Some(1_163_919)),
            ("22 GB", Some(23_622_320_128)),
            ("1.5 TB", Some(1_649_267_441_664)),
            ("1.18MB", Some(1_237_320)),
            ("0バイト", Some(0)),
            ("3バイト", Some(3)),
            ("3 whatever", None),
            ("", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(template in "[a-z {}]*", text in "\\PC*") {
            let _ = read(&template, &text);
            let _ = size(&text);
        }
    }
}

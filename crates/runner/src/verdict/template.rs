//! Shapes of lines: literal text with `{visited}`, `{removed}`, `{bytes}` or `{any}` in it.

/// What a line says in its places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Items looked at.
    pub visited: Option<u64>,
    /// Items removed.
    pub removed: Option<u64>,
    /// A size.
    pub bytes: Option<u64>,
}

/// What `text` says if it has the shape of `template`.
pub(super) fn read(template: &str, text: &str) -> Option<Found> {
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
            "removed" => found.removed = Some(value.parse().ok()?),
            "bytes" => found.bytes = size(value),
            _ => {}
        }
        (shape, rest) = (after, &rest[end..]);
    }
    (shape == rest).then_some(found)
}

/// `1.11 MB`, `1,11 Mo`, `0 Bytes`, `75.6KB` in bytes. Base 1024; a unit that nobody knows tells nothing, unless it is
/// zero of them.
fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')).count();
    let number: f64 = text[..digits].replace(',', ".").parse().ok()?;
    if number == 0.0 {
        return Some(0);
    }
    let unit = text[digits..].trim_start().to_ascii_uppercase();
    let power = match unit.as_str() {
        "BYTE" | "BYTES" | "B" | "OCTET" | "OCTETS" | "O" => 0,
        "KB" | "KO" => 1,
        "MB" | "MO" => 2,
        "GB" | "GO" => 3,
        "TB" | "TO" => 4,
        "PB" | "PO" => 5,
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
        assert_eq!(found, Found { visited: Some(15), removed: None, bytes: Some(1_163_919) });
        assert_eq!(read(template, "Removed 15 media attachments (approx. 1.11 MB) or so"), None);
        assert_eq!(read(template, "Removed many media attachments (approx. 1.11 MB)"), None);
        assert_eq!(read("OK", "OK"), Some(Found::default()));
        assert_eq!(read("OK", "OK?"), None);
    }

    #[test]
    fn reads_sizes_of_any_locale() {
        for (text, bytes) in [
            ("0 Bytes", Some(0)),
            ("1 Byte", Some(1)),
            ("831 KB", Some(850_944)),
            ("1,11 MB", Some(1_163_919)),
            ("1,11 Mo", Some(1_163_919)),
            ("22 GB", Some(23_622_320_128)),
            ("1.5 TB", Some(1_649_267_441_664)),
            ("1.18MB", Some(1_237_320)),
            ("0バイト", Some(0)),
            ("3バイト", None),
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

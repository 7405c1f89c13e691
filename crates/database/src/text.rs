//! Names and texts as SQL and people read them.

pub(crate) use mastmaint_verify::revive::quoted as literal;

/// A name in SQL, whatever is in it.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The line with which a superuser has something done.
pub(crate) fn by_superuser(sql: &str) -> String {
    format!("sudo -u postgres psql -c '{}'", sql.replace('\'', "'\\''"))
}

/// `1 table`, `2 tables`, `12,000 tables`.
pub(crate) fn plural(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {what}{s}", mastmaint_verify::prove::grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_quotes() {
        assert_eq!(identifier("a\"; DROP DATABASE b; --"), "\"a\"\"; DROP DATABASE b; --\"");
        assert_eq!(literal("o'neil"), "'o''neil'");
        assert_eq!(by_superuser("a 'b'"), "sudo -u postgres psql -c 'a '\\''b'\\'''");
        assert_eq!((plural(1, "user"), plural(1200, "user")), ("1 user".into(), "1,200 users".into()));
    }
}

//! Whether the text of a dump reaches beyond the database into which it goes: `pg_dump -C` drops the one that was dumped,
//! by its name, before anything else. Read as psql reads it: what stands in quotes, comments and rows is none.

use super::Content;
use crate::{
    finding::{Code, Finding},
    stream,
};
use std::io::{self, Read as _};

/// A text that goes by, from its beginning.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    within: Within,
    previous: u8,
    /// The word that is being read.
    word: Vec<u8>,
    /// The first words of the statement.
    first: Vec<String>,
    last: String,
    /// Rows follow where the statement ends.
    has_rows: bool,
    /// It has ended: they follow where the line does.
    are_next: bool,
}

#[derive(Debug, Default)]
enum Within {
    #[default]
    Sql,
    /// To the end of the line.
    Remark,
    /// So deep.
    Comment(u32),
    /// A text or a name, with its sign, and whether a backslash hides the next one.
    Quoted(u8, bool),
    /// After the first `$` of what may begin a text.
    Tag(Vec<u8>),
    /// A text that ends with its tag; what was read of that.
    Dollar(Vec<u8>, Option<Vec<u8>>),
    /// A command of psql, and whether its name is over.
    Command { name: Vec<u8>, is_named: bool },
    /// Rows; the beginning of a line that may end them.
    Rows(Vec<u8>),
}

/// What follows the first word of a statement about what all databases of a server share.
const SHARED: [&str; 6] = ["DATABASE", "ROLE", "USER", "GROUP", "TABLESPACE", "SYSTEM"];
/// How rows end.
const END_OF_ROWS: &[u8] = b"\\.";

impl Watch {
    /// What comes next; the statement that reaches beyond, before the byte that ends it.
    pub(crate) fn see(&mut self, bytes: &[u8]) -> Option<String> {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            // Most of a dump.
            if let Within::Rows(line) = &self.within
                && line.len() > END_OF_ROWS.len() + 1
            {
                let end = rest.iter().position(|b| *b == b'\n')?;
                rest = &rest[end + 1..];
                self.within = Within::Rows(Vec::new());
                continue;
            }
            rest = after;
            let before = std::mem::replace(&mut self.previous, byte);
            if let Some(beyond) = self.step(before, byte) {
                return Some(beyond);
            }
        }
        None
    }

    fn step(&mut self, before: u8, byte: u8) -> Option<String> {
        match &mut self.within {
            Within::Sql => return self.sql(before, byte),
            Within::Remark if byte == b'\n' => {
                self.within = Within::Sql;
                return self.sql(before, byte);
            }
            Within::Remark => {}
            Within::Comment(depth) => {
                match (before, byte) {
                    (b'/', b'*') => *depth += 1,
                    (b'*', b'/') => *depth -= 1,
                    _ => return None,
                }
                if *depth == 0 {
                    self.within = Within::Sql;
                }
                self.previous = 0;
            }
            Within::Quoted(sign, escapes) => {
                if *escapes && before == b'\\' {
                    // Hidden; a backslash that is hides nothing.
                    self.previous = 0;
                } else if byte == *sign {
                    self.within = Within::Sql;
                }
            }
            Within::Tag(tag) => match byte {
                b'$' => self.within = Within::Dollar(std::mem::take(tag), None),
                _ if is_of_word(byte) && !(tag.is_empty() && byte.is_ascii_digit()) => tag.push(byte),
                _ => {
                    self.within = Within::Sql;
                    return self.sql(before, byte);
                }
            },
            Within::Dollar(tag, seen) => match (byte, &mut *seen) {
                (b'$', Some(seen)) if seen == tag => self.within = Within::Sql,
                (b'$', _) => *seen = Some(Vec::new()),
                (_, Some(read)) if read.len() < tag.len() => read.push(byte),
                _ => *seen = None,
            },
            Within::Command { name, is_named } => match byte {
                b'\n' => self.within = Within::Sql,
                // What follows in the line is SQL again.
                b'\\' if before == b'\\' => self.within = Within::Sql,
                b' ' | b'\t' | b'\\' if !*is_named => {
                    *is_named = true;
                    return matches!(name.as_slice(), b"c" | b"connect").then(|| "\\connect".to_owned());
                }
                _ if !*is_named => name.push(byte),
                _ => {}
            },
            Within::Rows(line) => {
                if byte == b'\n' {
                    let is_end = line.strip_suffix(b"\r").unwrap_or(line) == END_OF_ROWS;
                    self.within = if is_end { Within::Sql } else { Within::Rows(Vec::new()) };
                } else {
                    line.push(byte);
                }
            }
        }
        None
    }

    fn sql(&mut self, before: u8, byte: u8) -> Option<String> {
        if is_of_word(byte) || byte == b'$' && !self.word.is_empty() {
            self.word.push(byte);
            return None;
        }
        let is_escaped = matches!(self.word.as_slice(), [b'E' | b'e']);
        let beyond = self.end_word();
        match (before, byte) {
            (b'-', b'-') => self.within = Within::Remark,
            (b'/', b'*') => {
                self.within = Within::Comment(1);
                self.previous = 0;
            }
            (_, b'\'') => self.within = Within::Quoted(byte, is_escaped),
            (_, b'"') => {
                self.within = Within::Quoted(byte, false);
                "\"".clone_into(&mut self.last);
            }
            (_, b'$') => self.within = Within::Tag(Vec::new()),
            (_, b'\\') => self.within = Within::Command { name: Vec::new(), is_named: false },
            (_, b';') => {
                self.first.clear();
                self.last.clear();
                self.are_next |= std::mem::take(&mut self.has_rows);
            }
            (_, b'\n') if std::mem::take(&mut self.are_next) => self.within = Within::Rows(Vec::new()),
            _ => {}
        }
        beyond
    }

    fn end_word(&mut self) -> Option<String> {
        if self.word.is_empty() {
            return None;
        }
        let word = String::from_utf8_lossy(&std::mem::take(&mut self.word)).to_ascii_uppercase();
        let begin = self.first.first().map(String::as_str).unwrap_or_default();
        let is_shared = SHARED.contains(&word.as_str());
        let beyond = match begin {
            "CREATE" | "ALTER" | "DROP" if self.first.len() == 1 && is_shared => true,
            "DROP" | "REASSIGN" => self.first.len() == 1 && word == "OWNED",
            "GRANT" | "REVOKE" | "COMMENT" | "SECURITY" => is_shared && self.last == "ON",
            _ => false,
        };
        self.has_rows |= begin == "COPY" && self.last == "FROM" && word == "STDIN";
        let found = beyond.then(|| {
            if self.last == "ON" { format!("{begin} ON {word}") } else { format!("{begin} {word}") }
        });
        if self.first.len() < 2 {
            self.first.push(word.clone());
        }
        self.last = word;
        found
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

const ADVICE: &str = "Have dumps made by pg_dump -Fc, or by pg_dump without -C (--create). This one can be loaded by hand only, into a server on which no database of its name is needed any more.";

/// Enough for what `pg_dump -C` begins with; all of a dump is watched while it is loaded.
const BEGIN: u64 = 256 * 1024;

/// The first such statement with which a dump begins.
pub(crate) fn at_begin(content: &Content<'_>) -> io::Result<Option<String>> {
    let mut begin = Vec::new();
    // What cannot be unpacked is found when it is loaded.
    let _ = stream::unpack(content.open()?)?.take(BEGIN).read_to_end(&mut begin);
    Ok(Watch::default().see(&begin))
}

/// What is said of a dump in which there is such a statement.
pub(crate) fn finding(dump: &str, statement: &str) -> Finding {
    let what = format!(
        "{dump} was made with pg_dump -C, or is none of pg_dump's alone: it reaches beyond the database into which it goes ({statement}), so restore-database does not load it"
    );
    Finding::warn(Code::NotLoadable, what, ADVICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Option<String> {
        let whole = Watch::default().see(text.as_bytes());
        let mut byte_by_byte = Watch::default();
        let parts = text.bytes().find_map(|byte| byte_by_byte.see(&[byte]));
        assert_eq!(whole, parts, "{text}");
        whole
    }

    #[test]
    fn what_reaches_beyond_is_seen_however_it_is_written() {
        for (text, found) in [
            ("SET a = 'x';\nDROP DATABASE m;\n", "DROP DATABASE"),
            ("drop\n  /* a /* b */ ; */ database -- c\n if exists m;", "DROP DATABASE"),
            ("CREATE DATABASE m WITH TEMPLATE = template0;", "CREATE DATABASE"),
            ("ALTER DATABASE m RENAME TO n;", "ALTER DATABASE"),
            ("ALTER ROLE toot PASSWORD 'x';", "ALTER ROLE"),
            ("alter user toot password 'x';", "ALTER USER"),
            ("REASSIGN OWNED BY a TO b;", "REASSIGN OWNED"),
            ("REVOKE ALL ON DATABASE m FROM PUBLIC;", "REVOKE ON DATABASE"),
            ("\\connect m\n", "\\connect"),
            ("\\c m\n", "\\connect"),
            ("\\echo a \\\\ DROP DATABASE m;", "DROP DATABASE"),
            ("SELECT 'it''s', E'\\'', $a$;$b$;$a$; DROP DATABASE m;", "DROP DATABASE"),
            ("COPY public.a (b) FROM stdin;\nDROP\n\\.\nDROP DATABASE m;", "DROP DATABASE"),
            ("COPY a FROM STDIN WITH (FORMAT text);\nx\n\\.\r\nDROP DATABASE m;", "DROP DATABASE"),
            ("/*\nCOPY a (b) FROM stdin;\n*/\nDROP DATABASE m;", "DROP DATABASE"),
            ("SELECT \"a\"; SELECT $1; SELECT a$b$c; DROP DATABASE m;", "DROP DATABASE"),
        ] {
            assert_eq!(seen(text).as_deref(), Some(found), "{text}");
        }
    }

    #[test]
    fn what_is_only_written_somewhere_is_none() {
        for text in [
            "-- DROP DATABASE m;\n/* ALTER ROLE a; */ SELECT ';DROP DATABASE m;';",
            "INSERT INTO a VALUES ('x\\'), (';DROP DATABASE m;'), (E'\\\\'), ('it''s;DROP DATABASE m;');",
            "CREATE FUNCTION f() RETURNS void AS $_$ BEGIN; DROP DATABASE m; END $_$;\nSELECT 1;",
            "COPY public.a (b) FROM stdin;\n; DROP DATABASE m;\n\\\\.\n\\. DROP DATABASE m;\n\\.\n\nSELECT 1;",
            "DROP TABLE database; CREATE TABLE role (user text); COMMENT ON TABLE a IS 'ON DATABASE';",
            "ALTER TABLE a OWNER TO role; GRANT SELECT ON TABLE \"on\" TO database; CREATE EXTENSION a;",
            "ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b;",
            "\\restrict abc\nSELECT 1;\n\\unrestrict abc\n",
        ] {
            assert_eq!(seen(text), None, "{text}");
        }
    }
}

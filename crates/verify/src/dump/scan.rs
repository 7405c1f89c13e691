//! The text of a dump, line by line, read to its end. Rows go by and are counted; none is kept.

use super::{
    beyond::Watch,
    copy::Table,
    facts::{Facts, Sealed},
    media::{MediaFile, files_of},
};
use std::io::{self, BufRead, BufReader, Read};

/// A longer line is a row with something huge in a column that is not looked at.
const LONGEST: u64 = 1024 * 1024;
/// More encrypted values tell nothing new.
const SEALED: usize = 20;
/// Text after the completion line: `\unrestrict TOKEN` and empty lines.
const ENDINGS: [&str; 2] =
    ["-- PostgreSQL database dump complete", "-- PostgreSQL database cluster dump complete"];

/// Reads the text of a dump. `domain` is that of the instance; every media file is told.
pub fn scan(
    input: impl Read,
    domain: Option<&str>,
    is_cluster: bool,
    tell: &mut dyn FnMut(MediaFile),
) -> io::Result<Facts> {
    let mut input = BufReader::with_capacity(256 * 1024, input);
    let mut facts = Facts::default();
    let mut line = Vec::new();
    let mut table: Option<Table> = None;
    let (mut watch, mut beyond) = (Watch::default(), None);
    // The dump of a cluster is about nothing else.
    let mut look = |bytes: &[u8]| {
        if beyond.is_none() && !is_cluster {
            beyond = watch.see(bytes);
        }
    };
    let ending = ENDINGS[usize::from(is_cluster)];
    let own = domain.map(|d| format!("https://{}/", d.to_ascii_lowercase()));
    loop {
        line.clear();
        let count = (&mut input).take(LONGEST).read_until(b'\n', &mut line)?;
        if count == 0 {
            break;
        }
        facts.bytes += count as u64;
        look(&line);
        if line.last() != Some(&b'\n') {
            facts.bytes += skip_line(&mut input, &mut look)?;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        match &table {
            Some(_) if text == "\\." => table = None,
            Some(table) => row(table, text, own.as_deref(), &mut facts, tell),
            None => {
                table = Table::parse(text);
                if table.is_none() {
                    statement(text, ending, &mut facts);
                }
            }
        }
    }
    facts.is_complete &= table.is_none();
    facts.beyond = beyond;
    Ok(facts)
}

/// Whether the last lines of a text are those of a whole dump.
pub(crate) fn is_ended(tail: &str, is_cluster: bool) -> bool {
    let mut facts = Facts::default();
    tail.lines().for_each(|line| statement(line.trim_end(), ENDINGS[usize::from(is_cluster)], &mut facts));
    facts.is_complete
}

/// Gives how many bytes were skipped.
fn skip_line(input: &mut impl BufRead, look: &mut impl FnMut(&[u8])) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = buffer.iter().position(|b| *b == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        look(&buffer[..used]);
        input.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

/// The name with which the rest of a statement begins.
fn table_name(rest: &str) -> String {
    let name = rest.split([' ', '(']).next().unwrap_or_default();
    name.strip_prefix("public.").unwrap_or(name).trim_matches('"').to_owned()
}

fn statement(text: &str, ending: &str, facts: &mut Facts) {
    if text == ending {
        facts.is_complete = true;
    } else if !(text.is_empty()
        || text == "--"
        || text.starts_with("\\unrestrict")
        || text.starts_with("-- Completed on"))
    {
        // Something follows the completion line: it was not the last one.
        facts.is_complete = false;
    }
    if let Some(rest) = text.strip_prefix("INSERT INTO ") {
        facts.inserts += 1;
        *facts.rows.entry(table_name(rest)).or_default() += 1;
        return;
    }
    let Some(what) = text.strip_prefix("CREATE ") else { return };
    let name = table_name;
    if let Some(rest) = what.strip_prefix("TABLE ").or_else(|| what.strip_prefix("UNLOGGED TABLE ")) {
        facts.tables.insert(name(rest));
    } else if what.starts_with("VIEW ") {
        facts.views += 1;
    } else if what.starts_with("MATERIALIZED VIEW ") {
        facts.materialized += 1;
    } else if let Some(rest) = what.strip_prefix("FUNCTION ") {
        facts.has_timestamp_id |= name(rest) == "timestamp_id";
    }
}

fn row(table: &Table, text: &str, own: Option<&str>, facts: &mut Facts, tell: &mut dyn FnMut(MediaFile)) {
    match facts.rows.get_mut(&table.name) {
        Some(count) => *count += 1,
        None => drop(facts.rows.insert(table.name.clone(), 1)),
    }
    match table.name.as_str() {
        "schema_migrations" => facts.migrations.extend(table.number::<u64>(text, "version")),
        "statuses" => status(table, text, own, facts),
        "users" => seal(table, text, "otp_secret", "users.otp_secret", facts),
        "keypairs" => seal(table, text, "private_key", "keypairs.private_key", facts),
        // Account -99 stands for the instance itself.
        "accounts" if table.get(text, "domain").is_none() => facts.local_accounts += 1,
        _ => {}
    }
    files_of(table, text, tell);
}

fn status(table: &Table, text: &str, own: Option<&str>, facts: &mut Facts) {
    let ms = table.number::<u64>(text, "id").map_or(0, |id| id >> 16);
    facts.newest_status_ms = facts.newest_status_ms.max(ms);
    let uri = table.get(text, "uri");
    let is_local = table.get(text, "local").is_some_and(|l| l == "t") || uri.is_none();
    if !is_local {
        return;
    }
    facts.local_statuses += 1;
    if let Some((own, uri)) = own.zip(uri)
        && !uri.starts_with(own)
    {
        facts.foreign_statuses += 1;
        facts.foreign_uri.get_or_insert_with(|| uri.into_owned());
    }
}

fn seal(table: &Table, text: &str, column: &str, name: &'static str, facts: &mut Facts) {
    if facts.sealed.len() < SEALED {
        let json = table.get(text, column).filter(|v| v.starts_with("{\"p\":"));
        facts.sealed.extend(json.map(|json| Sealed { column: name, json: json.into_owned() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\nCREATE FUNCTION public.timestamp_id(t text) RETURNS bigint\n\
        CREATE TABLE public.accounts (\n    id bigint\n);\nCREATE VIEW public.a AS\nCREATE MATERIALIZED VIEW public.b AS\n\
        COPY public.accounts (id, domain, avatar_file_name, avatar_file_size) FROM stdin;\n\
        1\t\\N\ta.png\t5\n2\tother.test\tb.png\t6\n\\.\n\n\
        COPY public.statuses (id, uri, local) FROM stdin;\n\
        117250000000000000\thttps://mast.test/users/a/statuses/1\tt\n117250000000000001\thttps://other.test/2\tf\n\\.\n\n\
        COPY public.schema_migrations (version) FROM stdin;\n20260611150940\n\\.\n\n\
        --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n";

    fn facts(text: &str, domain: &str) -> (Facts, Vec<MediaFile>) {
        let mut files = Vec::new();
        let facts = scan(text.as_bytes(), Some(domain), false, &mut |f| files.push(f)).unwrap();
        (facts, files)
    }

    #[test]
    fn everything_is_counted_in_one_reading() {
        let (facts, files) = facts(DUMP, "mast.test");
        assert!(facts.is_complete && facts.has_timestamp_id);
        assert_eq!((facts.tables.len(), facts.views, facts.materialized), (1, 1, 1));
        assert_eq!((facts.local_accounts, facts.local_statuses, facts.foreign_statuses), (1, 1, 0));
        assert_eq!(facts.newest_status().unwrap().to_string()[..4], *"2026");
        let paths: Vec<_> = files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "accounts/avatars/000/000/001/original/a.png",
                "cache/accounts/avatars/000/000/002/original/b.png"
            ]
        );
        assert_eq!(self::facts(DUMP, "else.test").0.foreign_statuses, 1);
    }

    #[test]
    fn what_reaches_beyond_is_noted_also_behind_a_huge_text_and_in_no_cluster() {
        let long = "x';".repeat(1024 * 1024);
        let text =
            format!("INSERT INTO public.a VALUES ('{}');\nDROP DATABASE m;\n", long.replace('\'', "''"));
        let of = |is_cluster| scan(text.as_bytes(), None, is_cluster, &mut |_| ()).unwrap().beyond;
        assert_eq!((of(false).as_deref(), of(true)), (Some("DROP DATABASE"), None));
        assert_eq!(facts(DUMP, "m").0.beyond, None);
    }

    #[test]
    fn rows_that_are_written_as_inserts_are_counted() {
        let text = "INSERT INTO public.users VALUES (1, 'a');\nINSERT INTO public.users VALUES (2, 'b');\n\
            -- PostgreSQL database dump complete\n";
        let (facts, _) = facts(text, "m");
        assert_eq!((facts.count("users"), facts.inserts, facts.is_complete), (2, 2, true));
    }

    #[test]
    fn cut_anywhere_it_is_not_complete() {
        let end = DUMP.find("dump complete").unwrap();
        for cut in (0..end).step_by(7) {
            assert!(!facts(&DUMP[..cut], "mast.test").0.is_complete, "cut at {cut}");
            assert!(!is_ended(&DUMP[cut.saturating_sub(100)..cut], false), "cut at {cut}");
        }
        assert!(is_ended(&DUMP[end - 40..], false) && !is_ended(&DUMP[end - 40..], true));
        assert!(!facts(&format!("{DUMP}COPY public.a (b) FROM stdin;\n1\n"), "m").0.is_complete);
    }

    #[test]
    fn a_row_that_is_too_long_is_passed_by() {
        let long = "x".repeat(3 * 1024 * 1024);
        let text = format!(
            "COPY public.statuses (id, text) FROM stdin;\n1\t{long}\n2\tb\n\\.\n-- PostgreSQL database dump complete\n"
        );
        let (facts, _) = facts(&text, "m");
        assert_eq!((facts.count("statuses"), facts.is_complete), (2, true));
        assert_eq!(facts.beyond, None);
    }
}

//! What `pg_restore` and `psql` complain about while they restore: what is known to be harmless, by its name and never
//! by its number, and what each other complaint means.

use crate::{
    dump::explained,
    finding::{Code, Finding},
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
};

/// Lines that are kept behind the first fatal one.
const CONTEXT: usize = 8;
/// Different harmless complaints that are kept.
const HARMLESS_KEPT: usize = 20;
/// A longer line is a statement, of which the beginning is enough.
const LONGEST: usize = 400;

/// Everything that a restore complained about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Complaints {
    harmless: BTreeMap<String, u64>,
    more_harmless: u64,
    /// The first that is not harmless, with what follows it.
    pub fatal: Vec<String>,
    ignored: u64,
    last: String,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line<'a> {
    Harmless(&'a str),
    Fatal,
    Ignored(u64),
    Other,
}

impl Complaints {
    /// Reads to the end; told after each line.
    pub(super) fn read(from: impl Read, mut tell: impl FnMut(&Self)) {
        let mut complaints = Self::default();
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            match from.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            line.truncate(LONGEST);
            complaints.add(String::from_utf8_lossy(&line).trim_end());
            tell(&complaints);
        }
    }

    pub(super) fn add(&mut self, line: &str) {
        if !self.fatal.is_empty() && self.fatal.len() <= CONTEXT {
            self.fatal.push(line.to_owned());
        }
        line.clone_into(&mut self.last);
        match weigh(line) {
            Line::Fatal if self.fatal.is_empty() => self.fatal.push(line.to_owned()),
            Line::Harmless(name) => self.note(name),
            Line::Ignored(count) => self.ignored = count,
            Line::Fatal | Line::Other => {}
        }
    }

    fn note(&mut self, harmless: &str) {
        if let Some(count) = self.harmless.get_mut(harmless) {
            *count += 1;
        } else if self.harmless.len() < HARMLESS_KEPT {
            self.harmless.insert(harmless.to_owned(), 1);
        } else {
            self.more_harmless += 1;
        }
    }

    /// The harmless ones, each once.
    pub(super) fn harmless(&self) -> Vec<String> {
        self.harmless.keys().cloned().collect()
    }

    /// Whether `pg_restore` ignored nothing that is not known here.
    pub(super) fn explain_ignored(&self) -> bool {
        self.ignored > 0 && self.ignored == self.harmless.values().sum::<u64>() + self.more_harmless
    }

    /// The last line, for who ended without a complaint.
    pub(super) fn last(&self) -> Option<String> {
        (!self.last.is_empty()).then(|| self.last.clone())
    }

    /// Whether the server went away.
    pub fn say_server_died(&self) -> bool {
        let words = [
            "server closed the connection",
            "connection to server was lost",
            "terminating connection",
            "the database system is",
            "could not send data to server",
            "no connection to the server",
        ];
        self.fatal.iter().any(|line| words.iter().any(|w| line.contains(w)))
    }

    /// What the first fatal complaint says of the dump.
    pub(super) fn finding(&self, dump: &str, version: Option<(u8, u8)>, major: u32) -> Option<Finding> {
        let first = self.fatal.first()?;
        if let Some(version) = version
            && is_about_reading(first)
        {
            return Some(explained(dump, version, Some(major), first));
        }
        let lacks = [
            (
                "is not available",
                "an extension that the dump uses is not installed",
                "Install the package of the extension",
            ),
            (
                "extension control file",
                "an extension that the dump uses is not installed",
                "Install the package of the extension",
            ),
            (
                "invalid locale",
                "the host does not have the locale of the database",
                "Generate it with dpkg-reconfigure locales",
            ),
            (
                "LC_COLLATE",
                "the host does not have the locale of the database",
                "Generate it with dpkg-reconfigure locales",
            ),
        ];
        for (word, what, advice) in lacks {
            if first.contains(word) {
                let what = format!("{dump} was not brought to life: {what}");
                let advice = format!("{advice}; a host on which you restore needs it too.");
                return Some(Finding::warn(Code::NotChecked, what, advice).with(self.fatal.clone()));
            }
        }
        if ["permission denied", "must be owner", "must be superuser"].iter().any(|no| first.contains(no)) {
            let what = format!("{dump} cannot be restored as it is: its role may not do a part of it");
            let advice = "The dump may be whole. See whose right that is; what only a superuser may make, and Mastodon does not need, can be dropped from the running database before the next dump.";
            return Some(Finding::fail(Code::RestoreErrors, what, advice).with(self.fatal.clone()));
        }
        let what = format!("{dump} cannot be restored: PostgreSQL {major} refuses a part of it");
        let advice = "It would not come back whole. Keep older dumps until there is a good one again; rows that break a unique index are a damage of the running database.";
        Some(Finding::fail(Code::RestoreErrors, what, advice).with(self.fatal.clone()))
    }
}

/// Whether `pg_restore` speaks of the archive and not of the server.
fn is_about_reading(line: &str) -> bool {
    let of_server = ["could not execute query", "COPY failed", "PQ", "connection", "ERROR:  ", "FATAL:  "];
    line.starts_with("pg_restore: ") && !of_server.iter().any(|w| line.contains(w))
}

fn weigh(line: &str) -> Line<'_> {
    if let Some(count) = line.strip_prefix("pg_restore: warning: errors ignored on restore: ") {
        return count.parse().map_or(Line::Fatal, Line::Ignored);
    }
    let Some(message) = message_of(line) else { return Line::Other };
    if is_harmless(message) { Line::Harmless(message) } else { Line::Fatal }
}

/// What an error says, without who says it and where.
fn message_of(line: &str) -> Option<&str> {
    if let Some(said) = line.strip_prefix("pg_restore: error: ") {
        return Some(said.split_once("ERROR:  ").map_or(said, |(_, message)| message));
    }
    let said = match line.strip_prefix("psql:<stdin>:") {
        Some(rest) => rest.split_once(": ")?.1,
        None => line.strip_prefix("psql: ").unwrap_or(line),
    };
    ["ERROR:  ", "FATAL:  ", "PANIC:  ", "error: ", "fatal: "].iter().find_map(|word| said.strip_prefix(word))
}

/// Known not to matter, by name. A role is only an owner here: the drill restores for itself.
fn is_harmless(message: &str) -> bool {
    let exact = [
        "schema \"public\" already exists",
        // Plain dumps of 17 set it; older servers have no such limit.
        "unrecognized configuration parameter \"transaction_timeout\"",
        // psql from before August 2025.
        "invalid command \\restrict",
        "invalid command \\unrestrict",
        "current user cannot be dropped",
        // The end of a restriction that was ours instead: psql stays restricted.
        "\\unrestrict: wrong key",
        // Its comment, in dumps from before 15; whoever owns a database there need not own this schema.
        "must be owner of schema public",
    ];
    // A schema or a table that belonged to somebody else there, as in a cluster that was upgraded: here it is ours.
    let owners = ["must be member of role \"", "must be able to SET ROLE \""];
    let around = [
        ("role \"", "\" already exists"),
        ("role \"", "\" does not exist"),
        // Only a superuser makes it, for people who look after the server: those of Mastodon itself any owner makes. Its
        // comment fails with it. What needs it fails by a complaint of its own.
        ("permission denied to create extension \"", "\""),
        ("extension \"", "\" does not exist"),
        ("must be owner of extension ", ""),
    ];
    exact.contains(&message)
        || owners.iter().any(|before| message.starts_with(before))
        || around.iter().any(|(before, after)| {
            let name = message.strip_prefix(before).and_then(|m| m.strip_suffix(after));
            name.is_some_and(|name| !name.is_empty() && !name.contains('"'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Complaints {
        let mut complaints = Complaints::default();
        text.lines().for_each(|line| complaints.add(line));
        complaints
    }

    #[test]
    fn harmless_is_known_by_name_and_never_by_number() {
        let good = of("pg_restore: while PROCESSING TOC:\n\
            pg_restore: from TOC entry 5; 2615 2200 SCHEMA public postgres\n\
            pg_restore: error: could not execute query: ERROR:  schema \"public\" already exists\n\
            Command was: CREATE SCHEMA public;\n\n\
            pg_restore: warning: errors ignored on restore: 1\n");
        assert!(good.explain_ignored() && good.fatal.is_empty());
        assert_eq!(good.harmless(), ["schema \"public\" already exists"]);
        assert_eq!(good.finding("x", None, 15), None);
        let more =
            of("pg_restore: error: could not execute query: ERROR:  schema \"public\" already exists\n\
            pg_restore: warning: errors ignored on restore: 2\n");
        assert!(!more.explain_ignored(), "one of two is not known");
        let other = of("pg_restore: error: could not execute query: ERROR:  schema \"x\" already exists\n");
        assert_eq!(other.finding("x", Some((1, 14)), 15).unwrap().code, Code::RestoreErrors);
    }

    #[test]
    fn an_extension_that_only_a_superuser_makes_is_harmless_and_what_needs_it_is_not() {
        let good = of(
            "pg_restore: error: could not execute query: ERROR:  permission denied to create extension \"amcheck\"\n\
            HINT:  Must be superuser to create this extension.\n\
            pg_restore: error: could not execute query: ERROR:  extension \"amcheck\" does not exist\n\
            pg_restore: warning: errors ignored on restore: 2\n",
        );
        assert!(good.explain_ignored() && good.fatal.is_empty(), "{good:?}");
        for fatal in [
            "could not open extension control file \"/x/amcheck.control\": No such file or directory",
            "function public.bt_index_check(regclass) does not exist",
            "type \"public.hstore\" does not exist",
            "permission denied for schema public",
        ] {
            assert!(!of(&format!("psql:<stdin>:4: ERROR:  {fatal}\n")).fatal.is_empty(), "{fatal}");
        }
        let denied = "pg_restore: error: could not execute query: ERROR:  permission denied to set parameter \"log_min_messages\"\n";
        let found = of(denied).finding("x", Some((1, 14)), 15).unwrap();
        assert_eq!(found.code, Code::RestoreErrors);
        assert!(found.what.contains("may not"), "{found:?}");
    }

    #[test]
    fn psql_speaks_with_the_line_in_front() {
        let good =
            of("psql:<stdin>:12: ERROR:  unrecognized configuration parameter \"transaction_timeout\"\n\
            psql:<stdin>:13: NOTICE:  nothing\npsql:<stdin>:5: error: invalid command \\restrict\n\
            psql:<stdin>:40: ERROR:  role \"mastodon\" does not exist\n");
        assert!(good.fatal.is_empty(), "{good:?}");
        assert_eq!(good.harmless().len(), 3);
        let owner = of("psql:<stdin>:9: ERROR:  must be able to SET ROLE \"postgres\"\n");
        assert!(owner.fatal.is_empty(), "{owner:?}");
        let bad = of("psql:<stdin>:40: ERROR:  relation \"a\" does not exist\nLINE 1: x\n");
        assert_eq!(bad.fatal.len(), 2);
        assert_eq!(bad.finding("x", None, 15).unwrap().code, Code::RestoreErrors);
        assert!(!of("psql:<stdin>:40: ERROR:  role \"a\" \"b\" does not exist").fatal.is_empty());
    }

    #[test]
    fn each_cause_has_its_own_word() {
        let code = |text: &str| of(text).finding("x", Some((1, 14)), 15).map(|f| f.code);
        assert_eq!(
            code("pg_restore: error: could not read from input file: end of file"),
            Some(Code::CutShort)
        );
        assert_eq!(code("pg_restore: error: could not uncompress data: (null)"), Some(Code::Damaged));
        assert_eq!(
            code("pg_restore: error: COPY failed for table \"a\": ERROR:  invalid input syntax"),
            Some(Code::RestoreErrors)
        );
        assert_eq!(
            code("pg_restore: error: could not execute query: ERROR:  extension \"x\" is not available"),
            Some(Code::NotChecked)
        );
        assert!(of("psql:<stdin>:3: error: connection to server was lost").say_server_died());
        assert!(!of("psql:<stdin>:3: ERROR:  syntax error").say_server_died());
    }
}

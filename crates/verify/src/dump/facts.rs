//! What a dump shows of a Mastodon, and the findings that follow. Counted while its text goes by, never kept.

use crate::finding::{Code, Finding};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Tables without which it is no Mastodon.
const TABLES: [&str; 14] = [
    "accounts",
    "users",
    "statuses",
    "media_attachments",
    "follows",
    "favourites",
    "mentions",
    "custom_emojis",
    "settings",
    "site_uploads",
    "oauth_applications",
    "oauth_access_tokens",
    "schema_migrations",
    "ar_internal_metadata",
];
/// Tables that an interrupted `tootctl statuses remove` leaves behind.
const LEFTOVERS: [&str; 2] = ["statuses_to_be_deleted", "conversations_to_be_deleted"];
/// Tables that are never empty on an instance that somebody uses.
const NEVER_EMPTY: [&str; 3] = ["accounts", "users", "schema_migrations"];

/// An encrypted value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// `users.otp_secret`.
    pub column: &'static str,
    /// The JSON that Rails wrote.
    pub json: String,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Names of tables.
    pub tables: BTreeSet<String>,
    /// Views.
    pub views: u64,
    /// Materialized views.
    pub materialized: u64,
    /// Whether the function `timestamp_id` is there.
    pub has_timestamp_id: bool,
    /// Bytes of its text.
    pub bytes: u64,
    /// Rows of each table that has any.
    pub rows: BTreeMap<String, u64>,
    /// Rows that are written as `INSERT`: counted, not looked at.
    pub inserts: u64,
    /// Accounts of this instance.
    pub local_accounts: u64,
    /// Posts of this instance.
    pub local_statuses: u64,
    /// Posts of this instance whose address is that of another one.
    pub foreign_statuses: u64,
    /// Such an address.
    pub foreign_uri: Option<String>,
    /// Milliseconds since 1970 of the youngest post.
    pub newest_status_ms: u64,
    /// Versions in `schema_migrations`.
    pub migrations: BTreeSet<u64>,
    /// Some encrypted values.
    pub sealed: Vec<Sealed>,
    /// The first statement that reaches beyond its own database.
    pub beyond: Option<String>,
    /// Whether the text ended with its completion line.
    pub is_complete: bool,
}

/// The migrations of a database beside those of some code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// Which of the database are newer than all of the code: such code cannot be used with it.
    pub newer: Vec<u64>,
    /// How many of the code are still to be run.
    pub older: usize,
}

impl Beside {
    /// Old migrations are removed from the code now and then; only what is newer than all of it counts.
    pub fn of(database: &BTreeSet<u64>, code: &BTreeSet<u64>) -> Self {
        let newest = code.last().copied().unwrap_or(0);
        Self {
            newer: database.range(newest.saturating_add(1)..).copied().collect(),
            older: code.difference(database).count(),
        }
    }
}

impl Facts {
    /// When the youngest post was written; a quiet instance has no new one.
    pub fn newest_status(&self) -> Option<Timestamp> {
        let ms = i64::try_from(self.newest_status_ms).ok().filter(|ms| *ms > 0)?;
        Timestamp::from_millisecond(ms).ok()
    }

    /// Whether it is the database of a Mastodon that somebody uses.
    pub fn is_mastodon(&self, name: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut lacks: Vec<String> = TABLES
            .iter()
            .filter(|t| !self.tables.contains(**t))
            .map(|t| format!("table {t} is missing"))
            .collect();
        if !self.has_timestamp_id {
            lacks.push("function timestamp_id is missing".to_owned());
        }
        let empty = NEVER_EMPTY.iter().filter(|t| self.tables.contains(**t) && self.count(t) == 0);
        lacks.extend(empty.map(|t| format!("table {t} has no rows")));
        if !lacks.is_empty() {
            findings.push(
                Finding::fail(
                    Code::NotAMastodon,
                    format!("{name} lacks what the database of a Mastodon has"),
                    "Perhaps another database, or pg_dump with -t, -n or --schema-only. It does not bring the instance back.",
                )
                .with(lacks),
            );
        }
        let left: Vec<String> =
            LEFTOVERS.iter().filter(|t| self.tables.contains(**t)).map(|t| (*t).to_owned()).collect();
        if !left.is_empty() {
            let what = "a table is left from an interrupted `tootctl statuses remove`";
            let advice =
                "It takes space only. The next `tootctl statuses remove` goes on with it and removes it.";
            findings.push(Finding::info(Code::LeftoverTable, what, advice).with(left));
        }
        findings
    }

    /// Whether it belongs to this instance.
    pub fn is_of(&self, name: &str, domain: &str) -> Option<Finding> {
        // An instance whose address has changed, or that began before ActivityPub, has some old ones of another form.
        (self.foreign_statuses * 2 > self.local_statuses).then(|| {
            Finding::fail(
                Code::OtherInstance,
                format!("{name} is the database of another instance than {domain}"),
                "Look where it comes from, and whether the file backup is the one that belongs to it.",
            )
            .with(self.foreign_uri.iter().map(|u| format!("a post of its own has the address {u}")))
        })
    }

    /// Whether the code of the file backup can work on it.
    pub fn fits_code(&self, name: &str, code: &BTreeSet<u64>) -> Option<Finding> {
        if code.is_empty() || self.migrations.is_empty() {
            return None;
        }
        let Beside { newer, older } = Beside::of(&self.migrations, code);
        if !newer.is_empty() {
            return Some(
                Finding::fail(
                    Code::DumpNewerThanCode,
                    format!("{name} was made by newer code than the file backup holds: it cannot be used with it"),
                    "Restore it with the newer code, or take an older dump. A dump and a file backup of the same night fit.",
                )
                .with(newer.iter().take(20).map(|v| format!("migration {v} is not in the code"))),
            );
        }
        (older > 0).then(|| {
            Finding::info(
                Code::DumpOlderThanCode,
                format!("{name} was made by older code than the file backup holds"),
                "After a restore run `rails db:migrate` before the start.",
            )
            .with([format!("{older} migrations are still to be run")])
        })
    }

    /// Rows of a table.
    pub fn count(&self, table: &str) -> u64 {
        self.rows.get(table).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Facts {
        let mut facts = Facts { has_timestamp_id: true, ..Facts::default() };
        facts.tables.extend(TABLES.iter().map(|t| (*t).to_owned()));
        facts.rows.extend(NEVER_EMPTY.iter().map(|t| ((*t).to_owned(), 1)));
        facts.migrations.extend([1, 2, 3]);
        facts
    }

    #[test]
    fn what_a_mastodon_has_is_asked_for() {
        assert_eq!(whole().is_mastodon("x"), []);
        let mut without = whole();
        without.tables.remove("users");
        without.rows.insert("accounts".to_owned(), 0);
        let found = without.is_mastodon("x");
        assert_eq!(found[0].code, Code::NotAMastodon);
        assert_eq!(found[0].evidence, ["table users is missing", "table accounts has no rows"]);
        let mut left = whole();
        left.tables.insert(LEFTOVERS[0].to_owned());
        assert_eq!(left.is_mastodon("x")[0].code, Code::LeftoverTable);
    }

    #[test]
    fn a_few_old_addresses_do_not_make_it_another_instance() {
        let of = |foreign_statuses, local_statuses| {
            Facts { local_statuses, foreign_statuses, ..whole() }.is_of("x", "mast.test").map(|f| f.code)
        };
        assert_eq!((of(0, 0), of(0, 9), of(2, 9)), (None, None, None));
        assert_eq!((of(1, 1), of(9, 9)), (Some(Code::OtherInstance), Some(Code::OtherInstance)));
    }

    #[test]
    fn newer_than_the_code_is_unusable_and_older_is_not() {
        let code =
            |versions: &[u64]| whole().fits_code("x", &versions.iter().copied().collect()).map(|f| f.code);
        assert_eq!(code(&[1, 2, 3]), None);
        assert_eq!(code(&[2, 3]), None, "an old migration was removed from the code");
        assert_eq!(code(&[1, 2, 3, 4]), Some(Code::DumpOlderThanCode));
        assert_eq!(code(&[1, 2]), Some(Code::DumpNewerThanCode));
        assert_eq!(code(&[]), None, "no code in the backup: nothing to compare with");
    }
}

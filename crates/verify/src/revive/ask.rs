//! Mastodon's questions to a restored database. Everything is only read.

use crate::{dump::Facts, error::VerifyError};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeSet;

/// A database that can be asked.
pub trait Ask {
    /// What it answers, or why it does not.
    fn ask(&self, sql: &str) -> Result<Result<String, String>, VerifyError>;
}

/// What a restored database says of itself.
#[derive(Debug, Default)]
pub struct Answers {
    /// What it shows of a Mastodon.
    pub facts: Facts,
    /// Rows of `media_attachments`.
    pub media: u64,
    /// Indexes that cannot be used.
    pub invalid: Vec<String>,
    /// A question that Mastodon's database would have answered.
    pub refused: Option<String>,
}

#[derive(Deserialize)]
struct Catalog {
    tables: BTreeSet<String>,
    views: u64,
    materialized: u64,
    timestamp_id: bool,
    invalid: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rows {
    accounts: u64,
    local_accounts: u64,
    users: u64,
    media: u64,
    statuses: Statuses,
    migrations: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Statuses {
    count: u64,
    local: u64,
    foreign: u64,
    example: Option<String>,
    newest: Option<u64>,
}

const CATALOG: &str = "SELECT jsonb_build_object(\
    'tables', (SELECT coalesce(jsonb_agg(c.relname), '[]') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')), \
    'views', (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'v'), \
    'materialized', (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'm'), \
    'timestamp_id', EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND p.proname = 'timestamp_id'), \
    'invalid', (SELECT coalesce(jsonb_agg(indexrelid::regclass::text), '[]') FROM pg_index WHERE NOT indisvalid))";

const IS_MASTODON: &str = "SELECT to_regclass('public.schema_migrations') IS NOT NULL AND to_regclass('public.statuses') IS NOT NULL";

const DATABASES: &str = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY pg_database_size(oid) DESC";

/// A question to one of the databases of a server, by its name.
pub(crate) type Question<'a> = dyn Fn(&str, &str) -> Result<Result<String, String>, VerifyError> + 'a;

/// The database in which Mastodon is: of a whole cluster the largest that looks like it.
pub(crate) fn database(ask: &Question<'_>) -> Result<Option<String>, VerifyError> {
    let listed = ask("postgres", DATABASES)?.unwrap_or_default();
    for name in listed.lines() {
        if ask(name, IS_MASTODON)?.is_ok_and(|answer| answer == "t") {
            return Ok(Some(name.to_owned()));
        }
    }
    Ok(None)
}

/// Asks everything that is asked of each Mastodon.
pub fn answers(of: &dyn Ask, domain: Option<&str>) -> Result<Answers, VerifyError> {
    let mut answers = Answers::default();
    let catalog = match json::<Catalog>(of, CATALOG)? {
        Ok(catalog) => catalog,
        Err(refused) => return Ok(Answers { refused: Some(refused), ..answers }),
    };
    let facts = &mut answers.facts;
    facts.is_complete = true;
    (facts.views, facts.materialized) = (catalog.views, catalog.materialized);
    facts.has_timestamp_id = catalog.timestamp_id;
    facts.tables = catalog.tables;
    answers.invalid = catalog.invalid;
    let rows = match json::<Rows>(of, &rows(&facts.tables, domain))? {
        Ok(rows) => rows,
        Err(refused) => return Ok(Answers { refused: Some(refused), ..answers }),
    };
    let versions = rows.migrations.iter().filter_map(|v| v.parse::<u64>().ok());
    facts.migrations = versions.collect();
    let migrations = u64::try_from(facts.migrations.len()).unwrap_or(u64::MAX);
    let counted = [
        ("accounts", rows.accounts),
        ("users", rows.users),
        ("statuses", rows.statuses.count),
        ("media_attachments", rows.media),
        ("schema_migrations", migrations),
    ];
    facts.rows = counted.map(|(name, count)| (name.to_owned(), count)).into();
    facts.local_accounts = rows.local_accounts;
    facts.local_statuses = rows.statuses.local;
    facts.foreign_statuses = rows.statuses.foreign;
    facts.foreign_uri = rows.statuses.example;
    facts.newest_status_ms = rows.statuses.newest.map_or(0, |id| id >> 16);
    answers.media = rows.media;
    Ok(answers)
}

/// The question for rows, of those tables that are there.
fn rows(tables: &BTreeSet<String>, domain: Option<&str>) -> String {
    let own = domain.map(|d| quoted(&format!("https://{}/", d.to_ascii_lowercase())));
    let foreign = own.map_or_else(
        || "false".to_owned(),
        |own| format!("l AND uri IS NOT NULL AND NOT starts_with(uri, {own})"),
    );
    let statuses = format!(
        "'statuses', (SELECT jsonb_build_object('count', count(*), 'local', count(*) FILTER (WHERE l), \
         'foreign', count(*) FILTER (WHERE {foreign}), 'example', min(uri) FILTER (WHERE {foreign}), 'newest', max(id)) \
         FROM (SELECT id, uri, coalesce(local, false) OR uri IS NULL AS l FROM public.statuses) AS s)"
    );
    let parts = [
        (
            "accounts",
            "'accounts', (SELECT count(*) FROM public.accounts), \
             'local_accounts', (SELECT count(*) FROM public.accounts WHERE domain IS NULL)",
        ),
        ("users", "'users', (SELECT count(*) FROM public.users)"),
        ("media_attachments", "'media', (SELECT count(*) FROM public.media_attachments)"),
        (
            "schema_migrations",
            "'migrations', (SELECT coalesce(jsonb_agg(version), '[]') FROM public.schema_migrations)",
        ),
        ("statuses", &statuses),
    ];
    let there = parts.iter().filter(|(table, _)| tables.contains(*table)).map(|(_, sql)| *sql);
    format!("SELECT jsonb_build_object({})", there.collect::<Vec<_>>().join(", "))
}

/// A text as a literal of SQL.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn json<T: DeserializeOwned>(of: &dyn Ask, sql: &str) -> Result<Result<T, String>, VerifyError> {
    Ok(of.ask(sql)?.and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_that_are_there_are_asked() {
        let tables = ["users", "other"].map(str::to_owned).into();
        assert_eq!(
            rows(&tables, Some("a")),
            "SELECT jsonb_build_object('users', (SELECT count(*) FROM public.users))"
        );
        let tables = ["statuses".to_owned()].into();
        assert!(rows(&tables, Some("o'neil.test")).contains("'https://o''neil.test/'"));
        assert!(rows(&tables, None).contains("WHERE false"));
    }
}

//! Mastodon's questions to a restored database, and those of the admin. Everything is only read.

use super::{
    Shape, Stop,
    cluster::{Cluster, DATABASE},
};
use crate::{
    dump::Facts,
    error::VerifyError,
    finding::{Code, Finding},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeSet;

/// A question that takes longer is answered with no.
const READ_ONLY: &str = "-c default_transaction_read_only=on -c statement_timeout=15min";

/// What a restored database says of itself.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) facts: Facts,
    /// Rows of `media_attachments`.
    pub(super) media: u64,
    /// Indexes that cannot be used.
    pub(super) invalid: Vec<String>,
    /// A question that Mastodon's database would have answered.
    pub(super) refused: Option<String>,
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

/// The database in which Mastodon is: of a whole cluster the largest that looks like it.
pub(super) fn database(cluster: &Cluster, shape: Shape) -> Result<String, Stop> {
    if shape != Shape::Cluster {
        return Ok(DATABASE.to_owned());
    }
    let listed = query(cluster, "postgres", DATABASES)?.unwrap_or_default();
    for name in listed.lines() {
        if query(cluster, name, IS_MASTODON)?.is_ok_and(|answer| answer == "t") {
            return Ok(name.to_owned());
        }
    }
    Ok(DATABASE.to_owned())
}

/// Asks everything that is asked of each Mastodon.
pub(super) fn answers(cluster: &Cluster, database: &str, domain: Option<&str>) -> Result<Answers, Stop> {
    let mut answers = Answers::default();
    let catalog = match json::<Catalog>(cluster, database, CATALOG)? {
        Ok(catalog) => catalog,
        Err(refused) => return Ok(Answers { refused: Some(refused), ..answers }),
    };
    let facts = &mut answers.facts;
    facts.is_complete = true;
    (facts.views, facts.materialized) = (catalog.views, catalog.materialized);
    facts.has_timestamp_id = catalog.timestamp_id;
    facts.tables = catalog.tables;
    answers.invalid = catalog.invalid;
    let rows = match json::<Rows>(cluster, database, &rows(&facts.tables, domain))? {
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

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The admin's own questions: each is one value, and it must be true.
pub(super) fn assertions(
    cluster: &Cluster,
    database: &str,
    assertions: &[String],
) -> Result<Vec<Finding>, Stop> {
    let mut findings = Vec::new();
    for sql in assertions {
        let evidence = match query(cluster, database, sql)? {
            Ok(answer) if answer == "t" => continue,
            Ok(answer) if answer == "f" => "answered: false".to_owned(),
            Ok(answer) => format!("answered {:?}, not true", answer.chars().take(200).collect::<String>()),
            Err(refused) => refused,
        };
        let advice = "Look whether the dump lacks something or the assertion is out of date.";
        let what = format!("an assertion does not hold: {sql}");
        findings.push(Finding::fail(Code::AssertionFailed, what, advice).with([evidence]));
    }
    Ok(findings)
}

fn json<T: DeserializeOwned>(
    cluster: &Cluster,
    database: &str,
    sql: &str,
) -> Result<Result<T, String>, Stop> {
    Ok(query(cluster, database, sql)?.and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string())))
}

/// What PostgreSQL answers, or why it does not.
fn query(cluster: &Cluster, database: &str, sql: &str) -> Result<Result<String, String>, Stop> {
    let mut psql = cluster.psql(database);
    let done = psql.env("PGOPTIONS", READ_ONLY).args(["-c", sql]).output();
    let done = done.map_err(VerifyError::drill(cluster.directory()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) })
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

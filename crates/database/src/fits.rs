//! Whether a database belongs to the code and the secrets that are there, or will be: services start on nothing else.

use crate::{
    code,
    error::DatabaseError,
    left_over::{LeftOver, MUST_MIGRATE, Pending},
    listing::json,
    names::Names,
    psql::Server,
    site::{Bench, Did, Site},
    state::State,
    switch::not_now,
    text::literal,
};
use mastmaint_verify::dump::{Beside, Fit, Sealed, fit};
use mastmaint_words::RunId;
use std::{collections::BTreeSet, path::Path};

/// Columns whose values Rails encrypts.
const SEALED: [(&str, &str, &str); 2] =
    [("users", "otp_secret", "users.otp_secret"), ("keypairs", "private_key", "keypairs.private_key")];

/// What is looked at, and how strictly.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The database that this run has loaded beside today's; today's if absent.
    pub loaded: Option<&'a RunId>,
    /// The run that has switched today's in.
    pub after: Option<&'a RunId>,
    /// The code that today's database has now.
    pub live: &'a Path,
    /// What migrations mean that are still to be run.
    pub pending: Pending,
}

/// Looks at a database.
///
/// # Errors
/// What does not fit.
pub fn fits(site: &Site<'_>, wanted: &Wanted<'_>) -> Result<Did, DatabaseError> {
    let settings = site.settings;
    let today = &settings.way.database.name;
    let name = &match wanted.loaded {
        Some(run) => there(site, run)?,
        None => today.clone(),
    };
    let server = Server::new(settings.way.clone(), None, None)?.perhaps_pooled();
    if let Err(refusal) = server.sql(name, &["SELECT 1"]) {
        return Err(DatabaseError::Silent { at: settings.way.at(), why: refusal.said });
    }
    let code = code::migrations(&settings.live)?;
    let database = migrated(&server, name)?;
    not_newer(site, name, &Beside::of(&database, &code), code.is_empty())?;
    let left: BTreeSet<u64> = code.difference(&database).copied().collect();
    let before = wanted.after.map(|run| Names::of(today, run).before);
    let of_before = match &before {
        Some(before) => Some(before),
        None => wanted.loaded.map(|_| today).filter(|today| *today != name),
    };
    let left = left_over(site, &server, wanted, of_before, left)?;
    if left.is_refused(wanted.pending) {
        return Err(DatabaseError::NoMatch {
            code: MUST_MIGRATE,
            what: left.refusal(name, site, wanted.pending),
        });
    }
    let mut sealed = Vec::new();
    for (table, column, full) in SEALED {
        sealed.extend(
            samples(&server, name, table, column)?.into_iter().map(|json| Sealed { column: full, json }),
        );
    }
    match fit(&settings.env, &sealed) {
        Fit::Fits(_) => {}
        // Versions before 4.3 encrypt nothing, and have no keys.
        Fit::NothingToTry | Fit::NoKeys if sealed.is_empty() => {
            site.tell.say("the database holds no encrypted value on which the secrets could be tried");
        }
        Fit::DoesNotFit | Fit::NoKeys | Fit::NothingToTry => {
            let what = format!(
                "the secrets in {} do not decrypt the database {name}: two-factor secrets and signing keys would be lost. Bring back the .env.production that it was written with",
                settings.at.join(".env.production").display()
            );
            return Err(DatabaseError::NoMatch { code: "no-match-secrets", what });
        }
    }
    Ok(Did::Done(left.sentence(name, site)))
}

/// The database that a run has loaded, wherever it is by now.
fn there(site: &Site<'_>, run: &RunId) -> Result<String, DatabaseError> {
    let bench = Bench::of(site, run)?;
    let names = &bench.names;
    match bench.look()?.state(names) {
        State::Loaded => Ok(names.new.clone()),
        State::Switched | State::SwitchedForGood => Ok(names.today.clone()),
        state => Err(not_now(state, &bench)),
    }
}

/// The migrations that were run on a database.
fn migrated(server: &Server, name: &str) -> Result<BTreeSet<u64>, DatabaseError> {
    let sql = "SELECT coalesce(jsonb_agg(version), '[]') FROM public.schema_migrations";
    let versions: Vec<String> = json(server, name, sql, &format!("asking {name}"))?;
    Ok(versions.iter().filter_map(|version| version.parse().ok()).collect())
}

fn not_newer(site: &Site<'_>, name: &str, beside: &Beside, no_code: bool) -> Result<(), DatabaseError> {
    let live = site.settings.live.display();
    let what = match beside.newer.last() {
        _ if no_code => format!("there are no migrations in {live}/db: there is no code of Mastodon there"),
        Some(newest) => format!(
            "{name} is newer than the code in {live}: migration {newest} is not in it. Bring newer code back, or an older dump"
        ),
        None => return Ok(()),
    };
    Err(DatabaseError::NoMatch { code: "no-match-code", what })
}

/// What is still to be run, beside what was before. A database of before that cannot be asked says nothing.
fn left_over(
    site: &Site<'_>,
    server: &Server,
    wanted: &Wanted<'_>,
    of_before: Option<&String>,
    left: BTreeSet<u64>,
) -> Result<LeftOver, DatabaseError> {
    let was = of_before.filter(|_| !left.is_empty()).and_then(|before| migrated(server, before).ok());
    let code = code::migrations(wanted.live)?;
    let was = was.filter(|was| !was.is_empty() && !code.is_empty());
    let was = was.map(|was| code.difference(&was).copied().collect());
    Ok(LeftOver::of(left, was, &code::post_deployment(&site.settings.live)?))
}

/// A few encrypted values of a column, the newest.
fn samples(server: &Server, database: &str, table: &str, column: &str) -> Result<Vec<String>, DatabaseError> {
    let asking = &format!("asking {database}");
    let is_there = format!(
        "SELECT to_jsonb(EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'public' AND table_name = {} AND column_name = {}))",
        literal(table),
        literal(column)
    );
    if !json::<bool>(server, database, &is_there, asking)? {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT coalesce(jsonb_agg(v), '[]') FROM (SELECT {column} AS v FROM public.{table} WHERE {column} LIKE '{{\"p\":%' ORDER BY id DESC LIMIT 10) s"
    );
    json(server, database, &sql, asking)
}

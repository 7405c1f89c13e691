//! Whether a database belongs to the code and the secrets that are there, or will be: services start on nothing else.

use crate::{
    code,
    error::DatabaseError,
    listing::json,
    psql::Server,
    site::{Bench, Did, Site},
    state::State,
    switch::not_now,
    text::literal,
};
use mastmaint_verify::dump::{Beside, Fit, Sealed, fit};
use mastmaint_words::RunId;
use std::collections::BTreeSet;

/// Columns whose values Rails encrypts.
const SEALED: [(&str, &str, &str); 2] =
    [("users", "otp_secret", "users.otp_secret"), ("keypairs", "private_key", "keypairs.private_key")];

/// Looks at today's database, or at the one that a run has loaded beside it. With `strict` migrations that are still to be
/// run are refused, too.
///
/// # Errors
/// What does not fit.
pub fn fits(site: &Site<'_>, loaded: Option<&RunId>, strict: bool) -> Result<Did, DatabaseError> {
    let settings = site.settings;
    let name = &match loaded {
        Some(run) => there(site, run)?,
        None => settings.way.database.name.clone(),
    };
    let server = Server::new(settings.way.clone(), None, None)?.perhaps_pooled();
    if let Err(refusal) = server.sql(name, &["SELECT 1"]) {
        return Err(DatabaseError::Silent { at: settings.way.at(), why: refusal.said });
    }
    let asking = &format!("asking {name}");
    let versions: Vec<String> = json(
        &server,
        name,
        "SELECT coalesce(jsonb_agg(version), '[]') FROM public.schema_migrations",
        asking,
    )?;
    let database: BTreeSet<u64> = versions.iter().filter_map(|version| version.parse().ok()).collect();
    let code = code::migrations(&settings.live)?;
    migrations(site, name, &Beside::of(&database, &code), code.is_empty(), strict)?;
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
    Ok(Did::Done(format!("{name} fits the code and the secrets in {}", settings.live.display())))
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

fn migrations(
    site: &Site<'_>,
    name: &str,
    beside: &Beside,
    no_code: bool,
    strict: bool,
) -> Result<(), DatabaseError> {
    let live = site.settings.live.display();
    if no_code {
        let what = format!("there are no migrations in {live}/db: there is no code of Mastodon there");
        return Err(DatabaseError::NoMatch { code: "no-match-code", what });
    }
    if let Some(newest) = beside.newer.last() {
        let what = format!(
            "{name} is newer than the code in {live}: migration {newest} is not in it. Bring newer code back, or an older dump"
        );
        return Err(DatabaseError::NoMatch { code: "no-match-code", what });
    }
    if beside.older > 0 {
        let what = format!(
            "{} migrations of the code in {live} are still to be run on {name}: rails db:migrate",
            beside.older
        );
        if strict {
            return Err(DatabaseError::NoMatch { code: "must-migrate", what });
        }
        site.tell.say(&what);
    }
    Ok(())
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

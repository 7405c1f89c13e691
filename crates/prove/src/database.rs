//! Questions to PostgreSQL: one simple query each, in a transaction that only reads, so that a pooler in between
//! changes nothing and nothing is changed.

use crate::{Blind, tls};
use mastmaint_instance::{Database, Host, SslMode};
use postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow, config};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(5);
/// Longer than tootctl's own query of the same rows takes on a big server.
const STATEMENT: &str = "60s";

/// An open database.
pub struct Asked {
    client: Client,
    at: String,
}

impl Asked {
    /// Opens it as the instance does.
    ///
    /// # Errors
    /// If it does not let us in.
    pub fn open(database: &Database) -> Result<Self, Blind> {
        let at = database.to_string();
        let blind = |error: &postgres::Error| blind(&at, error);
        let no_tls = |why: String| Blind::Database { at: at.clone(), why };
        let mut config = Config::new();
        match &database.host {
            Host::Socket(dir) => config.host_path(dir),
            Host::Tcp(host) => config.host(host),
        };
        config.port(database.port).user(&database.user).dbname(&database.name).connect_timeout(CONNECT);
        if let Some(password) = &database.password {
            config.password(password);
        }
        let over_socket = matches!(database.host, Host::Socket(_));
        let client = match database.ssl {
            _ if over_socket => config.ssl_mode(config::SslMode::Disable).connect(NoTls),
            SslMode::Disable => config.ssl_mode(config::SslMode::Disable).connect(NoTls),
            SslMode::Prefer => {
                config.ssl_mode(config::SslMode::Prefer).connect(tls::lenient().map_err(no_tls)?)
            }
            SslMode::Require => {
                config.ssl_mode(config::SslMode::Require).connect(tls::lenient().map_err(no_tls)?)
            }
            SslMode::Verify => {
                config.ssl_mode(config::SslMode::Require).connect(tls::strict().map_err(no_tls)?)
            }
        };
        let client = client.map_err(|error| blind(&error))?;
        Ok(Self { client, at })
    }

    /// The rows that a `SELECT` gives.
    ///
    /// # Errors
    /// If the database does not answer it.
    pub fn rows(&mut self, select: &str) -> Result<Vec<SimpleQueryRow>, Blind> {
        let query = format!("BEGIN READ ONLY; SET LOCAL statement_timeout = '{STATEMENT}'; {select}; COMMIT");
        let answers = self.client.simple_query(&query).map_err(|error| blind(&self.at, &error))?;
        let rows = answers.into_iter().filter_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }
}

/// Who says something answers.
fn blind(at: &str, error: &postgres::Error) -> Blind {
    let why = said(error);
    if error.as_db_error().is_some() {
        Blind::Database { at: at.to_owned(), why }
    } else {
        Blind::Silent { at: format!("the database at {at}"), why }
    }
}

/// What the server said, else what went wrong on the way to it.
fn said(error: &postgres::Error) -> String {
    use std::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => db.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}

//! How an instance reaches its database: the variables of its `config/database.yml`, with the same defaults.

use crate::Variables;
use std::{fmt, path::PathBuf};

/// How the database is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    /// Where.
    pub host: Host,
    /// On which port; also part of the name of a Unix socket.
    pub port: u16,
    /// As whom.
    pub user: String,
    /// With which password; a peer over a Unix socket needs none.
    pub password: Option<String>,
    /// Which database.
    pub name: String,
    /// Whether the line is encrypted.
    pub ssl: SslMode,
}

/// Where PostgreSQL listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// In this directory of Unix sockets.
    Socket(PathBuf),
    /// At this name or address.
    Tcp(String),
}

/// How much is asked of the encryption of the line, as libpq says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// None.
    Disable,
    /// Encrypted if the server can.
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted, and the server shows a certificate that is trusted.
    Verify,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("host", &self.host).field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Display for Database {
    /// `/var/run/postgresql` or `db.example:5432`: where a tired admin looks first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Socket(dir) => write!(f, "{}", dir.display()),
            Host::Tcp(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

impl Database {
    /// What the variables say. `DATABASE_URL` wins over the single ones, as Rails has it.
    ///
    /// # Errors
    /// A sentence, if a port is no number or the address is none of PostgreSQL.
    pub fn of(variables: &Variables) -> Result<Self, String> {
        let get = |name: &str| variables.get(name);
        let mut found = Self {
            host: host(get("DB_HOST").unwrap_or("localhost")),
            port: port(get("DB_PORT").unwrap_or("5432"))?,
            user: get("DB_USER").unwrap_or("mastodon").to_owned(),
            password: get("DB_PASS").map(str::to_owned),
            name: get("DB_NAME").unwrap_or("mastodon_production").to_owned(),
            ssl: ssl(get("DB_SSLMODE").unwrap_or("prefer"))?,
        };
        if let Some(url) = get("DATABASE_URL") {
            found.take_from(url)?;
        }
        Ok(found)
    }

    fn take_from(&mut self, url: &str) -> Result<(), String> {
        let (scheme, rest) = url.split_once("://").ok_or("DATABASE_URL is no address")?;
        if !matches!(scheme, "postgres" | "postgresql" | "postgis") {
            return Err(format!("DATABASE_URL begins with {scheme:?}, which is not PostgreSQL"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
        let (who, at) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        let (at, number) = at.rsplit_once(':').filter(|(_, n)| !n.contains(']')).unwrap_or((at, ""));
        let take = |to: &mut String, from: &str| {
            if !from.is_empty() {
                *to = decoded(from);
            }
        };
        take(&mut self.user, user);
        take(&mut self.name, name);
        if !password.is_empty() {
            self.password = Some(decoded(password));
        }
        if !at.is_empty() {
            self.host = host(&decoded(at.trim_start_matches('[').trim_end_matches(']')));
        }
        if !number.is_empty() {
            self.port = port(number)?;
        }
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "host" => self.host = host(&decoded(value)),
                "port" => self.port = port(value)?,
                "user" => self.user = decoded(value),
                "password" => self.password = Some(decoded(value)),
                "sslmode" => self.ssl = ssl(value)?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn host(text: &str) -> Host {
    if text.starts_with('/') { Host::Socket(text.into()) } else { Host::Tcp(text.to_owned()) }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("the port of the database {text:?} is no number"))
}

fn ssl(text: &str) -> Result<SslMode, String> {
    match text {
        "disable" => Ok(SslMode::Disable),
        "allow" | "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-ca" | "verify-full" => Ok(SslMode::Verify),
        other => Err(format!("DB_SSLMODE {other:?} is none that libpq knows")),
    }
}

/// A part of a URL with its `%XX` read; what is no such sign stays as it is.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *first == b'%').and_then(|h| std::str::from_utf8(h).ok());
        if let Some(byte) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Database {
        Database::of(&pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()).unwrap()
    }

    #[test]
    fn what_is_not_set_is_as_mastodon_has_it() {
        let found = of(&[]);
        assert_eq!(found.host, Host::Tcp("localhost".into()));
        assert_eq!((found.port, found.user.as_str()), (5432, "mastodon"));
        assert_eq!((found.name.as_str(), found.ssl), ("mastodon_production", SslMode::Prefer));
        assert_eq!(of(&[("DB_HOST", "/var/run/postgresql")]).to_string(), "/var/run/postgresql");
    }

    #[test]
    fn an_address_wins_over_the_single_variables() {
        let url = "postgres://toot:p%40ss@db.example:6432/social?sslmode=require";
        let found = of(&[("DATABASE_URL", url), ("DB_HOST", "other"), ("DB_USER", "other")]);
        assert_eq!(found.to_string(), "db.example:6432");
        assert_eq!(found.password.as_deref(), Some("p@ss"));
        assert_eq!((found.user.as_str(), found.name.as_str()), ("toot", "social"));
        assert_eq!(found.ssl, SslMode::Require);
        assert!(!format!("{found:?}").contains("p@ss"));
        let socket = of(&[("DATABASE_URL", "postgresql:///social?host=/run/postgresql")]);
        assert_eq!(socket.host, Host::Socket("/run/postgresql".into()));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let wrong = |name: &str, value: &str| {
            Database::of(&[(name.to_owned(), value.to_owned())].into_iter().collect()).unwrap_err()
        };
        assert!(wrong("DB_PORT", "five").contains("five"));
        assert!(wrong("DATABASE_URL", "mysql://x/y").contains("mysql"));
        assert!(wrong("DB_SSLMODE", "yes").contains("yes"));
    }
}

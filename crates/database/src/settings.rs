//! How the database is reached: as the instance does, or by what the step says instead.

use crate::error::DatabaseError;
use mastmaint_instance::{Database, Host, SslMode, Variables};
use mastmaint_verify::check::Env;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Variables of libpq that the instance may have beside its own.
const OF_LIBPQ: [&str; 7] =
    ["PGPASSFILE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGCHANNELBINDING", "PGGSSENCMODE"];

/// The instance, as far as its database is concerned.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Rails root: the code that the database must belong to.
    pub(crate) live: PathBuf,
    /// Where its environment files lie; where a restore decided so, beside a copy.
    pub(crate) at: PathBuf,
    /// The way that is taken.
    pub(crate) way: Way,
    /// The way that the instance takes, where that is another one.
    pub(crate) own: Option<Way>,
    /// Its variables: its domain and its secrets.
    pub(crate) env: Env,
}

/// A way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) database: Database,
    /// The mode as libpq writes it.
    ssl: &'static str,
    /// What else libpq finds in its environment.
    more: BTreeMap<String, String>,
}

impl Settings {
    /// Reads them from the environment files in `at`: `instance` is what a process of the instance finds beside its files,
    /// `over` counts more than both.
    ///
    /// # Errors
    /// If a file cannot be read, or a variable makes no sense.
    pub fn read(
        live: &Path,
        at: &Path,
        instance: &BTreeMap<String, String>,
        over: &BTreeMap<String, String>,
    ) -> Result<Self, DatabaseError> {
        let wrong = DatabaseError::Settings;
        let variables = Variables::read(at, instance).map_err(|e| wrong(e.to_string()))?;
        let own = Way::of(&variables).map_err(wrong)?;
        let way = own.with(&variables, over).map_err(wrong)?;
        let mut pairs = variables.into_pairs();
        pairs.extend(over.clone());
        let leads_elsewhere =
            (&own.database.host, own.database.port) != (&way.database.host, way.database.port);
        Ok(Self {
            live: live.to_owned(),
            at: at.to_owned(),
            way,
            own: leads_elsewhere.then_some(own),
            env: pairs.into_iter().collect(),
        })
    }

    /// Which database, and where, for people.
    pub(crate) fn way(&self) -> String {
        format!("{} at {}", self.way.database.name, self.way.at())
    }

    /// The domain in the addresses of its posts.
    pub(crate) fn domain(&self) -> Option<&str> {
        self.env.get("WEB_DOMAIN").or_else(|| self.env.get("LOCAL_DOMAIN"))
    }
}

impl Way {
    fn of(variables: &Variables) -> Result<Self, String> {
        let database = Database::of(variables)?;
        let of_ca = [variables.get("DB_SSLMODE"), variables.get("DATABASE_URL")]
            .into_iter()
            .flatten()
            .any(|text| text.ends_with("verify-ca") || text.contains("sslmode=verify-ca"));
        let ssl = mode(database.ssl, of_ca);
        let more =
            OF_LIBPQ.iter().filter_map(|name| Some(((*name).to_owned(), variables.get(name)?.to_owned())));
        Ok(Self { ssl, more: more.collect(), database })
    }

    /// The same with what counts more. A single variable wins over an address that the instance has in one piece: who
    /// names the direct way means it.
    fn with(&self, variables: &Variables, over: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut pairs = variables.clone().into_pairs();
        if !over.contains_key("DATABASE_URL") {
            pairs.remove("DATABASE_URL");
            let Database { host, port, user, password, name, .. } = &self.database;
            let host = match host {
                Host::Socket(path) => path.to_string_lossy().into_owned(),
                Host::Tcp(host) => host.clone(),
            };
            let set = [
                ("DB_HOST", host),
                ("DB_PORT", port.to_string()),
                ("DB_USER", user.clone()),
                ("DB_NAME", name.clone()),
                ("DB_SSLMODE", self.ssl.to_owned()),
                ("DB_PASS", password.clone().unwrap_or_default()),
            ];
            pairs.extend(set.map(|(name, value)| (name.to_owned(), value)));
        }
        pairs.extend(over.clone());
        Self::of(&pairs.into_iter().collect())
    }

    /// What libpq finds in its environment.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let Database { host, port, user, password, .. } = &self.database;
        let host = match host {
            Host::Socket(path) => path.to_string_lossy().into_owned(),
            Host::Tcp(host) => host.clone(),
        };
        let mut pairs: Vec<(String, String)> = self.more.clone().into_iter().collect();
        let own = [("PGHOST", host), ("PGPORT", port.to_string()), ("PGUSER", user.clone())];
        pairs.extend(own.map(|(name, value)| (name.to_owned(), value)));
        pairs.push(("PGSSLMODE".to_owned(), self.ssl.to_owned()));
        pairs.extend(password.iter().map(|password| ("PGPASSWORD".to_owned(), password.clone())));
        pairs
    }

    /// Where it leads, for people.
    pub(crate) fn at(&self) -> String {
        match &self.database.host {
            Host::Socket(path) => format!("{}, port {}", path.display(), self.database.port),
            Host::Tcp(_) => self.database.to_string(),
        }
    }

    /// Whether the server is on this host, as far as the address says.
    pub(crate) fn is_here(&self) -> bool {
        match &self.database.host {
            Host::Socket(_) => true,
            Host::Tcp(host) => ["localhost", "127.0.0.1", "::1"].contains(&host.as_str()),
        }
    }
}

const fn mode(ssl: SslMode, of_ca: bool) -> &'static str {
    match ssl {
        SslMode::Disable => "disable",
        SslMode::Prefer => "prefer",
        SslMode::Require => "require",
        SslMode::Verify if of_ca => "verify-ca",
        SslMode::Verify => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, over: &[(&str, &str)]) -> Settings {
        let live = tempfile::tempdir().unwrap();
        std::fs::write(live.path().join(".env.production"), file).unwrap();
        let over = over.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Settings::read(live.path(), live.path(), &BTreeMap::new(), &over).unwrap()
    }

    #[test]
    fn the_step_names_the_direct_way_also_where_the_instance_has_an_address() {
        let file = "LOCAL_DOMAIN=mast.test\nDATABASE_URL=postgres://toot:pass@localhost:6432/social?sslmode=verify-ca\n";
        let plain = read(file, &[]);
        assert_eq!((plain.own, plain.way.at().as_str()), (None, "localhost:6432"));
        assert_eq!(plain.way.ssl, "verify-ca");
        let direct = read(file, &[("DB_HOST", "/run/postgresql"), ("DB_PORT", "5432")]);
        assert_eq!(direct.way.at(), "/run/postgresql, port 5432");
        assert_eq!(direct.own.unwrap().at(), "localhost:6432");
        let environment: BTreeMap<_, _> = direct.way.environment().into_iter().collect();
        assert_eq!((environment["PGUSER"].as_str(), environment["PGPASSWORD"].as_str()), ("toot", "pass"));
        assert_eq!((direct.way.database.name.as_str(), direct.way.ssl), ("social", "verify-ca"));
        let whole = read(file, &[("DATABASE_URL", "postgres:///social?host=/run/postgresql")]);
        assert_eq!(whole.way.at(), "/run/postgresql, port 5432");
        assert_eq!((direct.env.get("LOCAL_DOMAIN"), whole.own.is_some()), (Some("mast.test"), true));
    }

    #[test]
    fn what_is_the_same_way_is_no_other_one() {
        let file = "DB_HOST=/run/postgresql\nDB_PASS=a\nPGPASSFILE=/srv/pass\n";
        let same = read(file, &[("DB_PASS", "b")]);
        assert_eq!(same.own, None);
        let environment: BTreeMap<_, _> = same.way.environment().into_iter().collect();
        assert_eq!(
            (environment["PGPASSWORD"].as_str(), environment["PGPASSFILE"].as_str()),
            ("b", "/srv/pass")
        );
        assert!(!format!("{same:?}").contains("\"b\""));
    }
}

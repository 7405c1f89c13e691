//! Where the Redis of Sidekiq is. `SIDEKIQ_REDIS_URL` and its like come before those without the prefix.

use crate::{Listening, Variables, database::decoded};
use std::fmt;

const PORT: u16 = 6379;

/// How to reach Sidekiq's Redis.
#[derive(Clone, PartialEq, Eq)]
pub struct Redis {
    /// Where it listens.
    pub at: Listening,
    /// User of its access list, if one is named.
    pub user: Option<String>,
    /// Password, if it wants one.
    pub password: Option<String>,
    /// Number of the database.
    pub database: u32,
    /// What the names of Sidekiq's keys begin with (Mastodon before 4.4).
    pub namespace: Option<String>,
}

impl fmt::Debug for Redis {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("at", &self.at)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// That of a Sidekiq with these variables.
    ///
    /// # Errors
    /// If it is reached in a way that we do not speak, or if what is said is no address.
    pub fn of_sidekiq(variables: &Variables) -> Result<Self, String> {
        Self::of(variables, "SIDEKIQ_")
    }

    /// Every one that the instance uses: of Mastodon itself, of Sidekiq, of the cache; each once.
    ///
    /// # Errors
    /// As [`Self::of_sidekiq`].
    pub fn all(variables: &Variables) -> Result<Vec<Self>, String> {
        let mut all: Vec<Self> = Vec::new();
        for prefix in ["", "SIDEKIQ_", "CACHE_"] {
            let redis = Self::of(variables, prefix)?;
            if all.iter().all(|known| (&known.at, known.database) != (&redis.at, redis.database)) {
                all.push(redis);
            }
        }
        Ok(all)
    }

    fn of(variables: &Variables, prefix: &str) -> Result<Self, String> {
        let of = |name: &str| {
            let own = variables.get(&format!("{prefix}{name}"));
            own.or_else(|| variables.get(name)).map(str::to_owned)
        };
        if of("REDIS_SENTINELS").is_some() {
            return Err("Redis is found by way of Sentinel, which mastmaintd does not ask".to_owned());
        }
        let namespace = variables.get("REDIS_NAMESPACE").map(str::to_owned);
        // A place of one's own in parts comes before a common URL.
        let own = |name: &str| variables.get(&format!("{prefix}{name}"));
        let own_parts = own("REDIS_URL").is_none() && own("REDIS_HOST").is_some();
        if let Some(url) = of("REDIS_URL").filter(|_| !own_parts) {
            return Ok(Self { namespace, ..Self::from_url(&url)? });
        }
        let port = match of("REDIS_PORT") {
            Some(port) => port.parse().map_err(|_| format!("REDIS_PORT is {port:?}, which is no port"))?,
            None => PORT,
        };
        let host = of("REDIS_HOST").unwrap_or_else(|| "localhost".to_owned());
        let at =
            if host.starts_with('/') { Listening::Unix(host.into()) } else { Listening::Tcp { host, port } };
        let database = of("REDIS_DB").and_then(|number| number.parse().ok()).unwrap_or(0);
        Ok(Self { at, user: of("REDIS_USER"), password: of("REDIS_PASSWORD"), database, namespace })
    }

    fn from_url(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("REDIS_URL is no URL")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let asked = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        if scheme == "unix" {
            let database = asked("db").and_then(|number| number.parse().ok()).unwrap_or(0);
            let (login, path) =
                rest.split_once('@').map_or((None, rest), |(login, path)| (Some(login), path));
            let (user, password) = login_of(login);
            return Ok(Self { at: Listening::Unix(path.into()), user, password, database, namespace: None });
        }
        if scheme != "redis" {
            return Err(format!("Redis is reached by {scheme}, which mastmaintd does not speak"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) =
            authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
        let (user, password) = login_of(login);
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| "REDIS_URL has no port that is a number")?)
            }
            _ => (place, PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = if host.is_empty() { "localhost" } else { host }.to_owned();
        let database = path.parse().unwrap_or(0);
        Ok(Self { at: Listening::Tcp { host, port }, user, password, database, namespace: None })
    }
}

fn login_of(login: Option<&str>) -> (Option<String>, Option<String>) {
    let Some(login) = login else { return (None, None) };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let set = |text: &str| (!text.is_empty()).then(|| decoded(text));
    (set(user), set(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Redis, String> {
        Redis::of_sidekiq(&pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn parts_urls_and_what_is_sidekiqs_own() {
        let usual = of(&[]).unwrap();
        assert_eq!(
            (usual.at.to_string().as_str(), usual.password, usual.database),
            ("localhost:6379", None, 0)
        );
        let parts =
            of(&[("REDIS_HOST", "10.0.0.1"), ("REDIS_PORT", "6380"), ("REDIS_PASSWORD", "x")]).unwrap();
        assert_eq!((parts.at.to_string().as_str(), parts.password.as_deref()), ("10.0.0.1:6380", Some("x")));
        let url = of(&[("REDIS_URL", "redis://me:p%40ss@cache:6381/2"), ("REDIS_NAMESPACE", "m")]).unwrap();
        assert_eq!((url.at.to_string().as_str(), url.database), ("cache:6381", 2));
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("me"), Some("p@ss")));
        assert_eq!(url.namespace.as_deref(), Some("m"));
        let own =
            of(&[("REDIS_URL", "redis://a"), ("SIDEKIQ_REDIS_URL", "unix:///run/redis.sock?db=3")]).unwrap();
        assert_eq!((own.at.to_string().as_str(), own.database), ("/run/redis.sock", 3));
        let own = of(&[("REDIS_URL", "redis://a"), ("SIDEKIQ_REDIS_HOST", "b")]).unwrap();
        assert_eq!(own.at.to_string(), "b:6379");
        assert_eq!(of(&[("REDIS_URL", "redis://[::1]:1")]).unwrap().at.to_string(), "[::1]:1");
    }

    #[test]
    fn each_is_there_once() {
        let all = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let variables = Variables::read(std::path::Path::new("/nonexistent"), &pairs).unwrap();
            let all = Redis::all(&variables).unwrap();
            all.iter().map(|redis| format!("{}/{}", redis.at, redis.database)).collect::<Vec<_>>()
        };
        assert_eq!(all(&[]), ["localhost:6379/0"]);
        assert_eq!(
            all(&[
                ("REDIS_URL", "redis://a/1"),
                ("CACHE_REDIS_URL", "redis://b/2"),
                ("SIDEKIQ_REDIS_URL", "redis://a/1")
            ]),
            ["a:6379/1", "b:6379/2"]
        );
    }

    #[test]
    fn what_we_do_not_speak_is_said() {
        assert!(of(&[("REDIS_URL", "rediss://cache")]).unwrap_err().contains("by rediss"));
        assert!(of(&[("REDIS_SENTINELS", "a,b")]).unwrap_err().contains("Sentinel"));
    }

    #[test]
    fn the_password_is_not_printed() {
        let redis = of(&[("REDIS_PASSWORD", "correct-horse")]).unwrap();
        assert!(!format!("{redis:?}").contains("horse"));
    }
}

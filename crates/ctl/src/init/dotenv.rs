//! `.env.production` as dotenv reads it, as far as it tells where things are. No secret of it is kept.

use super::host::{Media, Place};
use std::{collections::BTreeMap, path::Path};

/// The variables of an environment file.
pub type Variables = BTreeMap<String, String>;

/// Reads `KEY=value` lines; the last of two with the same key wins.
pub fn parse(text: &str) -> Variables {
    text.lines().filter_map(pair).collect()
}

fn pair(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let is_name = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| (key.to_owned(), value_of(value.trim())))
}

fn value_of(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inside, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inside.to_owned();
        }
    }
    value.split_once(" #").map_or(value, |(before, _)| before).trim_end().to_owned()
}

/// `WEB_DOMAIN`, else `LOCAL_DOMAIN`: where visitors find it.
pub fn domain(vars: &Variables) -> Option<String> {
    ["WEB_DOMAIN", "LOCAL_DOMAIN"].iter().find_map(|key| set(vars, key)).map(str::to_owned)
}

/// `LOCAL_DOMAIN`: the name behind the @ of its accounts.
pub fn local_domain(vars: &Variables) -> Option<String> {
    set(vars, "LOCAL_DOMAIN").map(str::to_owned)
}

/// Where PostgreSQL is.
pub fn database(vars: &Variables) -> Place {
    match set(vars, "DATABASE_URL") {
        Some(url) => place(host_of_url(url)),
        None => place(set(vars, "DB_HOST").unwrap_or_default()),
    }
}

/// Where Redis is.
pub fn redis(vars: &Variables) -> Place {
    match set(vars, "REDIS_URL") {
        Some(url) => place(host_of_url(url)),
        None => place(set(vars, "REDIS_HOST").unwrap_or_default()),
    }
}

/// What tells that `PgBouncer` stands before PostgreSQL.
pub fn pgbouncer(vars: &Variables) -> Option<&'static str> {
    let url = set(vars, "DATABASE_URL").unwrap_or_default();
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    if set(vars, "DB_PORT") == Some("6432") {
        Some("DB_PORT=6432")
    } else if authority.ends_with(":6432") {
        Some("port 6432 in DATABASE_URL")
    } else if set(vars, "PREPARED_STATEMENTS") == Some("false") {
        Some("PREPARED_STATEMENTS=false")
    } else {
        None
    }
}

/// Where media is, by the variables alone.
pub fn media(vars: &Variables, live: &Path) -> Media {
    if set(vars, "S3_ENABLED") == Some("true") || set(vars, "SWIFT_ENABLED") == Some("true") {
        return Media::S3 { bucket: set(vars, "S3_BUCKET").map(str::to_owned) };
    }
    let path = match set(vars, "PAPERCLIP_ROOT_PATH") {
        Some(path) => live.join(path.replace(":rails_root", &live.to_string_lossy())),
        None => live.join("public/system"),
    };
    Media::Local { path, apart: None }
}

fn set<'a>(vars: &'a Variables, key: &str) -> Option<&'a str> {
    vars.get(key).map(String::as_str).filter(|value| !value.is_empty())
}

/// The host of `scheme://user:password@host:port/path?host=/socket`; empty for a socket or none.
fn host_of_url(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else { return "" };
    if scheme == "unix" {
        return "";
    }
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split(':').next().unwrap_or(""),
    }
}

fn place(host: &str) -> Place {
    let is_here = host.is_empty()
        || host.starts_with('/')
        || host.starts_with("127.")
        || host == "::1"
        || host.eq_ignore_ascii_case("localhost");
    if is_here { Place::Local } else { Place::Remote(host.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_dotenv_reads() {
        let vars = parse(
            "# comment\nLOCAL_DOMAIN=social.example\nexport DB_HOST = 'db.example'\nX=\"a # b\"\nY=a # b\n\nbad line\nDB_PASS=a=b",
        );
        assert_eq!(vars["LOCAL_DOMAIN"], "social.example");
        assert_eq!(vars["DB_HOST"], "db.example");
        assert_eq!((vars["X"].as_str(), vars["Y"].as_str()), ("a # b", "a"));
        assert_eq!(vars["DB_PASS"], "a=b");
        assert_eq!(vars.len(), 5);
    }

    #[test]
    fn places_are_told_from_hosts_and_urls() {
        let of = |text: &str| (database(&parse(text)), redis(&parse(text)));
        assert_eq!(of(""), (Place::Local, Place::Local));
        assert_eq!(of("DB_HOST=/var/run/postgresql\nREDIS_HOST=127.0.0.1"), (Place::Local, Place::Local));
        assert_eq!(
            of("DB_HOST=10.0.0.5\nREDIS_URL=redis://:p@ss@cache.example:6379/1"),
            (Place::Remote("10.0.0.5".into()), Place::Remote("cache.example".into()))
        );
        assert_eq!(
            of(
                "DB_HOST=localhost\nDATABASE_URL=postgres://m:secret@[2001:db8::1]:5432/mastodon\nREDIS_URL=unix:///run/redis.sock"
            ),
            (Place::Remote("2001:db8::1".into()), Place::Local)
        );
    }

    #[test]
    fn pgbouncer_gives_itself_away() {
        assert_eq!(pgbouncer(&parse("DB_PORT=6432")), Some("DB_PORT=6432"));
        assert_eq!(pgbouncer(&parse("PREPARED_STATEMENTS=false")), Some("PREPARED_STATEMENTS=false"));
        assert!(pgbouncer(&parse("DATABASE_URL=postgres://u:6432@db:6432/m")).is_some());
        assert_eq!(pgbouncer(&parse("DB_PORT=5432\nDATABASE_URL=postgres://u:6432@db:5432/m")), None);
    }

    #[test]
    fn media_is_local_unless_an_object_store_is_on() {
        let live = Path::new("/srv/live");
        let local = |path: &str| Media::Local { path: path.into(), apart: None };
        assert_eq!(media(&parse("S3_ENABLED=false"), live), local("/srv/live/public/system"));
        assert_eq!(media(&parse("PAPERCLIP_ROOT_PATH=/mnt/media"), live), local("/mnt/media"));
        assert_eq!(media(&parse("PAPERCLIP_ROOT_PATH=:rails_root/up"), live), local("/srv/live/up"));
        assert_eq!(
            media(&parse("S3_ENABLED=true\nS3_BUCKET=media"), live),
            Media::S3 { bucket: Some("media".into()) }
        );
    }
}

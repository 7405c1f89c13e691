//! The environment that Mastodon is started in: what its `.env.production` says, but for everything that leads to the
//! running instance or out of the room. The file itself is taken away, so that nothing else counts.

use crate::check::Env;
use mastmaint_words::stage::Stage;
use std::path::Path;

/// What leads to databases, mail, stores and other hosts, or is ours to say: names, and what names begin with.
const NOT_TAKEN: [&str; 49] = [
    "DB_",
    "DATABASE_",
    "REPLICA_",
    "PREPARED_STATEMENTS",
    "PG",
    "REDIS_",
    "CACHE_REDIS_",
    "SIDEKIQ_",
    "SMTP_",
    "BULK_SMTP_",
    "S3_",
    "AWS_",
    "SWIFT_",
    "AZURE_",
    "FOG_",
    "PAPERCLIP_",
    "CDN_HOST",
    "STREAMING_",
    // Files would be named to a web server instead of being sent.
    "SENDFILE_HEADER",
    "ES_",
    "OTEL_",
    "STATSD_",
    // A server of metrics that listens (Mastodon's config/initializers/prometheus_exporter.rb).
    "MASTODON_PROMETHEUS_",
    // Who is let in is asked of other hosts; with these two already at the start (app/lib/content_security_policy.rb).
    "OMNIAUTH_ONLY",
    "ONE_CLICK_SSO_LOGIN",
    "LDAP_",
    "PAM_",
    "CAS_",
    "SAML_",
    "OIDC_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_",
    "https_",
    "SOCKET",
    "BIND",
    "PORT",
    "PROXY_PROTO_V1",
    "WEB_CONCURRENCY",
    // More of these than of the others, which are ours, and puma does not start (config/puma.rb).
    "MIN_THREADS",
    "MAX_THREADS",
    "RAILS_",
    "RUBY",
    "BUNDLE_",
    "GEM_",
    "LD_",
    "PATH",
    "HOME",
    "MALLOC_",
];
/// Values of such names are never shown.
const SECRETS: [&str; 8] = ["SECRET", "KEY", "PASS", "TOKEN", "SALT", "CREDENTIAL", "OTP", "DSN"];
/// A shorter value would make a riddle of every line.
const SHORTEST: usize = 6;

/// Where everything is that the backup's own settings must not name.
pub(super) struct Ground<'a> {
    /// Where the socket of PostgreSQL is.
    pub(super) postgres: &'a Path,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
    pub(super) redis: &'a Path,
    /// On which Mastodon shall listen.
    pub(super) puma: &'a Path,
}

/// The variables, by name and value.
pub(super) fn environment(env: &Env, ground: &Ground<'_>) -> Vec<(String, String)> {
    let taken = env.all().filter(|(name, _)| is_taken(name)).map(|(n, v)| (n.to_owned(), v.to_owned()));
    let path = |path: &Path| path.display().to_string();
    let ours = [
        ("RAILS_ENV", "production".to_owned()),
        ("RACK_ENV", "production".to_owned()),
        ("NODE_ENV", "production".to_owned()),
        ("RAILS_LOG_TO_STDOUT", "enabled".to_owned()),
        ("DB_HOST", path(ground.postgres)),
        ("DB_NAME", ground.database.to_owned()),
        ("DB_USER", ground.user.to_owned()),
        ("REDIS_URL", format!("unix://{}", path(ground.redis))),
        ("SOCKET", path(ground.puma)),
        ("WEB_CONCURRENCY", "0".to_owned()),
        ("MAX_THREADS", "2".to_owned()),
        // Mail is kept in memory and goes nowhere, walls or not.
        ("SMTP_DELIVERY_METHOD", "test".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
    ];
    taken.chain(ours.into_iter().map(|(name, value)| (name.to_owned(), value))).collect()
}

/// What is said beside that where a person looks: files of `public/` are served, there is no streaming, and no page leads to
/// that of the running instance, which is what Mastodon's `config/initializers/1_hosts.rb` would make of the domain: with the
/// token of whoever is logged in to the copy.
pub(super) fn staged(stage: &Stage) -> Vec<(String, String)> {
    let ours = [
        ("RAILS_SERVE_STATIC_FILES", "true".to_owned()),
        ("STREAMING_API_BASE_URL", format!("ws://127.0.0.1:{}", stage.port)),
        ("MAX_THREADS", "5".to_owned()),
    ];
    ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn is_taken(name: &str) -> bool {
    let is_beginning = |other: &str| other.ends_with('_') || matches!(other, "PG" | "RUBY");
    !NOT_TAKEN.iter().any(|other| name == *other || (is_beginning(other) && name.starts_with(other)))
}

/// A line without the secrets of the backup, and without anything that writes on a terminal.
pub(super) fn redacted(line: &str, env: &Env) -> String {
    let mut line = line.to_owned();
    for (name, value) in env.all() {
        if value.len() >= SHORTEST && SECRETS.iter().any(|word| name.contains(word)) {
            line = line.replace(value, &format!("[{name}]"));
        }
    }
    crate::finding::shown(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const FILE: &str = "LOCAL_DOMAIN=mast.test\nSECRET_KEY_BASE=verysecret\nDB_HOST=10.0.0.1\nDB_PASS=hunter2hunter2\n\
        DATABASE_URL=postgresql://10.0.0.1/x\nREDIS_HOST=10.0.0.2\nSIDEKIQ_REDIS_URL=redis://10.0.0.2\nSMTP_SERVER=mail.test\n\
        S3_ENABLED=true\nOMNIAUTH_ONLY=true\nOIDC_ISSUER=https://10.0.0.6\nLDAP_HOST=10.0.0.7\nMIN_THREADS=9\nAWS_SECRET_ACCESS_KEY=abc\nES_ENABLED=true\nPORT=3000\nSENDFILE_HEADER=X-Sendfile\nRUBYOPT=-rx\nLD_PRELOAD=/x.so\nPATH=/x\n\
        PGHOST=10.0.0.1\nCDN_HOST=https://10.0.0.4\nSTREAMING_API_BASE_URL=wss://10.0.0.5\nhttp_proxy=http://10.0.0.3\nACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY=primarykey\nESTIMATE=1\n";

    fn ground() -> Ground<'static> {
        let at = |path: &'static str| Path::new(path);
        Ground {
            postgres: at("/s"),
            database: "mastodon",
            user: "postgres",
            redis: at("/s/redis"),
            puma: at("/s/puma"),
        }
    }

    #[test]
    fn nothing_leads_to_the_running_instance() {
        let env: BTreeMap<_, _> = environment(&Env::parse(FILE), &ground()).into_iter().collect();
        assert!(
            !env.values().any(|value| value.contains("10.0.0.") || value.contains("mail.test")),
            "{env:?}"
        );
        for gone in [
            "DATABASE_URL",
            "S3_ENABLED",
            "SMTP_SERVER",
            "RUBYOPT",
            "LD_PRELOAD",
            "PATH",
            "PORT",
            "SENDFILE_HEADER",
            "OMNIAUTH_ONLY",
            "MIN_THREADS",
        ] {
            assert!(!env.contains_key(gone), "{gone}");
        }
        assert_eq!(env["LOCAL_DOMAIN"], "mast.test");
        assert_eq!(env["ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY"], "primarykey");
        assert_eq!(env["ESTIMATE"], "1", "only whole names are left out");
        assert_eq!((env["DB_HOST"].as_str(), env["REDIS_URL"].as_str()), ("/s", "unix:///s/redis"));
        assert_eq!(env["SMTP_DELIVERY_METHOD"], "test");
    }

    #[test]
    fn no_secret_is_shown() {
        let env = Env::parse(FILE);
        let shown = redacted("key verysecret of mast.test, hunter2hunter2\u{1b}[31m", &env);
        assert_eq!(shown, "key [SECRET_KEY_BASE] of mast.test, [DB_PASS]\\u{1b}[31m");
    }
}

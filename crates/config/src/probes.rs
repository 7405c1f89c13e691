//! Probes: health questions that are put to the instance on a short schedule of their own, and what each asks. What is
//! written here is written in the file in the same words.

use crate::requires::FreeSpace;
use mastmaint_words::{ProbeName, Span};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

/// The probes of a configuration.
pub type Probes = BTreeMap<ProbeName, Probe>;

/// A probe with its policy. All defaults are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked.
    #[serde(flatten)]
    pub question: Question,
    /// How often.
    pub every: Span,
    /// One that has not been answered by then counts as no.
    pub timeout: Span,
    /// So many answers of no in a row are an incident.
    pub down_after: u16,
    /// So many answers of yes in a row end it.
    pub up_after: u16,
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Question {
    /// Pages as visitors get them, with every stylesheet and script that they name.
    Web {
        /// Which, from the root on.
        pages: Vec<String>,
        /// Where they are asked for instead of `instance.url`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<LocalAddress>,
    },
    /// What apps ask first.
    Api {
        /// Where it is asked instead of `instance.url`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<LocalAddress>,
    },
    /// Each instance of the streaming server.
    Streaming,
    /// Its heartbeat, and how long jobs wait.
    Sidekiq {
        /// No job may have waited longer.
        oldest_job: Span,
    },
    /// Whether the instance's units run and are not restarted.
    Units,
    /// The instance's database.
    Postgres,
    /// The instance's Redis.
    Redis,
    /// Room on file systems.
    Disk {
        /// So much there must be.
        free: Vec<FreeSpace>,
    },
    /// The certificate of `instance.url`.
    Certificate {
        /// It must be good for so long.
        expires_in: Span,
    },
    /// The built assets of every theme.
    Assets,
}

impl Question {
    /// Every word of a kind.
    pub const KINDS: [&'static str; 10] =
        ["web", "api", "streaming", "sidekiq", "units", "postgres", "redis", "disk", "certificate", "assets"];

    /// The word in the file.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Web { .. } => "web",
            Self::Api { .. } => "api",
            Self::Streaming => "streaming",
            Self::Sidekiq { .. } => "sidekiq",
            Self::Units => "units",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Disk { .. } => "disk",
            Self::Certificate { .. } => "certificate",
            Self::Assets => "assets",
        }
    }

    /// What whoever is woken by a no does first.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Web { .. } => {
                "look at \"journalctl -u mastodon-web\" and the web server's log; after a change of themes build the \
                 assets again and restart web"
            }
            Self::Api { .. } => "look at \"journalctl -u mastodon-web\", at Redis and at PostgreSQL",
            Self::Streaming => "look at \"journalctl -u 'mastodon-streaming*'\"",
            Self::Sidekiq { .. } => "look at \"journalctl -u 'mastodon-sidekiq*'\" and at /sidekiq/queues",
            Self::Units => "look at the unit's journal",
            Self::Postgres => "look at \"systemctl status postgresql\" and its log",
            Self::Redis => "look at \"systemctl status redis-server\" and its log",
            Self::Disk { .. } => {
                "make room: \"mastmaintctl run\" a job that removes cached media, or see what grew"
            }
            Self::Certificate { .. } => "renew it, and reload the web server",
            Self::Assets => {
                "take the theme out of config/themes.yml or build the assets again (rm \
                 tmp/cache/vite/last-build-production.json, RAILS_ENV=production bin/rails assets:precompile), then \
                 restart web"
            }
        }
    }
}

/// Where a server of this host listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LocalAddress {
    /// At a Unix socket.
    Unix(PathBuf),
    /// At a host and port.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
}

/// Why a text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address; write it like \"127.0.0.1:3000\" or \"/run/puma.sock\"")]
pub struct ParseAddressError(String);

impl FromStr for LocalAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let wrong = || ParseAddressError(text.chars().take(64).collect());
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        let port = port.parse().ok().filter(|port| *port > 0);
        match port {
            Some(port) if !host.is_empty() && host.chars().all(is_host) => {
                Ok(Self::Tcp { host: host.to_owned(), port })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl TryFrom<String> for LocalAddress {
    type Error = ParseAddressError;

    fn try_from(text: String) -> Result<Self, ParseAddressError> {
        text.parse()
    }
}

impl From<LocalAddress> for String {
    fn from(address: LocalAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back() {
        for text in ["127.0.0.1:3000", "[::1]:3000", "localhost:80", "/run/puma.sock"] {
            let address: LocalAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        for text in ["", "3000", "127.0.0.1", "127.0.0.1:0", "a b:1", ":80", "http://x:1", "x:70000"] {
            assert!(text.parse::<LocalAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_kind_has_its_word() {
        for kind in Question::KINDS {
            let json = format!(
                r#"{{"kind":"{kind}","pages":["/about"],"oldest_job":"1h","free":[],"expires_in":"14d"}}"#
            );
            assert_eq!(serde_json::from_str::<Question>(&json).unwrap().kind(), kind);
        }
    }
}

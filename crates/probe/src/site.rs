//! The instance as it is reached over HTTP: by its public address like a visitor, or at a server of this host like the
//! proxy before it. What a cache on the way answers in the server's stead says nothing of the server.

use crate::Asker;
use mastmaint_config::probes::LocalAddress;
use mastmaint_instance::{Listening, Server, Variables};
use mastmaint_runner::probe::connect;
use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use ureq::{
    Agent,
    tls::{RootCerts, TlsConfig},
};

/// More than any page or asset of a Mastodon has.
const MOST_BYTES: u64 = 30 * 1024 * 1024;
/// A page that is kept for longer is as old as an incident.
const GOOD_FOR: Duration = Duration::from_mins(1);
const AGENT: &str = concat!("mastmaintd/", env!("CARGO_PKG_VERSION"));

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// As said; nothing where it is not.
    pub(crate) length: Option<u64>,
    /// Nothing of a question for the head only.
    pub(crate) body: Vec<u8>,
    /// Whether a cache says that it has not asked the server.
    pub(crate) is_kept: bool,
}

/// Who may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// A cache on the way too, as long as it does not say that it is past its time.
    Anybody,
    /// The server itself.
    Server,
}

/// Where it is asked.
pub(crate) enum Site {
    /// Like a visitor.
    Public(Visitor),
    /// Like the proxy.
    Local {
        /// Where its server listens.
        at: Listening,
        /// What it believes itself to be.
        host: String,
    },
}

/// Asks as visitors do.
pub(crate) struct Visitor {
    agent: Agent,
    base: String,
    deadline: Instant,
}

impl Site {
    /// At the address, else at `instance.url`, else where web listens.
    pub(crate) fn of(
        asker: &Asker,
        address: Option<&LocalAddress>,
        deadline: Instant,
    ) -> Result<Self, String> {
        let at = match (address, Visitor::of(asker, deadline)) {
            (None, Some(visitor)) => return Ok(Self::Public(visitor)),
            (Some(LocalAddress::Unix(path)), _) => Listening::Unix(path.clone()),
            (Some(LocalAddress::Tcp { host, port }), _) => Listening::Tcp { host: host.clone(), port: *port },
            (None, None) => {
                let variables = asker.variables_of_web()?;
                return Ok(Self::Local { at: Server::Web.listens(&variables)?, host: host_in(&variables)? });
            }
        };
        let host = host_of_url(asker).map_or_else(|| host_in(&asker.variables_of_web()?), Ok)?;
        Ok(Self::Local { at, host })
    }

    /// Gets a page. Mastodon's own configuration of nginx keeps pages and goes on to answer with them for a week while the
    /// server behind it fails (`proxy_cache_use_stale`, `dist/nginx.conf`), which is the outage itself.
    pub(crate) fn get(&self, page: &str, by: By) -> Result<Answer, String> {
        let visitor = match self {
            Self::Public(visitor) => visitor,
            Self::Local { at, host } => return local(at, host, page).map_err(|error| error.to_string()),
        };
        if by == By::Anybody {
            let answer = visitor.get(&format!("{}{page}", visitor.base))?;
            if !answer.is_kept {
                return Ok(answer);
            }
        }
        visitor.get(&format!("{}{}", visitor.base, never_asked(page)))
    }

    /// Where a page is, for people.
    pub(crate) fn place(&self, page: &str) -> String {
        match self {
            Self::Public(visitor) => format!("{}{page}", visitor.base),
            Self::Local { at, .. } => format!("{page} at {at}"),
        }
    }
}

/// The same page by an address that no cache has: it is kept by its address, and Mastodon passes over what it does not know.
fn never_asked(page: &str) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let sign = if page.contains('?') { '&' } else { '?' };
    format!("{page}{sign}mastmaintd={}", since.as_nanos())
}

/// Whether an answer is one that a cache keeps beyond its time, by what caches say: nginx as Mastodon configures it,
/// Cloudflare, RFC 9211 and RFC 9111. Pages for visitors are good for 15 s.
fn is_kept<'a>(header: impl Fn(&str) -> Option<&'a str>) -> bool {
    let says = |name, words: &[&str]| {
        header(name).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            words.iter().any(|word| value.contains(word))
        })
    };
    let age = header("age").and_then(|age| age.trim().parse().ok()).map(Duration::from_secs);
    says("x-cached", &["stale", "updating"])
        || says("x-cache-status", &["stale", "updating"])
        || says("cf-cache-status", &["stale", "updating"])
        || says("cache-status", &["stale"])
        || says("warning", &["110", "111"])
        || age.is_some_and(|age| age > GOOD_FOR)
}

/// What web takes itself to be; it refuses questions for anybody else.
fn host_of_url(asker: &Asker) -> Option<String> {
    let (_, host) = asker.instance.url.as_deref()?.split_once("://")?;
    Some(host.trim_end_matches('/').to_owned())
}

/// The same where no address is configured.
fn host_in(variables: &Variables) -> Result<String, String> {
    let host = variables.get("WEB_DOMAIN").or_else(|| variables.get("LOCAL_DOMAIN"));
    host.map(str::to_owned).ok_or_else(|| "neither instance.url nor LOCAL_DOMAIN is set".to_owned())
}

impl Visitor {
    /// One for `instance.url`, if that is set.
    pub(crate) fn of(asker: &Asker, deadline: Instant) -> Option<Self> {
        let base = asker.instance.url.as_ref()?.trim_end_matches('/').to_owned();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(5)
            .user_agent(AGENT)
            .proxy(None)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build()
            .into();
        Some(Self { agent, base, deadline })
    }

    /// `https://social.example`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Gets an address.
    pub(crate) fn get(&self, url: &str) -> Result<Answer, String> {
        let asked = self.agent.get(url).config().timeout_global(Some(self.left())).build().call();
        let mut response = asked.map_err(|error| sentence(&error))?;
        let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        Ok(Answer { body: body.map_err(|error| sentence(&error))?, ..head(&response) })
    }

    /// Asks for the head of what is at an address.
    pub(crate) fn head(&self, url: &str) -> Result<Answer, String> {
        let asked = self.agent.head(url).config().timeout_global(Some(self.left())).build().call();
        asked.map(|response| head(&response)).map_err(|error| sentence(&error))
    }

    fn left(&self) -> Duration {
        // Nothing at all would mean no limit.
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }
}

fn head(response: &ureq::http::Response<ureq::Body>) -> Answer {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    Answer {
        status: response.status().as_u16(),
        content_type: header("content-type").unwrap_or_default().to_owned(),
        length: header("content-length").and_then(|length| length.parse().ok()),
        body: Vec::new(),
        is_kept: is_kept(header),
    }
}

fn sentence(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it gives no answer in time".to_owned(),
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::ConnectionFailed => "nobody answers there".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        other => other.to_string(),
    }
}

/// In the oldest version, which needs no answer in pieces.
fn local(at: &Listening, host: &str, page: &str) -> std::io::Result<Answer> {
    let mut stream = connect(at)?;
    // Without the last two Rails answers 403 or 301.
    let request = format!(
        "GET {page} HTTP/1.0\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    parse(&answer).ok_or_else(|| std::io::Error::other("what answers there does not speak HTTP"))
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    let status = words.next()?.parse().ok()?;
    let mut found = Answer { status, body: answer[end + 4..].to_vec(), ..Answer::default() };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match name.to_ascii_lowercase().as_str() {
            "content-type" => value.trim().clone_into(&mut found.content_type),
            "content-length" => found.length = value.trim().parse().ok(),
            _ => {}
        }
    }
    let is_whole = found.length.is_none_or(|length| length == found.body.len() as u64);
    is_whole.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_a_cache_keeps_past_its_time_is_not_the_servers() {
        let kept =
            |name: &'static str, value: &'static str| is_kept(move |asked| (asked == name).then_some(value));
        for (name, value) in [
            ("x-cached", "STALE"),
            ("x-cached", "UPDATING"),
            ("cf-cache-status", "STALE"),
            ("cache-status", "Nginx; fwd=stale; fwd-status=502"),
            ("warning", "110 - \"Response is Stale\""),
            ("age", "86400"),
        ] {
            assert!(kept(name, value), "{name}: {value}");
        }
        for (name, value) in [("x-cached", "HIT"), ("x-cached", "MISS"), ("age", "14"), ("server", "nginx")] {
            assert!(!kept(name, value), "{name}: {value}");
        }
        let (one, other) = (never_asked("/about"), never_asked("/about"));
        assert!(one.starts_with("/about?mastmaintd=") && one != other);
        assert!(never_asked("/a?b=c").starts_with("/a?b=c&mastmaintd="));
    }

    #[test]
    fn an_answer_is_taken_apart() {
        let answer =
            parse(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "text/html"));
        assert_eq!((answer.length, answer.body.as_slice()), (Some(2), &b"hi"[..]));
        assert!(parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi").is_none(), "it was cut");
        assert!(parse(b"SSH-2.0\r\n\r\n").is_none() && parse(b"").is_none());
    }
}

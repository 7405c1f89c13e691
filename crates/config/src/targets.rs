//! Who is told what: the targets of `notify:`. Addresses, URLs and tokens are for the notify room alone; the daemon gets
//! [`TargetView`], which names none of them.

use crate::{calendar::Schedule, load::short_digest};
use mastmaint_words::{JobName, Occasion, TargetKey};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
};

/// What must not be shown: serialised as it is, debugged as nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for whoever sends it to where it belongs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// One entry of `notify:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What it is told of; empty for pings, which are told of every start and end.
    pub on: BTreeSet<Occasion>,
    /// Of which jobs; empty for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub jobs: BTreeSet<JobName>,
    /// When the summary is sent, if it is told of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Schedule>,
    /// How it is reached.
    pub way: Way,
}

/// How a target is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By mail.
    Mail(Mail),
    /// By an HTTP request with a body.
    Webhook(Webhook),
    /// By pings in the manner of healthchecks.io.
    Healthchecks {
        /// The check's address; `/start` and `/fail` are added to it.
        url: Secret,
    },
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// To whom: an address, or a user of this host.
    pub to: String,
    /// From whom; `mastmaintd` at this host's mail name where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// By what.
    pub via: Via,
}

/// What takes a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// A mail server.
    Smtp(Smtp),
    /// A program that takes a mail on standard input, as sendmail does.
    Sendmail {
        /// Its whole path.
        program: PathBuf,
    },
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is secured.
    pub tls: Tls,
    /// With which name and password, if it asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
}

/// How the way to a mail server is secured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Not at all.
    #[default]
    None,
    /// After a greeting in the clear, or no mail is sent.
    Starttls,
    /// From the first byte on.
    Always,
}

/// Name and password for a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The file that holds the password, read by the notify room's user.
    pub password_file: PathBuf,
}

/// An HTTP request with a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where to.
    pub url: Secret,
    /// What the other side understands.
    pub preset: Preset,
    /// What it wants to see first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
}

/// What the other side of a webhook understands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The JSON of the manual.
    #[default]
    Json,
    /// ntfy: the URL names the topic.
    Ntfy,
    /// Gotify: the URL is that of the server.
    Gotify,
}

/// What the daemon sees of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    /// What it is known by. A view that an older version stored names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<TargetKey>,
    /// Its kind, for people: `mail`, `webhook`, `ntfy`, `gotify`, `healthchecks`.
    pub label: String,
    /// What it is told of.
    pub on: BTreeSet<Occasion>,
    /// Of which jobs; empty for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub jobs: BTreeSet<JobName>,
    /// When the summary is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Schedule>,
    /// Whether it is pinged at each start and end.
    #[serde(default)]
    pub pings: bool,
}

impl TargetView {
    /// Whether it wants to hear of something, about a job or about all of them.
    pub fn wants(&self, occasion: Occasion, job: Option<&JobName>) -> bool {
        let its_job = job.is_none_or(|job| self.jobs.is_empty() || self.jobs.contains(job));
        its_job && self.on.contains(&occasion)
    }

    /// Whether it is pinged about a job.
    pub fn pings_for(&self, job: &JobName) -> bool {
        self.pings && (self.jobs.is_empty() || self.jobs.contains(job))
    }
}

impl Target {
    /// The part for the daemon.
    fn view(&self, key: Option<TargetKey>) -> TargetView {
        TargetView {
            key,
            label: self.way.label().to_owned(),
            on: self.on.clone(),
            jobs: self.jobs.clone(),
            summary: self.summary.clone(),
            pings: matches!(self.way, Way::Healthchecks { .. }),
        }
    }

    /// Whom it reaches, whatever it is told of and by which way: an address and what belongs to it.
    fn address(&self) -> [&str; 3] {
        match &self.way {
            Way::Mail(mail) => ["mail", &mail.to, ""],
            // Of a Gotify server only the token says whose messages these are.
            Way::Webhook(Webhook { url, token, .. }) => {
                ["webhook", url.expose(), token.as_ref().map_or("", Secret::expose)]
            }
            Way::Healthchecks { url } => ["healthchecks", url.expose(), ""],
        }
    }

    /// The same with what is secret in it replaced, for people.
    pub fn masked(&self) -> Self {
        let way = match self.way.clone() {
            Way::Webhook(hook) => Way::Webhook(Webhook {
                url: masked_url(&hook.url),
                token: hook.token.map(|_| Secret::new(MASK.to_owned())),
                preset: hook.preset,
            }),
            Way::Healthchecks { url } => Way::Healthchecks { url: masked_url(&url) },
            mail @ Way::Mail(_) => mail,
        };
        Self { way, ..self.clone() }
    }
}

/// The parts for the daemon, each with the key by which the daemon keeps what is owed to it: a digest of whom it reaches,
/// so that a message never goes to somebody else because a list was edited. Those that reach the same are counted.
pub fn views(targets: &[Target]) -> Vec<TargetView> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let view = |target: &Target| {
        let name = short_digest(target.address().join("\0").as_bytes());
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        let key = if *count == 1 { name } else { format!("{name}-{count}") };
        target.view(key.parse().ok())
    };
    targets.iter().map(view).collect()
}

impl Way {
    /// Its kind, for people.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Mail(_) => "mail",
            Self::Webhook(Webhook { preset, .. }) => match preset {
                Preset::Json => "webhook",
                Preset::Ntfy => "ntfy",
                Preset::Gotify => "gotify",
            },
            Self::Healthchecks { .. } => "healthchecks",
        }
    }
}

const MASK: &str = "[redacted]";

/// The host is no secret; what follows it is one: topics and check ids are all that keeps others out.
fn masked_url(url: &Secret) -> Secret {
    let text = url.expose();
    let host = text.find("://").map_or(0, |at| at + 3);
    let end = text[host..].find(['/', '?']).map_or(text.len(), |at| host + at);
    if end + 1 >= text.len() { url.clone() } else { Secret::new(format!("{}/{MASK}", &text[..end])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_debugged() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "[redacted]");
    }

    #[test]
    fn a_url_keeps_its_host_and_loses_the_rest() {
        let masked = |url: &str| masked_url(&Secret::new(url.to_owned())).expose().to_owned();
        assert_eq!(masked("https://hc-ping.com/1c3d-aa"), "https://hc-ping.com/[redacted]");
        assert_eq!(masked("http://localhost:8080?token=x"), "http://localhost:8080/[redacted]");
        assert_eq!(masked("https://gotify.example/"), "https://gotify.example/");
    }

    #[test]
    fn a_target_is_known_by_whom_it_reaches() {
        let keys = |lines: &str| -> Vec<String> {
            let text = format!("jobs: {{a: {{steps: [{{run: /bin/true}}]}}}}\nnotify: [{lines}]\n");
            let settings = crate::load_str("m.yaml", &text).unwrap().settings;
            views(&settings.notify).into_iter().map(|view| view.key.unwrap().to_string()).collect()
        };
        let both = keys("{mail: root}, {webhook: 'https://a.example/hunter2'}");
        let swapped = keys("{webhook: 'https://a.example/hunter2', on: [failed]}, {mail: root, jobs: [a]}");
        assert_eq!([&both[0], &both[1]], [&swapped[1], &swapped[0]], "neither place nor filter");
        for other in [
            "{mail: admin@example.org}",
            "{webhook: 'https://a.example/other'}",
            "{webhook: 'https://a.example/hunter2', token: t}",
            "{healthchecks: 'https://a.example/hunter2'}",
        ] {
            assert!(!both.contains(&keys(other)[0]), "{other}");
        }
        let twice = keys("{mail: root, on: [failed]}, {mail: root, on: [summary]}");
        assert_eq!(twice, [both[0].clone(), format!("{}-2", both[0])]);
        assert!(!both.concat().contains("hunter2"));
    }
}

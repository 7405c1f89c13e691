//! The targets of `notify:`: one way each to reach somebody, and what that one hears of.

use super::Defaults;
use crate::{
    calendar::Schedule,
    mistake::{self, Mistake},
    read::{At, Fields, Reader},
    targets::{Login, Mail, Preset, Secret, Smtp, Target, Tls, Via, Way, Webhook},
    tree::{Kind, Node},
};
use mastmaint_words::{JobName, Occasion};
use std::{collections::BTreeSet, path::PathBuf};

/// The keys of a target.
pub(crate) const KEYS: &[&str] = &[
    "on",
    "mail",
    "webhook",
    "healthchecks",
    "jobs",
    "at",
    "timezone",
    "from",
    "smtp",
    "sendmail",
    "preset",
    "token",
];
/// The keys of a mail server.
pub(crate) const SMTP: &[&str] = &["host", "port", "tls", "user", "password_file"];
const WAYS: [&str; 3] = ["mail", "webhook", "healthchecks"];
const MOST_TARGETS: usize = 20;
/// When the summary comes unless said otherwise.
const SUMMARY_AT: jiff::civil::Time = jiff::civil::time(7, 0, 0, 0);
const LONGEST_ADDRESS: usize = 254;

pub(super) fn targets(
    reader: &mut Reader,
    f: &Fields<'_>,
    defaults: &Defaults,
    jobs: &[&str],
) -> Vec<Target> {
    let Some(node) = super::section(f, "notify") else { return vec![] };
    let Kind::Seq(items) = &node.kind else {
        let wanted = "a list of targets, each after a hyphen, like `- {on: [failed], mail: root}`";
        reader.wrong(node.place, "notify", Mistake::WrongType { wanted, found: node.kind_name() });
        return vec![];
    };
    if items.len() > MOST_TARGETS {
        let mistake = Mistake::TooMany { what: "targets", count: items.len(), max: MOST_TARGETS };
        reader.wrong(node.place, "notify", mistake);
    }
    let numbered = items.iter().take(MOST_TARGETS).enumerate();
    numbered
        .filter_map(|(index, item)| target(reader, item, &format!("notify[{}]", index + 1), defaults, jobs))
        .collect()
}

fn target(
    reader: &mut Reader,
    node: &Node,
    path: &str,
    defaults: &Defaults,
    jobs: &[&str],
) -> Option<Target> {
    let f = reader.fields(node, path, "a map, like {on: [failed], mail: root}", KEYS)?;
    let mut given = WAYS.into_iter().filter(|way| f.get(way).is_some());
    let Some(way) = given.next() else {
        reader.wrong(f.place, path, Mistake::NoWay);
        return None;
    };
    if let Some(second) = given.next() {
        reader.wrong(f.key_place(second), path, Mistake::TwoWays { first: way, second });
        return None;
    }
    let on = occasions(reader, &f);
    let jobs = job_names(reader, &f, jobs);
    let summary = summary(reader, &f, defaults, &on);
    let (on, way) = match way {
        "mail" => (on, mail(reader, &f).map(Way::Mail)),
        "webhook" => (on, webhook(reader, &f).map(Way::Webhook)),
        _ => (BTreeSet::new(), url(reader, &f, "healthchecks").map(|url| Way::Healthchecks { url })),
    };
    idle_keys(reader, &f, way.as_ref(), summary.is_some());
    let summary = summary.filter(|_| on.contains(&Occasion::Summary));
    Some(Target { on, jobs, summary, way: way? })
}

/// Keys that say something about another way than the one that is taken.
fn idle_keys(reader: &mut Reader, f: &Fields<'_>, way: Option<&Way>, has_summary: bool) {
    let mut idle = |keys: &[&str], why: &'static str| {
        for key in keys {
            if f.get(key).is_some() {
                reader.odd(f.key_place(key), &f.path_of(key), Mistake::NoEffect { why });
            }
        }
    };
    match way {
        Some(Way::Mail(_)) => idle(&["preset", "token"], "only a webhook has it"),
        Some(Way::Webhook(_)) => idle(&["from", "smtp", "sendmail"], "only a mail has it"),
        Some(Way::Healthchecks { .. }) => {
            idle(&["preset", "token"], "only a webhook has it");
            idle(&["from", "smtp", "sendmail"], "only a mail has it");
            idle(&["on"], "healthchecks are pinged at every start and end of a run");
        }
        None => {}
    }
    if !has_summary {
        idle(&["at", "timezone"], "the target hears of no summary");
    }
}

fn occasions(reader: &mut Reader, f: &Fields<'_>) -> BTreeSet<Occasion> {
    let Some(node) = f.get("on") else { return Occasion::USUAL.into() };
    let path = f.path_of("on");
    let wanted = "a list of occasions, like [failed, recovered]";
    let items = match &node.kind {
        Kind::Text(_) => std::slice::from_ref(node),
        Kind::Seq(items) if !items.is_empty() => items,
        Kind::Seq(_) | Kind::Null => {
            reader.wrong(node.place, &path, Mistake::Empty { wanted });
            return BTreeSet::new();
        }
        _ => {
            reader.wrong(node.place, &path, Mistake::WrongType { wanted, found: node.kind_name() });
            return BTreeSet::new();
        }
    };
    let mut on = BTreeSet::new();
    for item in items {
        let Kind::Text(word) = &item.kind else {
            reader.wrong(item.place, &path, Mistake::WrongType { wanted: "text", found: item.kind_name() });
            continue;
        };
        if let Some(occasion) = Occasion::TO_CHOOSE.into_iter().find(|occasion| occasion.as_str() == word) {
            on.insert(occasion);
        } else {
            let help = mistake::help(word, &Occasion::TO_CHOOSE.map(Occasion::as_str));
            let given = word.chars().take(64).collect();
            reader.wrong(item.place, &path, Mistake::UnknownWord { what: "occasion", given, help });
        }
    }
    on
}

fn job_names(reader: &mut Reader, f: &Fields<'_>, jobs: &[&str]) -> BTreeSet<JobName> {
    let Some(node) = f.get("jobs") else { return BTreeSet::new() };
    let path = f.path_of("jobs");
    let Kind::Seq(items) = &node.kind else {
        let wanted = "a list of jobs, like [clean-media]";
        reader.wrong(node.place, &path, Mistake::WrongType { wanted, found: node.kind_name() });
        return BTreeSet::new();
    };
    if items.is_empty() {
        reader.wrong(node.place, &path, Mistake::Empty { wanted: "at least one job; leave it out for all" });
    }
    let mut names = BTreeSet::new();
    for item in items {
        let Kind::Text(word) = &item.kind else {
            let found = item.kind_name();
            reader.wrong(item.place, &path, Mistake::WrongType { wanted: "a job's name", found });
            continue;
        };
        match word.parse::<JobName>() {
            Ok(name) if jobs.contains(&word.as_str()) => {
                names.insert(name);
            }
            _ => {
                let help = match mistake::nearest(word, jobs.iter().copied()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => "name one of those under `jobs:`".to_owned(),
                };
                let given = word.chars().take(64).collect();
                reader.wrong(item.place, &path, Mistake::UnknownWord { what: "job", given, help });
            }
        }
    }
    names
}

/// When the summary is sent; a schedule of its own, so that the days on which clocks are changed have one as well.
fn summary(
    reader: &mut Reader,
    f: &Fields<'_>,
    defaults: &Defaults,
    on: &BTreeSet<Occasion>,
) -> Option<Schedule> {
    let at = super::job::time(reader, f, "at").map_or(SUMMARY_AT, |at| at.value);
    let zone = match f.get("timezone") {
        Some(_) => super::zone(reader, f)?.value,
        None => defaults.timezone.value.clone(),
    };
    if !on.contains(&Occasion::Summary) {
        return None;
    }
    // Every time of day is a schedule; a zone that is wrong has been reported where it stands.
    Schedule::parse(&format!("{} {} * * *", at.minute(), at.hour()), &zone).ok()
}

fn mail(reader: &mut Reader, f: &Fields<'_>) -> Option<Mail> {
    let to = address(reader, f, "mail");
    let from = f.get("from").map(|_| address(reader, f, "from"));
    let via = match (f.get("sendmail"), f.get("smtp")) {
        (Some(_), Some(_)) => {
            let two = Mistake::TwoWays { first: "smtp", second: "sendmail" };
            reader.wrong(f.key_place("sendmail"), &f.path, two);
            None
        }
        (Some(_), None) => {
            whole_path(reader, f, "sendmail", "sendmail").map(|program| Via::Sendmail { program })
        }
        (None, smtp) => smtp_server(reader, f, smtp).map(Via::Smtp),
    };
    // A sender that is written and wrong is no reason to take the usual one.
    let from = match from {
        Some(written) => Some(written?),
        None => None,
    };
    Some(Mail { to: to?, from, via: via? })
}

fn smtp_server(reader: &mut Reader, f: &Fields<'_>, node: Option<&Node>) -> Option<Smtp> {
    let usual = Smtp { host: "localhost".to_owned(), port: 25, tls: Tls::None, login: None };
    let Some(node) = node else { return Some(usual) };
    let f = reader.fields(node, &f.path_of("smtp"), "a map, like {host: localhost, port: 25}", SMTP)?;
    let host = reader.text(&f, "host", "the name of a mail server");
    let words = [("none", Tls::None), ("starttls", Tls::Starttls), ("always", Tls::Always)];
    let tls = reader.word(&f, "tls", "word", &words).unwrap_or_default();
    let usual_port = match tls {
        Tls::None => usual.port,
        Tls::Starttls => 587,
        Tls::Always => 465,
    };
    let port = port(reader, &f).unwrap_or(usual_port);
    let user = reader.text(&f, "user", "the name for the mail server");
    let login = match (user, f.get("password_file")) {
        (Some(user), Some(_)) => {
            let password_file = whole_path(reader, &f, "password_file", "the password's file")?;
            if tls == Tls::None && host.as_ref().is_some_and(|host| host.value != "localhost") {
                reader.odd(user.place, &f.path_of("user"), Mistake::PasswordInTheClear);
            }
            Some(Login { user: user.value, password_file })
        }
        (None, None) => None,
        (Some(_), None) => {
            let help = "write the path of the file that holds the password";
            reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "password_file", help });
            None
        }
        (None, Some(_)) => {
            let help = "write the name that belongs to the password";
            reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "user", help });
            None
        }
    };
    Some(Smtp { host: host.map_or(usual.host, |host| host.value), port, tls, login })
}

fn port(reader: &mut Reader, f: &Fields<'_>) -> Option<u16> {
    const RANGE: &str = "it is a whole number from 1 to 65535";
    let port = reader.count(f, "port", u32::from(u16::MAX), "a port", RANGE)?;
    if port == 0 {
        let zero = Mistake::OutOfRange { what: "a port", given: "0".to_owned(), range: RANGE };
        reader.wrong(f.get("port").map_or(f.place, |node| node.place), &f.path_of("port"), zero);
        return None;
    }
    u16::try_from(port).ok()
}

fn webhook(reader: &mut Reader, f: &Fields<'_>) -> Option<Webhook> {
    let url = url(reader, f, "webhook");
    let words = [("json", Preset::Json), ("ntfy", Preset::Ntfy), ("gotify", Preset::Gotify)];
    let preset = reader.word(f, "preset", "preset", &words).unwrap_or_default();
    let token = reader.text(f, "token", "a token").map(|at| Secret::new(at.value));
    if preset == Preset::Gotify && f.get("token").is_none() {
        let help = "Gotify takes messages only with the token of an application";
        reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "token", help });
    }
    Some(Webhook { url: url?, preset, token })
}

/// An address of the web. What is wrong with one is said without quoting it.
fn url(reader: &mut Reader, f: &Fields<'_>, key: &str) -> Option<Secret> {
    let url = reader.text(f, key, "an address like \"https://ntfy.example/topic\"")?;
    let rest = url.value.strip_prefix("https://").or_else(|| url.value.strip_prefix("http://"));
    let is_fit = rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty()
            && !host.contains('@')
            && rest.len() <= 2000
            && rest.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '#'))
    });
    if !is_fit {
        reader.wrong(url.place, &f.path_of(key), Mistake::BadHook);
        return None;
    }
    Some(Secret::new(url.value))
}

fn address(reader: &mut Reader, f: &Fields<'_>, key: &str) -> Option<String> {
    let At { value, place } = reader.text(f, key, "an address, like root or admin@example.org")?;
    let (user, host) = value.split_once('@').unwrap_or((&value, "localhost"));
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let is_user = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
    let is_fit = value.len() <= LONGEST_ADDRESS
        && !user.is_empty()
        && !user.starts_with(['-', '.'])
        && user.chars().all(is_user)
        && !host.is_empty()
        && host.chars().all(is_host);
    if !is_fit {
        reader.wrong(place, &f.path_of(key), Mistake::BadAddress);
        return None;
    }
    Some(value)
}

fn whole_path(reader: &mut Reader, f: &Fields<'_>, key: &str, what: &str) -> Option<PathBuf> {
    let path = reader.text(f, key, "a path from the root on")?;
    if !path.value.starts_with('/') {
        let help = format!("write the whole path of {what}");
        let given = path.value.chars().take(64).collect();
        reader.wrong(path.place, &f.path_of(key), Mistake::RelativePath { given, help });
        return None;
    }
    Some(PathBuf::from(path.value))
}

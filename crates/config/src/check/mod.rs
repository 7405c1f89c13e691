//! The merged tree becomes [`Settings`]: every key is read, every default filled in, every mistake collected.

mod backup;
mod command;
mod effect;
mod job;
mod judged;
mod step;
mod tootctl;
mod window;

use crate::{
    mistake::{self, Mistake},
    read::{At, Fields, Reader},
    settings::{Environment, Instance, LedgerSettings, Retry, RetryOn, Settings},
    tree::{Kind, Node},
};
use mastmaint_words::{LockName, Span, UnitName};
use std::{collections::BTreeMap, path::PathBuf};

/// The sections of a file.
pub(crate) const SECTIONS: &[&str] = &["instance", "defaults", "backups", "jobs", "ledger"];
pub(crate) const INSTANCE: &[&str] = &["live", "user", "services", "environment", "url"];
pub(crate) const DEFAULTS: &[&str] =
    &["timezone", "timeout", "grace", "quiet_limit", "lock", "random_delay", "retry", "environment"];
pub(crate) const LEDGER: &[&str] = &["keep", "keep_output"];
pub(crate) const RETRY: &[&str] = &["times", "backoff", "on"];
#[cfg(test)]
pub(crate) use backup::{BUDGET, KEYS as BACKUP};
#[cfg(test)]
pub(crate) use effect::{AGAIN, PROVE};
#[cfg(test)]
pub(crate) use job::{KEYS as JOB, WINDOW};
#[cfg(test)]
pub(crate) use step::KEYS as STEP;

const DAY: u64 = 86_400;
const TIMEOUT: (u64, u64) = (1, 30 * DAY);
const GRACE: (u64, u64) = (0, DAY);
const MOST_JOBS: usize = 200;
const MOST_STEPS: usize = 100;

/// What jobs and steps take where they say nothing.
pub(crate) struct Defaults {
    timezone: At<String>,
    timeout: Span,
    grace: Span,
    quiet_limit: Option<Span>,
    /// `None`: the usual; `Some(None)`: written as null.
    #[expect(clippy::option_option, reason = "nothing written and null written are two things")]
    lock: Option<Option<LockName>>,
    random_delay: Span,
    retry: Retry,
    environment: Environment,
}

/// Checks a merged tree.
pub(crate) fn settings(reader: &mut Reader, root: &Node, host_timezone: &str) -> Option<Settings> {
    let f = reader.fields(root, "", "a map with instance, defaults, backups, jobs, ledger", SECTIONS)?;
    let instance = f.get("instance").map(|node| read_instance(reader, node));
    let defaults = read_defaults(reader, &f, host_timezone);
    let ledger = read_ledger(reader, &f);
    let backups = backup::backups(reader, section(&f, "backups"));
    let mut jobs = BTreeMap::new();
    let listed =
        section(&f, "jobs").and_then(|node| reader.pairs_and_duplicates(node, "jobs", "a map of jobs"));
    let (listed, again) = listed.unwrap_or_default();
    if listed.is_empty() {
        reader.odd(f.place, "jobs", Mistake::NoJobs);
    }
    if listed.len() > MOST_JOBS {
        let mistake = Mistake::TooMany { what: "jobs", count: listed.len(), max: MOST_JOBS };
        reader.wrong(f.key_place("jobs"), "jobs", mistake);
    }
    for (name, place, node) in listed.into_iter().take(MOST_JOBS) {
        let job = job::job(reader, node, name, &defaults, instance.as_ref().map(Option::as_ref));
        match name.parse::<mastmaint_words::JobName>() {
            Ok(name) => jobs.extend(job.map(|job| (name, job))),
            Err(error) => {
                let why = Mistake::BadName { why: error.to_string() };
                reader.wrong(place, &crate::read::join("jobs", name), why);
            }
        }
    }
    // A job of a name that is taken is no job, but what is wrong in it would come to light after the next edit.
    for (name, _, node) in again.into_iter().take(MOST_JOBS) {
        job::job(reader, node, name, &defaults, instance.as_ref().map(Option::as_ref));
    }
    let named = section(&f, "backups");
    for (name, job) in &jobs {
        backup::verified(reader, name, job, named, &backups);
    }
    reader.mistakes.is_empty().then(|| Settings { instance: instance.flatten(), backups, jobs, ledger })
}

/// A section that may be there with everything in it commented out.
fn section<'n>(f: &Fields<'n>, key: &str) -> Option<&'n Node> {
    f.get(key).filter(|node| !matches!(node.kind, Kind::Null))
}

fn read_instance(reader: &mut Reader, node: &Node) -> Option<Instance> {
    let before = reader.mistakes.len();
    let f = reader.fields(node, "instance", "a map; `instance: {}` means the usual places", INSTANCE)?;
    let live = reader.text(&f, "live", "the Rails root, like /home/mastodon/live");
    if let Some(live) = live.as_ref().filter(|live| !live.value.starts_with('/')) {
        let help = "write the whole path of the Rails root, like /home/mastodon/live".to_owned();
        reader.wrong(live.place, "instance.live", Mistake::RelativePath { given: live.value.clone(), help });
    }
    let user = reader.text(&f, "user", "a user name, like mastodon");
    if let Some(user) = user.as_ref().filter(|user| !is_user_name(&user.value)) {
        let why = format!(
            "user name {:?} is not usable: it takes 1 to 32 of a-z, 0-9, - and _, and begins with a letter or _",
            user.value
        );
        reader.wrong(user.place, "instance.user", Mistake::BadName { why });
    }
    let url = reader.text(&f, "url", "an address like \"https://social.example\"");
    if let Some(url) = url.as_ref().filter(|url| !is_plain_url(&url.value)) {
        reader.wrong(url.place, "instance.url", Mistake::BadUrl);
    }
    let services = services(reader, &f);
    let mut environment = Environment::from([("RAILS_ENV".to_owned(), "production".to_owned())]);
    environment.extend(reader.environment(&f, "environment"));
    (reader.mistakes.len() == before).then(|| Instance {
        live: PathBuf::from(live.map_or_else(|| "/home/mastodon/live".to_owned(), |at| at.value)),
        user: user.map_or_else(|| "mastodon".to_owned(), |at| at.value),
        services,
        environment,
        url: url.map(|at| at.value),
    })
}

fn services(reader: &mut Reader, f: &Fields<'_>) -> Vec<UnitName> {
    let usual = ["mastodon-web", "mastodon-sidekiq", "mastodon-streaming"].map(str::to_owned).to_vec();
    let Some(node) = f.get("services") else {
        return usual.into_iter().filter_map(|unit| unit.parse().ok()).collect();
    };
    let path = f.path_of("services");
    let Kind::Seq(items) = &node.kind else {
        let mistake =
            Mistake::WrongType { wanted: "a list of units, like [mastodon-web]", found: node.kind_name() };
        reader.wrong(node.place, &path, mistake);
        return vec![];
    };
    let mut services = Vec::new();
    for (item, unit) in items.iter().zip(command::list(reader, items, &path).unwrap_or_default()) {
        match unit.parse::<UnitName>() {
            Ok(unit) if services.contains(&unit) => {
                let first = "its first place in this list".to_owned();
                reader.wrong(item.place, &path, Mistake::DuplicateKey { key: unit.to_string(), first });
            }
            Ok(unit) => services.push(unit),
            Err(error) => reader.wrong(item.place, &path, Mistake::BadName { why: error.to_string() }),
        }
    }
    services
}

fn is_user_name(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

fn is_plain_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.map(|host| host.strip_suffix('/').unwrap_or(host)).is_some_and(|host| {
        !host.is_empty()
            && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'))
    })
}

fn read_defaults(reader: &mut Reader, f: &Fields<'_>, host_timezone: &str) -> Defaults {
    let usual = Retry { times: 0, backoff: Span::from_secs(600), on: RetryOn::Unreachable };
    let mut defaults = Defaults {
        timezone: At { value: host_timezone.to_owned(), place: f.place },
        timeout: Span::from_secs(2 * 3600),
        grace: Span::from_secs(600),
        quiet_limit: None,
        lock: None,
        random_delay: Span::default(),
        retry: usual,
        environment: Environment::new(),
    };
    let Some(f) = section(f, "defaults")
        .and_then(|node| reader.fields(node, "defaults", "a map of defaults", DEFAULTS))
    else {
        return defaults;
    };
    if let Some(zone) = zone(reader, &f) {
        defaults.timezone = zone;
    }
    if let Some(at) = reader.span_within(&f, "timeout", "a timeout", TIMEOUT, "a step takes at most 30d") {
        defaults.timeout = at.value;
    }
    if let Some(at) = reader.span_within(&f, "grace", "a grace", GRACE, "a grace is at most 1d") {
        defaults.grace = at.value;
    }
    defaults.quiet_limit = quiet_limit(reader, &f).flatten().map(|at| at.value);
    if let Some(at) = random_delay(reader, &f) {
        defaults.random_delay = at.value;
    }
    defaults.lock = lock(reader, &f);
    defaults.retry = retry(reader, &f, usual);
    defaults.environment = reader.environment(&f, "environment");
    defaults
}

fn random_delay(reader: &mut Reader, f: &Fields<'_>) -> Option<At<Span>> {
    reader.span_within(f, "random_delay", "a random delay", (0, DAY), "it is at most 1d")
}

/// `None`: nothing written; `Some(None)`: `null`, no such limit.
#[expect(clippy::option_option, reason = "nothing written and null written are two things")]
fn quiet_limit(reader: &mut Reader, f: &Fields<'_>) -> Option<Option<At<Span>>> {
    if matches!(f.get("quiet_limit")?.kind, Kind::Null) {
        return Some(None);
    }
    reader.span_within(f, "quiet_limit", "a quiet limit", TIMEOUT, "it is at most 30d").map(Some)
}

/// A zone by its name; an unknown one is a mistake with the nearest known one.
fn zone(reader: &mut Reader, f: &Fields<'_>) -> Option<At<String>> {
    let zone = reader.text(f, "timezone", "a time zone, like Europe/Paris")?;
    // UTC is there also where no database is.
    if zone.value == "UTC" || jiff::tz::TimeZone::get(&zone.value).is_ok() {
        return Some(zone);
    }
    let help = if reader.is_full() {
        String::new()
    } else {
        let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        mistake::nearest(&zone.value, known.iter().map(String::as_str)).map_or_else(
            || "write a name like Europe/Paris; `timedatectl list-timezones` shows all".to_owned(),
            |near| format!("did you mean {near:?}?"),
        )
    };
    let given = zone.value.chars().take(64).collect();
    reader.wrong(zone.place, &f.path_of("timezone"), Mistake::UnknownZone { zone: given, help });
    None
}

/// `None`: nothing written; `Some(None)`: `null`, no lock at all.
#[expect(clippy::option_option, reason = "nothing written and null written are two things")]
fn lock(reader: &mut Reader, f: &Fields<'_>) -> Option<Option<LockName>> {
    if matches!(f.get("lock")?.kind, Kind::Null) {
        return Some(None);
    }
    let lock = reader.text(f, "lock", "a name, or null for none")?;
    match lock.value.parse() {
        Ok(name) => Some(Some(name)),
        Err(error) => {
            let error: mastmaint_words::NameError = error;
            reader.wrong(lock.place, &f.path_of("lock"), Mistake::BadName { why: error.to_string() });
            None
        }
    }
}

fn retry(reader: &mut Reader, f: &Fields<'_>, inherited: Retry) -> Retry {
    let Some(node) = f.get("retry") else { return inherited };
    let path = f.path_of("retry");
    let Some(f) = reader.fields(node, &path, "a map, like {times: 2, backoff: 10m}", RETRY) else {
        return inherited;
    };
    let backoff = reader.span_within(&f, "backoff", "a backoff", (0, DAY), "it is at most 1d");
    let words = [("unreachable", RetryOn::Unreachable), ("failed", RetryOn::Failed)];
    Retry {
        times: reader
            .count(&f, "times", 10, "a number of retries", "it is a whole number from 0 to 10")
            .unwrap_or(inherited.times),
        backoff: backoff.map_or(inherited.backoff, |at| at.value),
        on: reader.word(&f, "on", "cause", &words).unwrap_or(inherited.on),
    }
}

fn read_ledger(reader: &mut Reader, f: &Fields<'_>) -> LedgerSettings {
    let usual = LedgerSettings { keep: Span::from_secs(400 * DAY), keep_output: Span::from_secs(90 * DAY) };
    let Some(f) = section(f, "ledger")
        .and_then(|node| reader.fields(node, "ledger", "a map with keep and keep_output", LEDGER))
    else {
        return usual;
    };
    let mut span = |key, usual| {
        let range = "it is at least 1d and at most 3650d";
        reader.span_within(&f, key, "a retention", (DAY, 3650 * DAY), range).map_or(usual, |at| at.value)
    };
    LedgerSettings { keep: span("keep", usual.keep), keep_output: span("keep_output", usual.keep_output) }
}

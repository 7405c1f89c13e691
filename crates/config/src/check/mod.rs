//! The merged tree becomes [`Settings`]: every key is read, every default filled in, every mistake collected.

mod backup;
mod bracket;
mod command;
mod database;
mod drill;
mod effect;
mod guard;
mod holds;
mod instance;
mod job;
mod judged;
mod notify;
mod place;
mod probes;
mod reach;
mod requires;
mod restore;
mod restoring;
mod step;
mod tootctl;
mod window;

use crate::{
    mistake::{self, Mistake},
    read::{At, Fields, Reader},
    settings::{Environment, LedgerSettings, Retry, RetryOn, Settings},
    tree::{Kind, Node},
};
use mastmaint_words::{JobName, LockName, NameError, Span};
use std::collections::BTreeMap;

/// The sections of a file.
pub(crate) const SECTIONS: &[&str] =
    &["instance", "defaults", "backups", "jobs", "holds", "ledger", "notify", "probes"];
pub(crate) const DEFAULTS: &[&str] = &[
    "timezone",
    "timeout",
    "grace",
    "quiet_limit",
    "lock",
    "lock_wait",
    "random_delay",
    "retry",
    "environment",
];
pub(crate) const LEDGER: &[&str] = &["keep", "keep_output"];
pub(crate) const RETRY: &[&str] = &["times", "backoff", "on"];
#[cfg(test)]
pub(crate) use backup::{BUDGET, KEYS as BACKUP};
#[cfg(test)]
pub(crate) use bracket::put_together;
#[cfg(test)]
pub(crate) use database::WRITTEN as RESTORE_DATABASE;
#[cfg(test)]
pub(crate) use drill::KEYS as DRILL;
#[cfg(test)]
pub(crate) use effect::{AGAIN, AT_MOST, PROVE};
#[cfg(test)]
pub(crate) use holds::KEYS as HOLD;
#[cfg(test)]
pub(crate) use instance::KEYS as INSTANCE;
#[cfg(test)]
pub(crate) use job::{KEYS as JOB, WINDOW};
#[cfg(test)]
pub(crate) use notify::{KEYS as TARGET, SMTP};
#[cfg(test)]
pub(crate) use probes::KEYS as PROBE;
#[cfg(test)]
pub(crate) use requires::{FREE, KEYS as REQUIRES, LOAD, PRESSURE};
#[cfg(test)]
pub(crate) use restore::WRITTEN as RESTORE;
#[cfg(test)]
pub(crate) use step::KEYS as STEP;

const DAY: u64 = 86_400;
const TIMEOUT: (u64, u64) = (1, 30 * DAY);
const GRACE: (u64, u64) = (0, DAY);
const LOCK_WAIT: (u64, u64) = (0, 7 * DAY);
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
    lock_wait: Span,
    random_delay: Span,
    retry: Retry,
    environment: Environment,
}

/// Checks a merged tree.
pub(crate) fn settings(reader: &mut Reader, root: &Node, host_timezone: &str) -> Option<Settings> {
    let f = reader.fields(
        root,
        "",
        "a map with instance, defaults, backups, jobs, holds, ledger, notify, probes",
        SECTIONS,
    )?;
    let instance = f.get("instance").map(|node| instance::instance(reader, node));
    let defaults = read_defaults(reader, &f, host_timezone);
    let ledger = read_ledger(reader, &f);
    let backups = backup::backups(reader, section(&f, "backups"));
    let probes = probes::probes(reader, section(&f, "probes"), instance.as_ref().map(Option::as_ref));
    let of_visitors = probes::of_visitors(&probes);
    let known = probes::Known { names: &probes::names(section(&f, "probes")), of_visitors: &of_visitors };
    let holds = section(&f, "holds").map(|node| holds::holds(reader, node, &defaults.timezone.value));
    let mut jobs = BTreeMap::new();
    let listed =
        section(&f, "jobs").and_then(|node| reader.pairs_and_duplicates(node, "jobs", "a map of jobs"));
    let (listed, again) = listed.unwrap_or_default();
    // A file that was emptied, or saved half, must not pass for the wish to run nothing.
    if f.get("jobs").is_some_and(|node| matches!(node.kind, Kind::Map(_))) && listed.is_empty() {
        reader.odd(f.place, "jobs", Mistake::NoJobs);
    } else if listed.is_empty() {
        reader.wrong(f.place, "jobs", Mistake::NoJobsSaid);
    }
    if listed.len() > MOST_JOBS {
        let mistake = Mistake::TooMany { what: "jobs", count: listed.len(), max: MOST_JOBS };
        reader.wrong(f.key_place("jobs"), "jobs", mistake);
    }
    let names: Vec<&str> = listed.iter().map(|(name, _, _)| *name).collect();
    let notify = notify::targets(reader, &f, &defaults, &names);
    for (name, place, node) in listed.into_iter().take(MOST_JOBS) {
        let job = job::job(reader, node, name, &defaults, instance.as_ref().map(Option::as_ref), known);
        match job_name(name) {
            Ok(name) => jobs.extend(job.map(|job| (name, job))),
            Err(why) => reader.wrong(place, &crate::read::join("jobs", name), Mistake::BadName { why }),
        }
    }
    // A job of a name that is taken is no job, but what is wrong in it would come to light after the next edit.
    for (name, _, node) in again.into_iter().take(MOST_JOBS) {
        job::job(reader, node, name, &defaults, instance.as_ref().map(Option::as_ref), known);
    }
    let listed = section(&f, "backups");
    for (name, job) in &mut jobs {
        backup::verified(reader, name, job, listed, &backups);
        backup::send_away(job, &backups);
        guard::is_covered(reader, name, job, &backups);
    }
    reader.mistakes.is_empty().then(|| Settings {
        instance: instance.flatten(),
        backups,
        jobs,
        ledger,
        holds: holds.unwrap_or_default(),
        notify,
        probes,
    })
}

fn job_name(given: &str) -> Result<JobName, String> {
    let name: JobName = given.parse().map_err(|error: NameError| error.to_string())?;
    if name.is_by_hand() {
        return Err(format!("job name {given:?} is not usable: so is the job called that verifies by hand"));
    }
    Ok(name)
}

/// A section that may be there with everything in it commented out.
fn section<'n>(f: &Fields<'n>, key: &str) -> Option<&'n Node> {
    f.get(key).filter(|node| !matches!(node.kind, Kind::Null))
}

fn read_defaults(reader: &mut Reader, f: &Fields<'_>, host_timezone: &str) -> Defaults {
    let usual = Retry { times: 0, backoff: Span::from_secs(600), on: RetryOn::Unreachable };
    let mut defaults = Defaults {
        timezone: At { value: host_timezone.to_owned(), place: f.place },
        timeout: Span::from_secs(2 * 3600),
        grace: Span::from_secs(600),
        quiet_limit: None,
        lock: None,
        lock_wait: crate::settings::usual_lock_wait(),
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
    if let Some(at) = lock_wait(reader, &f) {
        defaults.lock_wait = at.value;
    }
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
    if zone.value == "UTC" || crate::zone::named(&zone.value).is_ok() {
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
            let error: NameError = error;
            reader.wrong(lock.place, &f.path_of("lock"), Mistake::BadName { why: error.to_string() });
            None
        }
    }
}

fn lock_wait(reader: &mut Reader, f: &Fields<'_>) -> Option<At<Span>> {
    reader.span_within(f, "lock_wait", "a wait for a lock", LOCK_WAIT, "it is at most 7d")
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

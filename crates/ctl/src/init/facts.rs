//! What was found on a host, as sentences: for the terminal and for the head of the first configuration. Pure.

use super::host::{Apart, FoundBackup, FoundInstance, FoundUnit, Host, Media, Place, Rival, SwitchOff};
use std::fmt::Write as _;

/// What was found, one sentence each.
pub fn facts(host: &Host) -> Vec<String> {
    let mut facts = Vec::new();
    match &host.instance {
        Some(instance) => instance_facts(&mut facts, instance),
        None => facts.push("no Mastodon: no unit mastodon-* with a working directory".to_owned()),
    }
    facts.push(match &host.timezone {
        Some(zone) => format!("time zone {zone}"),
        None => "no name for the time zone".to_owned(),
    });
    facts.extend(host.backups.iter().map(backup_fact));
    for (path, why) in &host.unreadable {
        facts.push(format!(
            "could not look at {}: {why}; run init as root to have it looked at",
            path.display()
        ));
    }
    facts
}

fn backup_fact(backup: &FoundBackup) -> String {
    let named = "verified once it stands in `backups:`, with the file of its password";
    match backup {
        FoundBackup::Rsnapshot { config, live: Some(live) } => {
            format!("backups by rsnapshot, {}, with Mastodon in {live}", config.display())
        }
        FoundBackup::Rsnapshot { config, live: None } => {
            format!("backups by rsnapshot, {}", config.display())
        }
        FoundBackup::Postgres { path } => format!("dumps of PostgreSQL, {}", path.display()),
        FoundBackup::Redis { path } => format!("a dump of Redis, {}", path.display()),
        FoundBackup::Restic { path } => format!("a repository of restic, {}; {named}", path.display()),
        FoundBackup::Borg { path } => format!("a repository of borg, {}; {named}", path.display()),
        FoundBackup::Borgmatic { config } => {
            format!("repositories by borgmatic, {}; {named}", config.display())
        }
    }
}

/// `/etc/cron.d/x:3: runs tootctl; put a # before the line`.
pub fn rival_line(rival: &Rival) -> String {
    let how = match &rival.switch_off {
        SwitchOff::Line => "put a # before the line".to_owned(),
        SwitchOff::Script => "chmod -x it, or remove the line".to_owned(),
        SwitchOff::Unit(unit) => format!("systemctl disable --now {unit}"),
    };
    format!("{}:{}: {}; {how}", rival.file.display(), rival.line, rival.what)
}

/// `unit mastodon-web.service: user mastodon, in /home/mastodon/live, sets RAILS_ENV=production, PORT=3000 (FILE)`.
fn unit_fact(unit: &FoundUnit) -> String {
    let user = unit.user.as_deref().map_or("no user".to_owned(), |user| format!("user {user}"));
    let directory = unit
        .directory
        .as_ref()
        .map_or("no working directory".to_owned(), |directory| format!("in {}", directory.display()));
    let mut text = format!("unit {}: {user}, {directory}", unit.name);
    if !unit.environment.is_empty() {
        let names: Vec<String> = unit.environment.iter().map(|(name, value)| variable(name, value)).collect();
        let _ = write!(text, ", sets {}", names.join(", "));
    }
    format!("{text} ({})", unit.file.display())
}

/// Values that are no secret by what the variable is for; of any other variable its name must do.
fn variable(name: &str, value: &str) -> String {
    const HARMLESS: [&str; 9] = [
        "RAILS_ENV",
        "NODE_ENV",
        "PORT",
        "LD_PRELOAD",
        "MALLOC_ARENA_MAX",
        "DB_POOL",
        "WEB_CONCURRENCY",
        "MAX_THREADS",
        "RUBY_YJIT_ENABLE",
    ];
    if HARMLESS.contains(&name) { format!("{name}={value}") } else { name.to_owned() }
}

fn instance_facts(facts: &mut Vec<String>, instance: &FoundInstance) {
    let version = instance.version.as_deref().unwrap_or("of unknown version");
    facts.push(format!("Mastodon {version} in {}, user {}", instance.live.display(), instance.user));
    if let Some(domain) = &instance.local_domain {
        facts.push(format!("LOCAL_DOMAIN {domain}"));
    }
    if let Some(domain) =
        instance.domain.as_ref().filter(|domain| Some(*domain) != instance.local_domain.as_ref())
    {
        facts.push(format!("WEB_DOMAIN {domain}"));
    }
    facts.extend(instance.units.iter().map(unit_fact));
    let place = |name: &str, place: &Place| match place {
        Place::Local => format!("{name} on this host"),
        Place::Remote(host) => format!("{name} on {host}"),
        Place::Unknown => format!("{name}: not known, .env.production was not read"),
    };
    facts.push(place("PostgreSQL", &instance.database));
    if let Some(sign) = instance.pgbouncer {
        facts.push(format!("PgBouncer before PostgreSQL ({sign})"));
    }
    facts.push(place("Redis", &instance.redis));
    facts.push(match &instance.media {
        Media::S3 { bucket: Some(bucket) } => format!("media in the object store, bucket {bucket}"),
        Media::S3 { bucket: None } => "media in an object store".to_owned(),
        Media::Local { path, apart: None } => format!("media in {}", path.display()),
        Media::Local { path, apart: Some(Apart::Mount) } => {
            format!("media in {}, a file system of its own", path.display())
        }
        Media::Local { path, apart: Some(Apart::Link(to)) } => {
            format!("media in {}, a link to {}", path.display(), to.display())
        }
        Media::Unknown => "media: not known, .env.production was not read".to_owned(),
    });
    for other in &instance.others {
        facts.push(format!(
            "another Mastodon in {}: one mastmaintd looks after one instance",
            other.display()
        ));
    }
}

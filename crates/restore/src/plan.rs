//! What a restore would do, in words.

use crate::{
    cache::Cache,
    diff::Lost,
    names::Policy,
    survey::{Few, Survey},
};
use jiff::Timestamp;
use mastmaint_verify::check::{Env, Mastodon};
use mastmaint_words::{
    human,
    restore::{Amount, Generation, Plan, RestoreOrder, Uploads},
};

use std::fmt::Write as _;

/// What was found out.
pub(crate) struct Facts<'a> {
    pub(crate) order: &'a RestoreOrder,
    pub(crate) generation: &'a Generation,
    pub(crate) now: Timestamp,
    pub(crate) proved_at: Option<Timestamp>,
    pub(crate) policy: &'a Policy,
    pub(crate) whole: &'a Survey,
    pub(crate) missing: &'a Survey,
    pub(crate) free: u64,
    pub(crate) lost: &'a Lost,
    pub(crate) cache: Cache,
    pub(crate) here: Option<&'a Mastodon>,
    pub(crate) there: &'a Mastodon,
    pub(crate) notes: Vec<String>,
}

/// Puts it together.
pub(crate) fn plan(facts: &Facts<'_>) -> Plan {
    let whole = facts.whole.amount;
    let added = facts.missing.amount;
    Plan {
        sentence: sentence(facts, whole, added),
        newest_proof: facts.proved_at,
        made: Some(facts.generation.at),
        whole,
        added,
        free: facts.free,
        would_be_lost: would_be_lost(facts),
        cache_lost: facts.cache.lost().is_some(),
        differs: differs(facts),
        kept: kept(facts),
        notes: notes(facts),
    }
}

fn sentence(facts: &Facts<'_>, whole: Amount, added: Amount) -> String {
    let Facts { order, generation, now, proved_at, .. } = facts;
    let made = human::ago(*now, generation.at);
    let proof = match proved_at {
        Some(at) => format!("proved {}", human::ago(*now, *at)),
        None => "not proved".to_owned(),
    };
    let mut text = format!(
        "{} of {}, made {made}, {proof}: {} files, {} become {}",
        generation.name,
        order.name,
        whole.files,
        human::bytes(whole.bytes),
        order.live.display()
    );
    if added.files > 0 {
        let bytes = human::bytes(added.bytes);
        let what = match facts.policy.uploads {
            Uploads::Link => "are not added",
            _ => "are added to today's",
        };
        let _ = write!(text, "; {} uploads, {bytes}, that only the backup has {what}", added.files);
    }
    text
}

fn would_be_lost(facts: &Facts<'_>) -> Vec<String> {
    let Lost { only_today, changed, uploads } = facts.lost;
    let of = |few: &Few, what: &str| (few.count > 0).then(|| format!("{} {what}: {}", few.count, few.told()));
    [
        of(only_today, "that only today's has"),
        of(changed, "changed since"),
        of(uploads, "uploads that only today's has"),
        facts.cache.lost().map(str::to_owned),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn kept(facts: &Facts<'_>) -> Vec<String> {
    let mut kept = Vec::new();
    match facts.policy.uploads {
        Uploads::Stay => kept.push("public/system".to_owned()),
        Uploads::Link => kept.push("public/system, a link; where it leads is not touched".to_owned()),
        Uploads::FromBackup | Uploads::NoneToday => {}
    }
    if facts.policy.keeps_environment() {
        let names = facts.policy.environment.iter().map(|n| mastmaint_verify::shown(n));
        kept.extend(names);
    }
    kept
}

fn differs(facts: &Facts<'_>) -> Vec<String> {
    let Some(here) = facts.here else { return Vec::new() };
    let there = facts.there;
    let mut differs = Vec::new();
    let version = |m: &Mastodon| m.version.map_or_else(|| "unknown".to_owned(), |v| v.to_string());
    if here.version != there.version {
        differs.push(format!("Mastodon: {} today, {} in the backup", version(here), version(there)));
    }
    let newest = |m: &Mastodon| m.migrations.last().copied().unwrap_or_default();
    if newest(here) != newest(there) {
        let (today, then) = (newest(here), newest(there));
        differs.push(format!("newest migration: {today} today, {then} in the backup"));
    }
    differs.extend(settings(here.env.as_ref(), there.env.as_ref()));
    differs
}

/// The names of settings that differ. Never a value: they are secrets.
fn settings(here: Option<&Env>, there: Option<&Env>) -> Vec<String> {
    let (Some(here), Some(there)) = (here, there) else {
        let lacks = |what: &str| vec![format!(".env.production is not there {what}")];
        return match (here, there) {
            (None, Some(_)) => lacks("today"),
            (Some(_), None) => lacks("in the backup"),
            _ => Vec::new(),
        };
    };
    let names = |what: &str, names: Vec<&str>| {
        (!names.is_empty()).then(|| format!(".env.production: {what}: {}", names.join(", ")))
    };
    let other = here.all().filter(|(name, value)| there.get(name).is_some_and(|v| v != *value));
    let new = here.all().filter(|(name, _)| there.get(name).is_none());
    let gone = there.all().filter(|(name, _)| here.get(name).is_none());
    [
        names("another value in the backup", other.map(|(n, _)| n).collect()),
        names("only today", new.map(|(n, _)| n).collect()),
        names("only in the backup", gone.map(|(n, _)| n).collect()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is said where the backup's settings count although nobody has asked for them.
fn settings_that_count(facts: &Facts<'_>) -> Option<String> {
    let Facts { order, policy, here, there, .. } = facts;
    if order.with_env || !policy.with_env {
        return None;
    }
    let live = order.live.display();
    Some(match (here, &there.env) {
        (_, None) => "there is no .env.production, neither today nor in the backup: what the instance needs to know must \
                      stand in its environment"
            .to_owned(),
        (None, Some(_)) => format!(
            "nothing is at {live} today: files, uploads and settings are the backup's, and its settings say which database \
             is meant"
        ),
        (Some(_), Some(_)) => "there is no .env.production today: the backup's counts, and says which database is meant"
            .to_owned(),
    })
}

fn notes(facts: &Facts<'_>) -> Vec<String> {
    let mut notes = facts.notes.clone();
    notes.extend(settings_that_count(facts));
    let of = |few: &Few, what: &str| (few.count > 0).then(|| format!("{what}: {}", few.told()));
    let parts = [facts.whole, facts.missing];
    for survey in parts {
        notes
            .extend(of(&survey.setuid, "had the bit of a user or group that others run as; it is taken off"));
        notes.extend(of(
            &survey.attributes,
            "has access lists or extended attributes, which are not restored",
        ));
        notes.extend(of(&survey.others, "device, pipe or socket; left out"));
        notes.extend(of(&survey.unproved, "without a proof"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_by_name_and_never_by_value() {
        let here = Env::parse("A=1\nSECRET_KEY_BASE=topsecret\nNEW=x\n");
        let there = Env::parse("A=1\nSECRET_KEY_BASE=previous\nOLD=y\n");
        let told = settings(Some(&here), Some(&there)).join("\n");
        assert_eq!(
            told,
            ".env.production: another value in the backup: SECRET_KEY_BASE\n.env.production: only today: NEW\n\
             .env.production: only in the backup: OLD"
        );
        assert!(!told.contains("secret") && !told.contains("previous"));
        assert_eq!(settings(Some(&here), None), [".env.production is not there in the backup"]);
        assert!(settings(Some(&here), Some(&here)).is_empty());
    }
}

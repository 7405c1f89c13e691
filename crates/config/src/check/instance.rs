//! The instance: where it lives, who it runs as, which units are its own.

use super::command;
use crate::{
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Environment, Instance, USUAL_SETTLE},
    tree::{Kind, Node},
};
use mastmaint_words::UnitName;
use std::path::PathBuf;

/// The keys of an instance.
pub(crate) const KEYS: &[&str] = &["live", "user", "services", "settle", "environment", "url"];
/// In seconds.
const SETTLE: (u64, u64) = (1, 600);

pub(super) fn instance(reader: &mut Reader, node: &Node) -> Option<Instance> {
    let before = reader.mistakes.len();
    let f = reader.fields(node, "instance", "a map; `instance: {}` means the usual places", KEYS)?;
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
    let settle = reader.span_within(&f, "settle", "settle", SETTLE, "it is at least 1s and at most 10m");
    let mut environment = Environment::from([("RAILS_ENV".to_owned(), "production".to_owned())]);
    environment.extend(reader.environment(&f, "environment"));
    (reader.mistakes.len() == before).then(|| Instance {
        live: PathBuf::from(live.map_or_else(|| "/home/mastodon/live".to_owned(), |at| at.value)),
        user: user.map_or_else(|| "mastodon".to_owned(), |at| at.value),
        services,
        settle: settle.map_or(USUAL_SETTLE, |at| at.value),
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

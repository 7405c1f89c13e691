//! Complete: what must be in a file backup and what must not.

use super::{Env, Version, missing_secrets};
use crate::{
    finding::{Code, Finding},
    look::{Thing, Tree},
};
use std::{collections::BTreeSet, io};

/// What the file backup holds of Mastodon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mastodon {
    /// Where its Rails root lies in the backup.
    pub live: String,
    /// Its `.env.production`.
    pub env: Option<Env>,
    /// Its version.
    pub version: Option<Version>,
    /// Migrations of its code.
    pub migrations: BTreeSet<u64>,
}

impl Mastodon {
    /// The domain in the addresses of its posts.
    pub fn domain(&self) -> Option<&str> {
        self.env.as_ref().and_then(|env| env.get("WEB_DOMAIN").or_else(|| env.get("LOCAL_DOMAIN")))
    }
}

/// Reads what there is of Mastodon at this path of a backup.
pub fn live_in(tree: &dyn Tree, live: &str) -> io::Result<Mastodon> {
    let at = |path: &str| format!("{live}/{path}");
    let text = |path: &str| -> io::Result<Option<String>> {
        Ok(tree.small_file(&at(path))?.map(|t| String::from_utf8_lossy(&t).into_owned()))
    };
    let mut migrations = BTreeSet::new();
    for directory in ["db/migrate", "db/post_migrate"] {
        let names = tree.list(&at(directory))?;
        migrations.extend(names.iter().filter_map(|n| n.split_once('_')?.0.parse::<u64>().ok()));
    }
    Ok(Mastodon {
        live: live.to_owned(),
        env: text(".env.production")?.map(|t| Env::parse(&t)),
        version: text("lib/mastodon/version.rb")?.and_then(|t| Version::parse(&t)),
        migrations,
    })
}

/// Whether everything is in it. `below` are directories in which a path may lie too: the backup points of rsnapshot.
pub fn complete(
    tree: &dyn Tree,
    below: &[String],
    require: &[String],
    forbid: &[String],
    mastodon: Option<&Mastodon>,
) -> io::Result<Vec<Finding>> {
    let find = |path: &str| -> io::Result<Option<Thing>> {
        for at in candidates(path, below) {
            if let Some(thing) = tree.thing(&at)? {
                return Ok(Some(thing));
            }
        }
        Ok(None)
    };
    let (mut missing, mut empty, mut present) = (Vec::new(), Vec::new(), Vec::new());
    for path in require {
        match find(path)? {
            None => missing.push(path.clone()),
            Some(Thing::File(0) | Thing::Directory { is_empty: true }) => empty.push(path.clone()),
            Some(_) => {}
        }
    }
    for path in forbid {
        if find(path)?.is_some() {
            present.push(path.clone());
        }
    }
    let mut findings = Vec::new();
    if !missing.is_empty() {
        let what = format!("required and not in the backup: {}", missing.join(", "));
        let advice = "See what the backup program copies and what it excludes. Without it the instance does not come back whole.";
        findings.push(Finding::fail(Code::RequiredMissing, what, advice).with(missing));
    }
    if !empty.is_empty() {
        let what = format!("required and empty in the backup: {}", empty.join(", "));
        let advice = "Perhaps a file system that was not mounted, or an exclude that matches too much.";
        findings.push(Finding::fail(Code::RequiredEmpty, what, advice).with(empty));
    }
    if !present.is_empty() {
        let what = format!("forbidden and in the backup: {}", present.join(", "));
        let advice = "Exclude it: it takes time and space every night, and a restore brings it back.";
        findings.push(Finding::warn(Code::ForbiddenPresent, what, advice).with(present));
    }
    findings.extend(mastodon.and_then(secrets));
    Ok(findings)
}

/// The names under which a path may lie in the backup.
pub(crate) fn candidates<'a>(path: &'a str, below: &'a [String]) -> impl Iterator<Item = String> + 'a {
    let path = path.trim_matches('/');
    std::iter::once(path.to_owned()).chain(below.iter().map(move |b| format!("{b}/{path}")))
}

fn secrets(mastodon: &Mastodon) -> Option<Finding> {
    let env = mastodon.env.as_ref()?;
    let missing = missing_secrets(env, mastodon.version);
    let version = mastodon.version.map_or_else(|| "Mastodon".to_owned(), |v| format!("Mastodon {v}"));
    (!missing.is_empty()).then(|| {
        Finding::fail(
            Code::SecretMissing,
            format!("{}/.env.production lacks {}, which {version} needs", mastodon.live, missing.join(", ")),
            "Copy the file of the running instance into the backup. Without these keys what is encrypted in the database is lost.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::DirectoryTree;
    use std::fs;

    #[test]
    fn what_is_missing_empty_or_forbidden_is_named() {
        let place = tempfile::tempdir().unwrap();
        let live = place.path().join("mastodon/home/mastodon/live");
        for directory in ["public/system/cache", "lib/mastodon", "db/migrate", "empty"] {
            fs::create_dir_all(live.join(directory)).unwrap();
        }
        fs::write(live.join(".env.production"), "LOCAL_DOMAIN=a\n").unwrap();
        fs::write(live.join("lib/mastodon/version.rb"), "def major\n 4\nend\ndef minor\n 6\nend").unwrap();
        fs::write(live.join("db/migrate/20260611150940_a.rb"), "").unwrap();
        let tree = DirectoryTree::new(fs::File::open(place.path()).unwrap().into(), None);
        let paths = |p: &[&str]| p.iter().map(|p| format!("home/mastodon/live/{p}")).collect::<Vec<_>>();
        let below = ["mastodon".to_owned()];
        let check = |require: &[&str], forbid: &[&str]| {
            let found = complete(&tree, &below, &paths(require), &paths(forbid), None).unwrap();
            found.into_iter().map(|f| f.code).collect::<Vec<_>>()
        };
        assert_eq!(check(&[".env.production", "public/system"], &["public/packs"]), []);
        assert_eq!(check(&["config/settings.yml"], &[]), [Code::RequiredMissing]);
        assert_eq!(check(&["empty"], &[]), [Code::RequiredEmpty]);
        assert_eq!(check(&[], &["public/system/cache"]), [Code::ForbiddenPresent]);
        let mastodon = live_in(&tree, "mastodon/home/mastodon/live").unwrap();
        assert_eq!(mastodon.migrations.into_iter().collect::<Vec<_>>(), [20_260_611_150_940]);
        let mastodon = live_in(&tree, "mastodon/home/mastodon/live").unwrap();
        let found = complete(&tree, &[], &[], &[], Some(&mastodon)).unwrap();
        assert_eq!(found[0].code, Code::SecretMissing);
        assert!(found[0].what.contains("ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY"), "{}", found[0].what);
    }
}

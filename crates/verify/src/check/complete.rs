//! Complete: what must be in a file backup and what must not.

use super::{Env, Version, missing_secrets};
use crate::{
    finding::{Code, Finding},
    leads::{Lead, follow},
    listing::plain,
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
pub fn live_in(tree: &dyn Tree, below: &[String], live: &str) -> io::Result<Mastodon> {
    let at = |path: &str| format!("{live}/{path}");
    let text = |path: &str| -> io::Result<Option<String>> {
        let path = place_of(tree, below, &at(path))?;
        Ok(tree.small_file(&path)?.map(|t| String::from_utf8_lossy(&t).into_owned()))
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
    let (mut missing, mut empty, mut present) = (Vec::new(), Vec::new(), Vec::new());
    let (mut out, mut unknown) = (Vec::new(), Vec::new());
    for path in require {
        match lead(tree, below, path)? {
            Lead::Nowhere => missing.push(path.clone()),
            Lead::Out { link, target } => out.push(format!("{link} is a link to {target}")),
            Lead::Here(_, Thing::File(0) | Thing::Directory { is_empty: true }) => empty.push(path.clone()),
            Lead::Here(at, Thing::Other) => unknown.push(at),
            Lead::Here(..) => {}
        }
    }
    for path in forbid {
        if matches!(lead(tree, below, path)?, Lead::Here(..)) {
            present.push(path.clone());
        }
    }
    let mut findings = Vec::new();
    // What was required and is told as missing is not told twice.
    let is_told = |live: &str| {
        let env = format!("{live}/.env.production");
        missing.iter().any(|path| candidates(path, below).any(|at| at == env))
    };
    let mastodon = mastodon.filter(|m| m.env.is_some() || !is_told(&m.live));
    if !missing.is_empty() {
        let what = format!("required and not in the backup: {}", missing.join(", "));
        let advice = "See what the backup program copies and what it excludes. Without it the instance does not come back whole.";
        findings.push(Finding::fail(Code::RequiredMissing, what, advice).with(missing));
    }
    if !out.is_empty() {
        let what = "required and only a link in the backup: what it leads to is not in it";
        let advice = "Let the backup program copy the place where the link leads, too. After a restore the link would lead to nothing.";
        findings.push(Finding::fail(Code::RequiredMissing, what, advice).with(out));
    }
    if !unknown.is_empty() {
        let what = format!("required and no file or directory in the backup: {}", unknown.join(", "));
        let advice = "If it is a link, name in `require:` the place where it leads: only the link lies here.";
        findings.push(Finding::warn(Code::RequiredEmpty, what, advice).with(unknown));
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

/// Where a path leads, by the first of its names under which there is something.
fn lead(tree: &dyn Tree, below: &[String], path: &str) -> io::Result<Lead> {
    for at in candidates(path, below) {
        match follow(tree, below, &at)? {
            Lead::Nowhere => {}
            found => return Ok(found),
        }
    }
    Ok(Lead::Nowhere)
}

/// Where something lies that may be a link in the backup; where it should lie, if it is not in it.
pub(crate) fn place_of(tree: &dyn Tree, below: &[String], path: &str) -> io::Result<String> {
    Ok(match follow(tree, below, path)? {
        Lead::Here(at, _) => at,
        Lead::Nowhere | Lead::Out { .. } => plain(path).to_owned(),
    })
}

/// The names under which a path may lie in the backup.
pub(crate) fn candidates<'a>(path: &'a str, below: &'a [String]) -> impl Iterator<Item = String> + 'a {
    let path = path.trim_matches('/');
    std::iter::once(path.to_owned()).chain(below.iter().map(move |b| format!("{b}/{path}")))
}

fn secrets(mastodon: &Mastodon) -> Option<Finding> {
    let Some(env) = mastodon.env.as_ref() else {
        let what = format!("{}/.env.production is not in the backup", mastodon.live);
        let advice = "It holds the keys of the instance: without them what is encrypted in the database is lost. If they are kept elsewhere, let the backup copy them there.";
        return Some(Finding::fail(Code::SecretMissing, what, advice));
    };
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
        let mastodon = live_in(&tree, &[], "mastodon/home/mastodon/live").unwrap();
        assert_eq!(mastodon.migrations.into_iter().collect::<Vec<_>>(), [20_260_611_150_940]);
        let mastodon = live_in(&tree, &[], "mastodon/home/mastodon/live").unwrap();
        let found = complete(&tree, &[], &[], &[], Some(&mastodon)).unwrap();
        assert_eq!(found[0].code, Code::SecretMissing);
        assert!(found[0].what.contains("ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY"), "{}", found[0].what);
    }

    #[test]
    fn a_link_is_not_what_it_leads_to() {
        let place = tempfile::tempdir().unwrap();
        let live = place.path().join("live");
        fs::create_dir_all(live.join("public")).unwrap();
        std::os::unix::fs::symlink("/srv/media", live.join("public/system")).unwrap();
        let tree = DirectoryTree::new(fs::File::open(place.path()).unwrap().into(), None);
        let check = || {
            let require = ["live/public/system".to_owned()];
            let mastodon = live_in(&tree, &[], "live").unwrap();
            let found =
                complete(&tree, &[], &require, &["live/public/system/cache".to_owned()], Some(&mastodon));
            found.unwrap().into_iter().map(|f| f.code).collect::<Vec<_>>()
        };
        assert_eq!(check(), [Code::RequiredMissing, Code::SecretMissing], "no media, no secrets");
        fs::create_dir_all(place.path().join("srv/media/accounts")).unwrap();
        fs::create_dir(place.path().join("etc")).unwrap();
        let secrets = "LOCAL_DOMAIN=a\nSECRET_KEY_BASE=b\nVAPID_PRIVATE_KEY=c\nVAPID_PUBLIC_KEY=d\n\
            ACTIVE_RECORD_ENCRYPTION_DETERMINISTIC_KEY=e\nACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT=f\n\
            ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY=g\n";
        fs::write(place.path().join("etc/mastodon.env"), secrets).unwrap();
        std::os::unix::fs::symlink("../etc/mastodon.env", live.join(".env.production")).unwrap();
        assert_eq!(check(), [], "both lead to what is in the backup");
    }
}

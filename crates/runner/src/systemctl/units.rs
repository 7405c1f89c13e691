//! Which units the room may act on: those that the instance names, and loaded instances of a template that it names,
//! if root wrote their unit file.

use super::query::Properties;
use mastmaint_words::UnitName;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where units of the administrator and of packages live. Not `/run/systemd/transient`: a transient unit may run
/// anything.
const UNIT_DIRECTORIES: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// How a unit belongs to the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is named.
    Named,
    /// It is an instance of this template, which is named.
    InstanceOf(String),
    /// Not at all.
    Foreign,
}

/// How `unit` belongs to an instance with these services. `mastodon-streaming@4000` belongs to `mastodon-streaming@`
/// and to `mastodon-streaming`.
pub fn claim(unit: &UnitName, services: &[UnitName]) -> Claim {
    let unit = unit.with_suffix();
    if services.iter().any(|service| service.with_suffix() == unit) {
        return Claim::Named;
    }
    let Some((stem, suffix)) = unit.rsplit_once('.') else { return Claim::Foreign };
    let Some((template, instance)) = stem.split_once('@') else { return Claim::Foreign };
    let of_this_template = |service: &UnitName| {
        let service = service.with_suffix();
        let stem = service.strip_suffix(suffix).and_then(|stem| stem.strip_suffix('.'));
        stem.is_some_and(|stem| stem.strip_suffix('@').unwrap_or(stem) == template)
    };
    if !instance.is_empty() && services.iter().any(of_this_template) {
        Claim::InstanceOf(format!("{template}@.{suffix}"))
    } else {
        Claim::Foreign
    }
}

/// The template that a unit is, or stands for; an instance of one stands for itself only.
pub fn template_of(unit: &UnitName) -> Option<String> {
    let full = unit.with_suffix();
    let (stem, suffix) = full.rsplit_once('.')?;
    let stem = stem.strip_suffix('@').unwrap_or(stem);
    (!stem.contains('@')).then(|| format!("{stem}@.{suffix}"))
}

/// Whether systemd has the unit loaded from a file that only root can write; else why not.
pub(super) fn trustworthy(shown: &Result<Vec<Properties>, String>) -> Result<(), String> {
    let properties = shown.as_ref().map_err(Clone::clone)?.first().cloned().unwrap_or_default();
    trustworthy_file(properties.get("LoadState"), properties.get("FragmentPath"))
}

/// The same of what `systemctl show` has told.
pub(super) fn trustworthy_file(load_state: &str, fragment: &str) -> Result<(), String> {
    if load_state != "loaded" {
        return Err(format!("systemd has not loaded it (it is {load_state:?})"));
    }
    let path = Path::new(fragment);
    let in_place =
        path.parent().is_some_and(|directory| UNIT_DIRECTORIES.iter().any(|d| Path::new(d) == directory));
    if !in_place {
        return Err(format!("its unit file {} is not in {}", path.display(), UNIT_DIRECTORIES.join(", ")));
    }
    // A link in there is root's, since only root writes there; what it leads to must be as well.
    match fs::metadata(path) {
        Ok(meta) if meta.uid() != 0 => {
            Err(format!("its unit file {} does not belong to root", path.display()))
        }
        Ok(meta) if meta.mode() & 0o022 != 0 => {
            Err(format!("its unit file {} may be written by others than root", path.display()))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("its unit file {} cannot be looked at: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::parse;
    use super::*;
    use proptest::prelude::*;

    fn units(names: &[&str]) -> Vec<UnitName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn of(unit: &str, services: &[&str]) -> Claim {
        claim(&unit.parse().unwrap(), &units(services))
    }

    #[test]
    fn named_units_with_and_without_suffix() {
        assert_eq!(of("mastodon-web", &["mastodon-web.service"]), Claim::Named);
        assert_eq!(of("mastodon-web.service", &["mastodon-web"]), Claim::Named);
        assert_eq!(of("mastodon-web.socket", &["mastodon-web"]), Claim::Foreign);
        assert_eq!(of("mastodon-web2", &["mastodon-web"]), Claim::Foreign);
        assert_eq!(of("ssh", &["mastodon-web"]), Claim::Foreign);
        assert_eq!(of("mastodon-web", &[]), Claim::Foreign);
    }

    #[test]
    fn instances_belong_to_their_template() {
        let instance = Claim::InstanceOf("mastodon-streaming@.service".into());
        for named in ["mastodon-streaming", "mastodon-streaming@", "mastodon-streaming@.service"] {
            assert_eq!(of("mastodon-streaming@4000", &[named]), instance, "{named}");
        }
        assert_eq!(of("mastodon-streaming@", &["mastodon-streaming"]), Claim::Foreign, "no instance");
        assert_eq!(of("mastodon-streaming@4000.socket", &["mastodon-streaming"]), Claim::Foreign);
        assert_eq!(of("mastodon-streaming@1", &["mastodon-streaming@2"]), Claim::Foreign);
        assert_eq!(of("mastodon@mastodon-web", &["mastodon-web"]), Claim::Foreign);
    }

    #[test]
    fn only_loaded_files_of_root_are_trusted() {
        let why = |text: &str| trustworthy(&Ok(parse(text)));
        assert!(why("LoadState=not-found\nFragmentPath=\n").unwrap_err().contains("not loaded"));
        for path in [
            "/tmp/a@.service",
            "/run/systemd/transient/a.service",
            "/etc/systemd/system/../../../tmp/a@.service",
            "",
        ] {
            let text = format!("LoadState=loaded\nFragmentPath={path}\n");
            assert!(why(&text).unwrap_err().contains("is not in"), "{path}");
        }
        assert!(why("LoadState=loaded\nFragmentPath=/lib/systemd/system/no-such@.service\n").is_err());
        assert_eq!(trustworthy(&Err("no answer".into())), Err("no answer".into()));
    }

    proptest! {
        #[test]
        fn nothing_outside_the_named_stems_is_claimed(unit in "[a-z@.-]{1,20}") {
            if let Ok(name) = unit.parse::<UnitName>() {
                let claimed = claim(&name, &units(&["mastodon-web", "mastodon-sidekiq@"])) != Claim::Foreign;
                prop_assert!(!claimed || unit.starts_with("mastodon-web") || unit.starts_with("mastodon-sidekiq@"));
            }
        }
    }
}

//! The `backups:` of a first configuration with the job that verifies them, its `probes:` and who is told. Pure.

use super::{host::FoundBackup, render::quoted};
use mastmaint_config::requires::Service;
use std::{collections::BTreeMap, fmt::Write as _, path::Path};

/// More than these are a matter for a person.
const MOST: usize = 20;
/// A nightly one with two hours to spare.
const MAX_AGE: &str = "26h";

/// A backup under a name.
pub(super) struct Proposed {
    name: String,
    keys: Vec<(&'static str, String)>,
}

/// What can be verified of what was found, under names that nobody else has.
pub(super) fn backups(found: &[FoundBackup]) -> Vec<Proposed> {
    let mut taken: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut name = |base: &'static str| {
        let count = taken.entry(base).or_default();
        *count += 1;
        if *count == 1 { base.to_owned() } else { format!("{base}-{count}") }
    };
    let path = |path: &Path| path.to_str().map(quoted);
    let mut proposed = Vec::new();
    let mut files = None;
    for backup in found {
        match backup {
            FoundBackup::Rsnapshot { config, live } => {
                let Some(config) = path(config) else { continue };
                let name = name("files");
                let mut keys = vec![("kind", "rsnapshot".to_owned()), ("config", config)];
                if let Some(live) = live {
                    keys.push(("live", quoted(live)));
                    let inside = |below| quoted(&format!("{live}/{below}"));
                    let require = [inside(".env.production"), inside("public/system")].join(", ");
                    keys.push(("require", format!("[{require}]")));
                    files.get_or_insert_with(|| name.clone());
                }
                proposed.push(Proposed { name, keys });
            }
            FoundBackup::Postgres { path: dumps } => {
                let Some(dumps) = path(dumps) else { continue };
                let mut keys = vec![("kind", "postgres".to_owned()), ("path", dumps)];
                // With its file backup known, secrets and uploads are compared.
                keys.extend(files.clone().map(|files| ("files", files)));
                proposed.push(Proposed { name: name("database"), keys });
            }
            FoundBackup::Redis { path: dump } => {
                let Some(dump) = path(dump) else { continue };
                let keys = vec![("kind", "redis".to_owned()), ("path", dump)];
                proposed.push(Proposed { name: name("redis"), keys });
            }
            FoundBackup::Restic { .. } | FoundBackup::Borg { .. } | FoundBackup::Borgmatic { .. } => {}
        }
    }
    proposed.truncate(MOST);
    proposed
}

/// The section, if there is anything to verify.
pub(super) fn section(proposed: &[Proposed]) -> String {
    let mut text = String::new();
    if proposed.is_empty() {
        return text;
    }
    text.push_str("# What is verified every morning. Name what must be in it with `require:`, see mastmaintd.yaml(5).\nbackups:\n");
    for Proposed { name, keys } in proposed {
        let _ = writeln!(text, "  {name}:");
        for (key, value) in keys {
            let _ = writeln!(text, "    {key}: {value}");
        }
        let _ = writeln!(text, "    max_age: {MAX_AGE}");
    }
    text.push('\n');
    text
}

/// The job that verifies them, to be put below `jobs:`.
pub(super) fn job(proposed: &[Proposed]) -> String {
    let mut text = String::new();
    if proposed.is_empty() {
        return text;
    }
    text.push_str(
        "\n  verify-backups:\n    description: Prove that the backups would bring everything back\n    \
         schedule: \"30 6 * * *\"\n    timeout: 4h\n    lock: backup\n    steps:\n",
    );
    for Proposed { name, .. } in proposed {
        let _ = writeln!(text, "      - verify: {name}\n        continue: true");
    }
    text
}

/// The probes of an instance with these units: what its host is asked so that an outage has not to be found by a user.
pub(super) fn probes(units: &[String], has_url: bool) -> String {
    let mut text = String::from(
        "\n# Whether the site is up, see mastmaintd.yaml(5). Pages are asked for at `url`: a host that cannot \
         reach its own\n# public address needs it in /etc/hosts, as 127.0.0.1.\nprobes:\n",
    );
    let has = |service| {
        units.iter().filter_map(|unit| unit.parse().ok()).any(|unit| Service::of(&unit) == Some(service))
    };
    for (kind, is_there) in [
        ("web", true),
        ("api", true),
        ("streaming", has(Service::Streaming)),
        ("sidekiq", has(Service::Sidekiq)),
        ("units", true),
        ("postgres", true),
        ("redis", true),
        ("disk", true),
        ("certificate", has_url),
        ("assets", true),
    ] {
        if is_there {
            let _ = writeln!(text, "  {kind}: {{}}");
        }
    }
    text
}

/// Who is told: root, where a server takes mail; else the file says that nobody is.
pub(super) fn notify(takes_mail: bool) -> &'static str {
    if takes_mail {
        "\n# Who is told when something fails, or the site is down. `mastmaintctl notify test` sends a test.\nnotify:\n  - mail: root\n"
    } else {
        "\n# Nobody is told when something fails or the site is down before this is switched on: no mail server was found here.\n\
         # `mastmaintctl notify test` sends a test.\n#notify:\n#  - mail: admin@example.com\n#    smtp: {host: mail.example.com}\n\
         #  - webhook: https://ntfy.sh/a-topic-that-nobody-guesses\n#    preset: ntfy\n"
    }
}

#[cfg(test)]
mod tests {
    use super::super::{host::Host, render::config};
    use super::*;
    use mastmaint_words::BackupName;

    #[test]
    fn what_is_proposed_is_a_configuration_that_verifies_it() {
        let found = vec![
            FoundBackup::Rsnapshot {
                config: "/etc/rsnapshot.conf".into(),
                live: Some("h/home/mastodon/live".into()),
            },
            FoundBackup::Postgres { path: "/backup/mastodon-*.dump".into() },
            FoundBackup::Postgres { path: "/backup/odd: name-*.sql".into() },
            FoundBackup::Restic { path: "/backup/restic".into() },
            FoundBackup::Redis { path: "/backup/dump.rdb".into() },
        ];
        let text = config(&Host { backups: found, ..Host::default() });
        let settings = mastmaint_config::load_str("init", &text).unwrap().settings;
        let names: Vec<_> = settings.backups.keys().map(BackupName::as_str).collect();
        assert_eq!(names, ["database", "database-2", "files", "redis"], "{text}");
        assert_eq!(settings.backups["database"].files, Some("files".parse().unwrap()));
        assert_eq!(settings.backups["files"].require.len(), 2);
        assert_eq!(settings.jobs["verify-backups"].steps.len(), 4);
        assert!(settings.notify.is_empty() && text.contains("Nobody is told"), "{text}");
        assert!(
            text.contains(
                "#   a repository of restic, /backup/restic; verified once it stands in `backups:`"
            )
        );
    }
}

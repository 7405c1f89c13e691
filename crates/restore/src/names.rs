//! What the names below a Rails root mean to a restore.

use mastmaint_words::restore::Uploads;
use std::collections::BTreeSet;

/// Where uploads lie, from the Rails root.
pub(crate) const PUBLIC: &str = "public";
/// Its name in there.
pub(crate) const SYSTEM: &str = "system";
/// Both.
pub(crate) const UPLOADS: &[u8] = b"public/system";
/// Copies of what lies on other servers: they are fetched again.
pub(crate) const CACHE: &[u8] = b"cache";
/// The settings and secrets of the instance; `.env.production.local` and the like belong to them.
pub(crate) const ENVIRONMENT: &[u8] = b".env.production";
/// A file of Mastodon's code.
const SAMPLE: &[u8] = b".env.production.sample";

/// Whether a name in the Rails root is that of an environment file.
pub(crate) fn is_environment(name: &[u8]) -> bool {
    let rest = name.strip_prefix(ENVIRONMENT);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b".")) && name != SAMPLE
}

/// What of the backup is copied.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) uploads: Uploads,
    pub(crate) with_env: bool,
    /// The environment files that there are today.
    pub(crate) environment: BTreeSet<Vec<u8>>,
}

impl Policy {
    /// Decides whose environment files count, all of them: the backup's where that is asked for, or where there are none
    /// today.
    pub(crate) fn decide(uploads: Uploads, is_asked: bool, environment: BTreeSet<Vec<u8>>) -> Self {
        let with_env = is_asked || !environment.contains(ENVIRONMENT);
        Self { uploads, with_env, environment }
    }

    /// Whether a path of the backup goes into the new tree. What is below a path that does not is not asked for.
    pub(crate) fn takes(&self, path: &[u8]) -> bool {
        if path == UPLOADS {
            return matches!(self.uploads, Uploads::FromBackup | Uploads::NoneToday);
        }
        self.with_env || !is_environment(path)
    }

    /// Whether a path is one of the environment files that stay as they are today.
    pub(crate) fn keeps_environment(&self) -> bool {
        !self.with_env
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_code_and_the_others_are_settings() {
        for name in [".env.production", ".env.production.local", ".env.production.before-x"] {
            assert!(is_environment(name.as_bytes()), "{name}");
        }
        for name in [".env.production.sample", ".env.productions", ".env", ".env.test"] {
            assert!(!is_environment(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_is_there_today_is_not_taken_unless_it_is_asked_for() {
        let environment = BTreeSet::from([b".env.production".to_vec()]);
        let policy = Policy::decide(Uploads::Stay, false, environment);
        assert!(!policy.takes(b"public/system") && !policy.takes(b".env.production"));
        assert!(
            policy.takes(b"public") && policy.takes(b"public/systems") && policy.takes(b"app/public/system")
        );
        assert!(!policy.takes(b".env.production.local"), "it would count more than today's");
        let all = Policy { uploads: Uploads::FromBackup, with_env: true, ..policy };
        assert!(all.takes(b"public/system") && all.takes(b".env.production"));
    }

    #[test]
    fn whose_settings_count_is_decided_as_a_whole() {
        let of = |asked, names: &[&str]| {
            let today = names.iter().map(|name| name.as_bytes().to_vec()).collect();
            Policy::decide(Uploads::Stay, asked, today).with_env
        };
        assert!(
            !of(false, &[".env.production"]) && !of(false, &[".env.production", ".env.production.local"])
        );
        assert!(of(true, &[".env.production"]), "asked for");
        assert!(of(false, &[]) && of(false, &[".env.production.local"]), "there are none today");
    }
}

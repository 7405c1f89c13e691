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
const ENVIRONMENT: &[u8] = b".env.production";
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
    /// Whether a path of the backup goes into the new tree. What is below a path that does not is not asked for.
    pub(crate) fn takes(&self, path: &[u8]) -> bool {
        if path == UPLOADS {
            return matches!(self.uploads, Uploads::FromBackup | Uploads::NoneToday);
        }
        self.with_env || !self.environment.contains(path)
    }

    /// Whether a path is one of the environment files that stay as they are today.
    pub(crate) fn keeps_environment(&self) -> bool {
        !self.with_env && !self.environment.is_empty()
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
        let policy = Policy { uploads: Uploads::Stay, with_env: false, environment };
        assert!(!policy.takes(b"public/system") && !policy.takes(b".env.production"));
        assert!(
            policy.takes(b"public") && policy.takes(b"public/systems") && policy.takes(b"app/public/system")
        );
        assert!(policy.takes(b".env.production.local"), "only the backup has it");
        let all = Policy { uploads: Uploads::FromBackup, with_env: true, ..policy };
        assert!(all.takes(b"public/system") && all.takes(b".env.production"));
    }
}

//! A backup as the config describes it: where it is, of what kind, and what it must hold.

use crate::prove::Budget;
use mastmaint_words::Span;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// A named thing that can be verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// What it is and where.
    #[serde(flatten)]
    pub place: Place,
    /// The newest complete one must not be older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// Paths that must be in it and hold something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<String>,
    /// Paths that must not be in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbid: Vec<String>,
    /// Where Mastodon's Rails root lies in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<String>,
    /// The file backup that belongs to a dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// The file backup in which a dump lies: its path is a path there.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
    /// How it is decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decrypt: Option<Decrypt>,
    /// How much a night may read.
    #[serde(default)]
    pub budget: Budget,
    /// A proof is good for this long.
    pub prove_every: Span,
    /// One that is being written is waited for at most this long.
    pub wait: Span,
}

/// What a backup is and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Place {
    /// Generations of rsnapshot, by its own configuration.
    Rsnapshot {
        /// `/etc/rsnapshot.conf`.
        config: PathBuf,
    },
    /// A mirror, or one copy.
    Tree {
        /// The directory.
        path: PathBuf,
    },
    /// Archives of tar, packed or not.
    Tar {
        /// A path whose last part may have `*` and `?`.
        path: PathBuf,
    },
    /// Dumps of PostgreSQL.
    Postgres {
        /// A path whose last part may have `*` and `?`.
        path: PathBuf,
    },
    /// Dumps of Redis.
    Redis {
        /// A path whose last part may have `*` and `?`.
        path: PathBuf,
    },
    /// A repository of restic.
    Restic(Restic),
    /// A repository of Borg.
    Borg(Borg),
}

/// A repository of restic, and which of its snapshots count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restic {
    /// A directory, or what restic takes for `-r`.
    pub repository: String,
    /// The file with its password.
    pub password_file: PathBuf,
    /// Only snapshots of this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Only snapshots that have all of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A repository of Borg, and which of its archives count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Borg {
    /// A directory, or what borg takes for a repository.
    pub repository: String,
    /// The file with its passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The file with its key, where the key is not in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Only archives of this name, which may have `*` and `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archives: Option<String>,
}

/// How a backup is decrypted while it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decrypt {
    /// By gpg.
    Gpg {
        /// The file with the secret key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<PathBuf>,
        /// The file with the passphrase of the key, or of the backup where there is no key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passphrase: Option<PathBuf>,
    },
    /// By age.
    Age {
        /// The file with the identity.
        key: PathBuf,
    },
}

/// All backups by name.
pub type Backups = BTreeMap<String, Backup>;

impl Place {
    /// The word in the config.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rsnapshot { .. } => "rsnapshot",
            Self::Tree { .. } => "tree",
            Self::Tar { .. } => "tar",
            Self::Postgres { .. } => "postgres",
            Self::Redis { .. } => "redis",
            Self::Restic(_) => "restic",
            Self::Borg(_) => "borg",
        }
    }

    /// Whether it holds the files of an instance.
    pub const fn holds_files(&self) -> bool {
        matches!(
            self,
            Self::Rsnapshot { .. } | Self::Tree { .. } | Self::Tar { .. } | Self::Restic(_) | Self::Borg(_)
        )
    }
}

impl Backup {
    /// A proof is good for a week unless the config says otherwise.
    pub const PROVE_EVERY: Span = Span::from_secs(7 * 86_400);
    /// Longer than a backup of a night takes.
    pub const WAIT: Span = Span::from_secs(2 * 3600);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_reads_back() {
        let text = r#"{"kind":"rsnapshot","config":"/etc/rsnapshot.conf","max_age":"26h","prove_every":"7d","wait":"2h",
            "require":["a"],"budget":{"time":"30m","bytes":5}}"#;
        let backup: Backup = serde_json::from_str(text).unwrap();
        assert_eq!(backup.place.kind(), "rsnapshot");
        let again: Backup = serde_json::from_str(&serde_json::to_string(&backup).unwrap()).unwrap();
        assert_eq!(backup, again);
    }
}

//! Backups: as the config describes them, and what a verification says of them.

mod drill;
mod elsewhere;
mod finding;
mod known;
mod pulled;
mod report;

pub use drill::{Boot, BootTimes, Counts, Drill, DrillPlan, Every, Times};
pub use elsewhere::{Borg, Decrypt, REMOTE_KEYS, Reach, Restic};
pub use finding::{Code, Finding, Severity};
pub use known::{FindingAck, FindingId, KnownFinding, UnknownFinding};
pub use pulled::{Pulled, Sender, UnknownSender};
pub use report::{Newest, Report, Summary};

use crate::{BackupName, Bytes, Span};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

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
    pub files: Option<BackupName>,
    /// The file backup in which a dump lies: its path is a path there.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<BackupName>,
    /// How it is decrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decrypt: Option<Decrypt>,
    /// How a dump is brought to life now and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillPlan>,
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
    /// A file backup of another host, which keeps and verifies it.
    Pulled(Pulled),
}

/// All backups by name.
pub type Backups = BTreeMap<BackupName, Backup>;

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
            Self::Pulled(_) => "pulled",
        }
    }

    /// Whether it lies on another host and is verified from here.
    pub fn is_remote(&self) -> bool {
        match self {
            Self::Restic(Restic { repository, .. }) | Self::Borg(Borg { repository, .. }) => {
                !repository.starts_with('/')
            }
            _ => false,
        }
    }

    /// Whether it is verified where it lies, and here only restored from.
    pub const fn is_pulled(&self) -> bool {
        matches!(self, Self::Pulled(_))
    }

    /// Whether it holds the files of an instance, to be looked into from here.
    pub const fn holds_files(&self) -> bool {
        matches!(
            self,
            Self::Rsnapshot { .. } | Self::Tree { .. } | Self::Tar { .. } | Self::Restic(_) | Self::Borg(_)
        )
    }
}

impl Backup {
    /// Whether a part of it lies on another host.
    pub fn is_remote(&self, all: &Backups) -> bool {
        let others = self.inside.iter().chain(&self.files).filter_map(|name| all.get(name));
        self.place.is_remote() || others.into_iter().any(|other| other.place.is_remote())
    }

    /// The files with keys and passwords that open it.
    pub fn keys_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let (password, key, reach) = match &mut self.place {
            Place::Restic(restic) => (Some(&mut restic.password_file), None, Some(&mut restic.reach)),
            Place::Borg(borg) => (borg.password_file.as_mut(), borg.key_file.as_mut(), Some(&mut borg.reach)),
            Place::Pulled(pulled) => (Some(&mut pulled.ssh_key), Some(&mut pulled.known_hosts), None),
            _ => (None, None, None),
        };
        let decrypt = match &mut self.decrypt {
            Some(Decrypt::Age { key }) => [Some(key), None],
            Some(Decrypt::Gpg { key, passphrase }) => [key.as_mut(), passphrase.as_mut()],
            None => [None, None],
        };
        let of_reach = reach.into_iter().flat_map(|reach| {
            [&mut reach.ssh_key, &mut reach.known_hosts, &mut reach.environment_file].into_iter().flatten()
        });
        password.into_iter().chain(key).chain(decrypt.into_iter().flatten()).chain(of_reach)
    }

    /// Names the keys that systemd has handed to a room where it has put them: `LoadCredential=remote:REMOTE_KEYS`.
    pub fn take_keys_from(&mut self, credentials: &Path) {
        for key in self.keys_mut() {
            if let Ok(name) = key.strip_prefix(REMOTE_KEYS) {
                // As systemd names the files of a directory.
                *key = credentials.join(format!("remote_{}", name.display()));
            }
        }
    }

    /// A proof is good for a week unless the config says otherwise.
    pub const PROVE_EVERY: Span = Span::from_secs(7 * 86_400);
    /// Longer than a backup of a night takes.
    pub const WAIT: Span = Span::from_secs(2 * 3600);
}

/// How much one night may read, and for how long. What is not reached is first in the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// No file is begun after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Span>,
    /// Not more bytes than this, except for one file that is larger than all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
}

/// What is to be verified: what a room hands to `mastmaint-verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its name.
    pub name: BackupName,
    /// What it is.
    pub backup: Backup,
    /// The file backup that belongs to a dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Backup>,
    /// The file backup in which a dump lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Backup>,
    /// Read everything and bring a dump to life, whatever the budget and the age of its proof.
    #[serde(default)]
    pub full: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_reads_back() {
        let text = r#"{"kind":"rsnapshot","config":"/etc/rsnapshot.conf","max_age":"26h","prove_every":"7d","wait":"2h",
            "require":["a"],"budget":{"time":"30m","bytes":"5 B"}}"#;
        let backup: Backup = serde_json::from_str(text).unwrap();
        assert_eq!(backup.place.kind(), "rsnapshot");
        let again: Backup = serde_json::from_str(&serde_json::to_string(&backup).unwrap()).unwrap();
        assert_eq!(backup, again);
    }
}

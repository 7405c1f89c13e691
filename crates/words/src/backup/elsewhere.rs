//! What other programs keep the key to: repositories of restic and Borg, and backups that gpg or age have encrypted.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// How it is reached.
    #[serde(flatten)]
    pub reach: Reach,
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
    /// How it is reached.
    #[serde(flatten)]
    pub reach: Reach,
}

/// How a repository over the network is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The file with the key of ssh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<PathBuf>,
    /// The file with the hosts that ssh knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// The file with variables of the program: keys of an object storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_file: Option<PathBuf>,
}

/// Where the keys of repositories over the network lie: systemd hands them to the room, nobody else reads them.
pub const REMOTE_KEYS: &str = "/etc/mastmaintd/remote";

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

//! The rooms: sandboxed systemd units in which steps of one privilege run.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A room. Its socket is `ROOMS_DIR/NAME.sock`, its systemd template `mastmaintd-NAME@.service`, its state
/// `/var/lib/mastmaintd-NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Room {
    /// Runs tootctl as the instance does.
    Tootctl,
    /// Root without capabilities: acts on the units that the config names and accepts configurations.
    Systemctl,
    /// `run` steps that need no instance.
    Run,
    /// Root that may only read: verifies backups.
    Verify,
    /// The same over the network, as a user of its own: repositories elsewhere.
    Remote,
    /// Root with the capabilities that writing files of others needs, and no network: puts a restored tree in place.
    Restore,
    /// Questions to the instance's services: the instance's user with a network.
    Probe,
    /// Guarded changes: the instance's user, with a network and its Rails root to write in.
    Change,
    /// Sends mail, webhooks and pings; no step runs in it.
    Notify,
}

impl Room {
    /// Every room there is.
    pub const ALL: [Self; 9] = [
        Self::Tootctl,
        Self::Systemctl,
        Self::Run,
        Self::Verify,
        Self::Remote,
        Self::Restore,
        Self::Probe,
        Self::Change,
        Self::Notify,
    ];

    /// The word in unit, socket and directory names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tootctl => "tootctl",
            Self::Systemctl => "systemctl",
            Self::Run => "run",
            Self::Verify => "verify",
            Self::Remote => "remote",
            Self::Restore => "restore",
            Self::Probe => "probe",
            Self::Change => "change",
            Self::Notify => "notify",
        }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Room {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|r| r.as_str() == word).ok_or_else(|| {
            format!("unknown room {word:?}; there are {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

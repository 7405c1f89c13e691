//! What a job requires of its host: conditions that are looked at before a run of it asks for its lock, and what each
//! room looks at of them. What is written here is written in the file in the same words.

use mastmaint_words::{Bytes, Hundredths, Percent, ProgramName, Room, Span, UnitName};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, path::Path, path::PathBuf, str::FromStr};

/// How long until a condition that does not hold is looked at again, where nothing is written.
pub const USUAL_TRY_AGAIN: Span = Span::from_secs(5 * 60);

/// What must hold before a run is admitted. What is absent is not required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requires {
    /// Room on file systems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub free: Vec<FreeSpace>,
    /// The host's load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadBelow>,
    /// How much of the time somebody waits for a resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pressure: BTreeMap<Resource, Below>,
    /// Units that are only looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unit_active: Vec<UnitName>,
    /// Programs of which no process may be there, whoever runs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_running: Vec<ProgramName>,
    /// Services of the instance that must answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probe: Vec<Service>,
    /// How long until it is looked again; `None` for a job without a window, within which that could be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub try_again: Option<Span>,
}

/// So much room there must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeSpace {
    /// A path on the file system, absolute.
    pub path: PathBuf,
    /// What must be free for everybody, not only for root.
    pub at_least: Bytes,
}

/// A bound of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBelow {
    /// The average of a minute must be below it.
    pub below: Hundredths,
}

/// What a process may have to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Processors.
    Cpu,
    /// Disks.
    Io,
    /// Memory.
    Memory,
}

impl Resource {
    /// The kernel's word, which is the one in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Io => "io",
            Self::Memory => "memory",
        }
    }
}

/// A bound of a share, as people write it: `below 20%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Below(pub Percent);

/// Why a text is no such bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a bound; write it like \"below 20%\", from 1% to 100%")]
pub struct ParseBelowError(String);

impl FromStr for Below {
    type Err = ParseBelowError;

    fn from_str(text: &str) -> Result<Self, ParseBelowError> {
        let share = text.trim().strip_prefix("below ").and_then(|share| share.parse().ok());
        share.map(Self).ok_or_else(|| ParseBelowError(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "below {}", self.0)
    }
}

impl TryFrom<String> for Below {
    type Error = ParseBelowError;

    fn try_from(text: String) -> Result<Self, ParseBelowError> {
        text.parse()
    }
}

impl From<Below> for String {
    fn from(below: Below) -> Self {
        below.to_string()
    }
}

/// What a service of the instance is, as its unit's name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Puma.
    Web,
    /// Node, each instance of its template for itself.
    Streaming,
    /// Sidekiq.
    Sidekiq,
}

impl Service {
    /// Every service that can be asked.
    pub const ALL: [Self; 3] = [Self::Web, Self::Streaming, Self::Sidekiq];

    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Streaming => "streaming",
            Self::Sidekiq => "sidekiq",
        }
    }

    /// What a unit runs, by the words that its name has.
    pub fn of(unit: &UnitName) -> Option<Self> {
        let name = unit.as_str().to_ascii_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
        match () {
            () if is(&["stream", "websocket"]) => Some(Self::Streaming),
            () if is(&["sidekiq", "worker"]) => Some(Self::Sidekiq),
            () if is(&["web", "puma", "rails"]) => Some(Self::Web),
            () => None,
        }
    }
}

impl Requires {
    /// Nothing yet.
    pub const fn nothing() -> Self {
        Self {
            free: Vec::new(),
            load: None,
            pressure: BTreeMap::new(),
            unit_active: Vec::new(),
            not_running: Vec::new(),
            probe: Vec::new(),
            try_again: None,
        }
    }

    /// Whether nothing is required.
    pub fn is_nothing(&self) -> bool {
        Self { try_again: None, ..self.clone() } == Self::nothing()
    }

    /// What a room looks at. The host belongs to the systemctl room, which sees every process and needs no instance;
    /// the instance, its files included, to the probe room.
    pub fn part(&self, room: Room, live: Option<&Path>) -> Option<Self> {
        let of_instance = |free: &&FreeSpace| live.is_some_and(|live| free.path.starts_with(live));
        let part = match room {
            Room::Systemctl => Self {
                free: self.free.iter().filter(|free| !of_instance(free)).cloned().collect(),
                probe: Vec::new(),
                ..self.clone()
            },
            Room::Probe => Self {
                free: self.free.iter().filter(of_instance).cloned().collect(),
                probe: self.probe.clone(),
                ..Self::nothing()
            },
            Room::Tootctl
            | Room::Run
            | Room::Verify
            | Room::Remote
            | Room::Restore
            | Room::Change
            | Room::Notify => Self::nothing(),
        };
        (!part.is_nothing()).then_some(part)
    }

    /// The rooms that have to look at something.
    pub fn rooms(&self, live: Option<&Path>) -> Vec<Room> {
        Room::ALL.into_iter().filter(|room| self.part(*room, live).is_some()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_its_name() {
        let service = |unit: &str| Service::of(&unit.parse().unwrap());
        assert_eq!(service("mastodon-web"), Some(Service::Web));
        assert_eq!(service("masto-puma.service"), Some(Service::Web));
        assert_eq!(service("mastodon-sidekiq-pull@2"), Some(Service::Sidekiq));
        assert_eq!(service("mastodon-streaming@4000"), Some(Service::Streaming));
        assert_eq!(service("mastodon-websocket"), Some(Service::Streaming), "not web");
        assert_eq!(service("masto-worker@1"), Some(Service::Sidekiq));
        assert_eq!(service("mastodon-search"), None);
    }

    #[test]
    fn each_condition_has_one_room() {
        let free = |path: &str| FreeSpace { path: path.into(), at_least: Bytes::new(1) };
        let all = Requires {
            free: vec![
                free("/backup"),
                free("/home/mastodon/live/public/system"),
                free("/home/mastodon/livery"),
            ],
            load: Some(LoadBelow { below: Hundredths::new(400) }),
            not_running: vec!["pg_dump".parse().unwrap()],
            probe: vec![Service::Web],
            ..Requires::nothing()
        };
        let live = Path::new("/home/mastodon/live");
        let paths = |room, live| -> Vec<String> {
            let part = all.part(room, live).unwrap();
            part.free.iter().map(|free| free.path.display().to_string()).collect()
        };
        assert_eq!(paths(Room::Systemctl, Some(live)), ["/backup", "/home/mastodon/livery"]);
        assert_eq!(paths(Room::Probe, Some(live)), ["/home/mastodon/live/public/system"]);
        assert_eq!(paths(Room::Systemctl, None).len(), 3);
        assert_eq!(all.rooms(Some(live)), [Room::Systemctl, Room::Probe]);
        let host = Requires { not_running: all.not_running.clone(), ..Requires::nothing() };
        assert_eq!(host.rooms(Some(live)), [Room::Systemctl]);
        assert_eq!(all.part(Room::Probe, Some(live)).unwrap().not_running, []);
        assert_eq!(all.part(Room::Systemctl, Some(live)).unwrap().probe, []);
    }

    #[test]
    fn a_bound_reads_back() {
        for text in ["below 20%", "below 5 %", " below 100%"] {
            let below: Below = text.parse().unwrap();
            assert_eq!(below.to_string().parse(), Ok(below), "{text}");
        }
        for text in ["20%", "below", "below 0%", "above 20%", "below 101%"] {
            assert!(text.parse::<Below>().is_err(), "{text}");
        }
    }
}

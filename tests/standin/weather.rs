//! What the instance's commands meet: `live/standin.yaml`, written by tests. Without it every command goes well.

use crate::{build::Build, elsewhere::Elsewhere};
use mastmaint_words::Span;
use serde::Deserialize;
use std::{collections::BTreeMap, io, path::Path};

/// The scenario file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scenario {
    /// How many times faster than the recording.
    pub speed: f64,
    /// Real things that are moved as well.
    pub elsewhere: Elsewhere,
    /// First words of a call → what it meets. The longest key that fits decides.
    pub weather: BTreeMap<String, Weather>,
}

/// What a call meets.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Weather {
    /// A recording.
    Play(String),
    /// One thing for each call, the last one for all that follow.
    Each(Vec<Weather>),
    /// Things that no recording shows.
    Extras(Box<Extras>),
}

/// Things that no recording shows, done in this order; then a recording is played or the status given is returned.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the scenario file and says so by its name"
)]
pub(crate) struct Extras {
    /// Let SIGTERM pass by.
    pub ignore_term: bool,
    /// Leave a process behind: own session, deaf to SIGTERM, holding both pipes.
    pub leave_grandchild: bool,
    /// Print environment, user, directory and signal masks.
    pub print_env: bool,
    /// Print the values of `.env.production`.
    pub print_secret: bool,
    /// Print that many lines of 80 bytes.
    pub print_lines: u64,
    /// Print one line of that many bytes.
    pub long_line: u64,
    /// Fetch a page over plain HTTP.
    pub fetch: Option<String>,
    /// Take that long, with a progress bar.
    pub sleep: Option<Span>,
    /// Build the assets, and end as that ends.
    pub build: Option<Build>,
    /// Play this recording instead of the usual one.
    pub play: Option<String>,
    /// Exit with this status instead of playing one.
    pub exit: Option<i32>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self { speed: 20.0, elsewhere: Elsewhere::default(), weather: BTreeMap::new() }
    }
}

impl Scenario {
    /// The scenario of an instance.
    pub(crate) fn read(live: &Path) -> Result<Self, String> {
        let path = live.join("standin.yaml");
        match std::fs::read(&path) {
            Ok(text) => serde_yaml::from_slice(&text).map_err(|e| format!("{}: {e}", path.display())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(format!("{}: {e}", path.display())),
        }
    }

    /// The weather for a call, with the key that it was found under.
    pub(crate) fn meets(&self, argv: &[String]) -> Option<(&str, &Weather)> {
        let fits = |key: &str| key.split_whitespace().zip(argv).filter(|(k, a)| k == a).count();
        let whole = |key: &str| fits(key) == key.split_whitespace().count();
        let fitting = self.weather.iter().filter(|(key, _)| whole(key));
        fitting.max_by_key(|(key, _)| fits(key)).map(|(key, weather)| (key.as_str(), weather))
    }
}

//! Probes and incidents as listings show them.

use jiff::Timestamp;
use mastmaint_words::ProbeName;
use serde::{Deserialize, Serialize};

/// A probe and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeLine {
    /// Its name.
    pub probe: ProbeName,
    /// What it asks: `web`, `assets`.
    pub kind: String,
    /// Where it stands.
    pub state: ProbeState,
    /// Since when it says no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it was answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// Where a probe stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeState {
    /// It says yes.
    Up,
    /// It says no, not often enough for an incident.
    Doubtful,
    /// It says no: an incident is open.
    Down,
    /// It is not asked: services are stopped on purpose, or the host was started a moment ago.
    Quiet,
    /// It was not asked yet, or cannot be.
    #[serde(other)]
    Unknown,
}

/// The time in which a probe said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentLine {
    /// Which probe.
    pub probe: ProbeName,
    /// Its first answer of no.
    pub opened: Timestamp,
    /// When there were enough of them.
    pub known: Timestamp,
    /// The first answer of yes of those that ended it; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
    /// What was wrong.
    pub why: String,
    /// How it ended, where it did not end by answers of yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

//! Drills: how a dump is brought to life now and then, and what is kept of it.

use crate::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a dump is brought to life now and then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillPlan {
    /// How often.
    pub schedule: Every,
    /// Questions in SQL; each must be answered with true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<String>,
    /// So much of the disk is left to others.
    pub reserve: Bytes,
    /// Mastodon itself is started on it, from the file backup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub boot: bool,
}

/// How often a dump is brought to life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Every {
    /// In each verification.
    Nightly,
    /// In the first verification of each week.
    #[default]
    Weekly,
    /// In the first one of each thirty days.
    Monthly,
}

impl Every {
    /// The words in the config.
    pub const ALL: [(&'static str, Self); 3] =
        [("nightly", Self::Nightly), ("weekly", Self::Weekly), ("monthly", Self::Monthly)];

    /// The word in the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nightly => "nightly",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// A good one of this age is good for tonight. Half a day less than the word says: a verification that is late by
    /// some minutes must not move the drill by a day.
    pub const fn age(self) -> Duration {
        match self {
            Self::Nightly => Duration::ZERO,
            Self::Weekly => Duration::from_hours(7 * 24 - 12),
            Self::Monthly => Duration::from_hours(30 * 24 - 12),
        }
    }
}

impl DrillPlan {
    /// So much of the disk is left to others unless the config says otherwise.
    pub const RESERVE: Bytes = Bytes::new(2 * 1024 * 1024 * 1024);
}

/// A drill as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// When it began.
    pub at: Timestamp,
    /// The dump that was brought to life.
    pub dump: String,
    /// Whether nothing was wrong with it.
    pub is_good: bool,
    /// The major version of PostgreSQL that it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<u32>,
    /// Bytes that it took on the disk while it was alive.
    #[serde(default)]
    pub bytes: u64,
    /// How long it took.
    #[serde(default)]
    pub times: Times,
    /// What was in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Mastodon started on it, where that was to be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
    /// Complaints that are known to be harmless, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub harmless: Vec<String>,
}

/// How long the parts of a drill took. Restoring is what a recovery waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Making and starting the scratch PostgreSQL.
    #[serde(with = "seconds")]
    pub prepare: Duration,
    /// Restoring the dump: the measured recovery time of the database.
    #[serde(with = "seconds")]
    pub restore: Duration,
    /// Asking.
    #[serde(with = "seconds")]
    pub ask: Duration,
    /// Everything, taking it down included.
    #[serde(with = "seconds")]
    pub total: Duration,
}

/// How Mastodon itself came up on a restored dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// Whether it answered as it should.
    pub is_good: bool,
    /// The version that it told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How long it took.
    #[serde(default)]
    pub times: BootTimes,
}

/// How long the parts of a boot took; zero is what was not reached or not due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootTimes {
    /// Copying the files out of the file backup.
    #[serde(with = "seconds")]
    pub files: Duration,
    /// Bringing the database to the state of the code.
    #[serde(with = "seconds")]
    pub migrate: Duration,
    /// From the start to the first answer.
    #[serde(with = "seconds")]
    pub start: Duration,
    /// Asking.
    #[serde(with = "seconds")]
    pub ask: Duration,
}

/// Durations as seconds, to the millisecond: they stand in listings for machines.
mod seconds {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::time::Duration;

    #[expect(clippy::cast_precision_loss, reason = "a drill takes less than 285,000 years")]
    pub(super) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        to.serialize_f64(ms as f64 / 1000.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// What was in a restored database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tables.
    pub tables: u64,
    /// Views.
    pub views: u64,
    /// Materialized views.
    pub materialized: u64,
    /// Accounts, remote ones among them.
    pub accounts: u64,
    /// Accounts of this instance, that of the instance itself among them.
    pub local_accounts: u64,
    /// People who can log in.
    pub users: u64,
    /// Posts, remote ones among them.
    pub statuses: u64,
    /// Posts of this instance.
    pub local_statuses: u64,
    /// Media attachments, remote ones among them.
    pub media: u64,
    /// Rows of `schema_migrations`.
    pub migrations: u64,
    /// The newest of them.
    pub newest_migration: u64,
    /// When the youngest post was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_status: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_for_machines() {
        let times = Times { restore: Duration::from_millis(7_150), ..Times::default() };
        let text = serde_json::to_string(&times).unwrap();
        assert_eq!(text, r#"{"prepare":0.0,"restore":7.15,"ask":0.0,"total":0.0}"#);
        assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
        assert!(serde_json::from_str::<Times>(&text.replace("7.15", "-1")).is_err());
    }
}

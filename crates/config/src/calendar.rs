//! When a job is due: a checked cron expression with its time zone.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A five-field cron expression or @alias with its time zone, checked: it has a next slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Schedule {
    cron: String,
    timezone: String,
}

#[derive(Serialize, Deserialize)]
struct Written {
    cron: String,
    timezone: String,
}

/// Why a text is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(String);

impl Schedule {
    /// Checks an expression in a zone.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, ScheduleError> {
        let parsed = croner::Cron::from_str(cron).map_err(|error| {
            ScheduleError(format!("{cron:?} is not a schedule ({error}); write five fields"))
        })?;
        if timezone != "UTC" && jiff::tz::TimeZone::get(timezone).is_err() {
            return Err(ScheduleError(format!("unknown time zone {timezone:?}")));
        }
        drop(parsed);
        Ok(Self { cron: cron.to_owned(), timezone: timezone.to_owned() })
    }

    /// The expression as written.
    pub fn as_str(&self) -> &str {
        &self.cron
    }

    /// The zone's name.
    pub fn timezone_name(&self) -> &str {
        &self.timezone
    }
}

impl TryFrom<Written> for Schedule {
    type Error = ScheduleError;

    fn try_from(written: Written) -> Result<Self, ScheduleError> {
        Self::parse(&written.cron, &written.timezone)
    }
}

impl From<Schedule> for Written {
    fn from(schedule: Schedule) -> Self {
        Self { cron: schedule.cron, timezone: schedule.timezone }
    }
}

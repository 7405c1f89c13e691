//! When a job is due: five-field cron with Vixie rules or an @alias, in the job's time zone.
//!
//! The fields are bit masks of our own, not croner's pattern: croner 4.0.3 takes `*/2` in a day field for a
//! restriction (Vixie: a field that begins with `*` restricts nothing), skips `15,45 2 * * *` on the day of the
//! spring switch, and throws away which field of a pattern is wrong. `dst.rs` holds the rule for both switches.

mod alias;
mod dst;
mod error;
mod field;
mod pattern;
mod zone;

#[cfg(test)]
mod tests;

pub use error::ScheduleError;
pub use field::Field;

use jiff::{Timestamp, tz::TimeZone};
use pattern::Pattern;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A five-field cron expression or @alias with its time zone, checked: it has a next slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Schedule {
    cron: String,
    timezone: String,
    zone: TimeZone,
    pattern: Pattern,
}

/// A schedule as it is kept in files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    cron: String,
    timezone: String,
}

impl Schedule {
    /// Reads a schedule as people write it.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, ScheduleError> {
        let cron = cron.split_whitespace().collect::<Vec<_>>().join(" ");
        let pattern = Pattern::parse(alias::resolve(&cron)?)?;
        if !pattern.ever_matches() {
            return Err(ScheduleError::NeverMatches { cron });
        }
        let (timezone, zone) = zone::find(timezone)?;
        Ok(Self { cron, timezone, zone, pattern })
    }

    /// The first slot after an instant; a whole second. `None` only at the end of representable time.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        dst::next_after(&self.pattern, &self.zone, after)
    }

    /// The times of day that it means, in their order, whatever the day.
    pub fn times_of_day(&self) -> impl Iterator<Item = jiff::civil::Time> + '_ {
        self.pattern.times_of_day()
    }

    /// The cron expression or alias, as written but for its white space.
    pub fn as_str(&self) -> &str {
        &self.cron
    }

    /// The IANA name of the time zone.
    pub fn timezone_name(&self) -> &str {
        &self.timezone
    }

    /// The time zone, with the system's data.
    pub const fn time_zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl fmt::Display for Schedule {
    /// `30 0 * * * Europe/Paris`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.cron, self.timezone)
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

//! Five fields together: which minutes of a calendar without switches they mean.

use super::{Field, ScheduleError};
use jiff::{
    ToSpan as _,
    civil::{Date, DateTime, Time},
};

/// A checked cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Vixie: day of month OR day of week, unless one of them begins with `*`; then both must match.
    either_day: bool,
    /// Vixie: minute or hour begins with `*`, so the job means "every so often", not "at that time".
    rhythm: bool,
}

impl Pattern {
    pub(super) fn parse(fields: &str) -> Result<Self, ScheduleError> {
        let texts: Vec<&str> = fields.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = texts[..] else {
            return Err(wrong_count(fields, texts.len()));
        };
        Ok(Self {
            minutes: Field::Minute.parse(minute)?,
            hours: Field::Hour.parse(hour)?,
            days: Field::DayOfMonth.parse(day)?,
            months: Field::Month.parse(month)?,
            weekdays: Field::DayOfWeek.parse(weekday)?,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
            rhythm: minute.starts_with('*') || hour.starts_with('*'),
        })
    }

    /// Whether the job follows a rhythm (`30 * * * *`) and not the wall clock (`30 2 * * *`).
    pub(super) const fn has_rhythm(&self) -> bool {
        self.rhythm
    }

    /// Whether any day of the 400 years after which the calendar repeats itself matches. Every date of a leap year
    /// falls on each day of the week in them, so only a day that none of the months has can rule a match out.
    pub(super) fn ever_matches(&self) -> bool {
        const LONGEST: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        self.either_day
            || (1_u32..).zip(LONGEST).any(|(month, days)| {
                let days_of_month = (1_u64 << (days + 1)) - 2;
                self.months >> month & 1 == 1 && self.days & days_of_month != 0
            })
    }

    /// Whether a minute of the wall clock matches.
    pub(super) fn matches(&self, local: DateTime) -> bool {
        has(self.minutes, local.minute()) && has(self.hours, local.hour()) && self.matches_day(local.date())
    }

    /// The times of day that match on a matching day.
    pub(super) fn times_of_day(&self) -> impl Iterator<Item = Time> + '_ {
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        hours.flat_map(|hour| {
            let minutes = (0..60).filter(|minute| has(self.minutes, *minute));
            minutes.filter_map(move |minute| Time::new(hour, minute, 0, 0).ok())
        })
    }

    /// The first matching minute at or after the minute in which `local` lies.
    pub(super) fn at_or_after(&self, local: DateTime) -> Option<DateTime> {
        let day = self.day_from(local.date())?;
        if day == local.date() {
            let in_this_hour =
                if has(self.hours, local.hour()) { at_least(self.minutes, local.minute()) } else { None };
            if let Some(minute) = in_this_hour {
                return Some(day.at(local.hour(), minute, 0, 0));
            }
            if let Some(hour) = at_least(self.hours, local.hour() + 1) {
                return Some(day.at(hour, at_least(self.minutes, 0)?, 0, 0));
            }
            let next = self.day_from(day.tomorrow().ok()?)?;
            return Some(next.at(at_least(self.hours, 0)?, at_least(self.minutes, 0)?, 0, 0));
        }
        Some(day.at(at_least(self.hours, 0)?, at_least(self.minutes, 0)?, 0, 0))
    }

    fn matches_day(&self, date: Date) -> bool {
        has(self.months, date.month()) && self.matches_day_in_month(date)
    }

    fn matches_day_in_month(&self, date: Date) -> bool {
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        if self.either_day { day || weekday } else { day && weekday }
    }

    /// The first matching day from `date` on, within the 400 years after which the calendar repeats itself.
    fn day_from(&self, mut date: Date) -> Option<Date> {
        let last_year = date.year().saturating_add(400);
        while date.year() <= last_year {
            if has(self.months, date.month()) {
                if self.matches_day_in_month(date) {
                    return Some(date);
                }
                date = date.tomorrow().ok()?;
            } else {
                date = date.first_of_month().checked_add(1.month()).ok()?;
            }
        }
        None
    }
}

fn wrong_count(fields: &str, found: usize) -> ScheduleError {
    let hint = match found {
        0 => return ScheduleError::Empty,
        6 | 7 => {
            "; mastmaintd knows neither seconds nor years: leave out the seconds field at the beginning \
                  and a year at the end"
                .to_owned()
        }
        1 if fields.chars().all(char::is_alphabetic) => {
            format!("; an alias is written with an @, like @{fields}")
        }
        _ => "; write it like \"30 0 * * *\"".to_owned(),
    };
    ScheduleError::FieldCount { cron: fields.to_owned(), found, hint }
}

/// Whether a number is in a set; jiff's numbers are small and positive.
fn has(bits: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|n| bits.checked_shr(n).is_some_and(|rest| rest & 1 == 1))
}

/// The lowest number of a set that is at least `from`.
fn at_least(bits: u64, from: i8) -> Option<i8> {
    let from = u32::try_from(from).ok()?;
    let rest = bits.checked_shr(from)?;
    if rest == 0 { None } else { i8::try_from(from + rest.trailing_zeros()).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_it_ever_matches_is_known_without_looking_at_each_day() {
        for (month, day, weekday) in
            (1..=12).flat_map(|m| (1..=31).flat_map(move |d| (0..7).map(move |w| (m, d, w))))
        {
            let pattern = Pattern {
                minutes: 1,
                hours: 1,
                days: 1 << day,
                months: 1 << month,
                weekdays: 1 << weekday,
                either_day: false,
                rhythm: false,
            };
            let found = pattern.day_from(jiff::civil::date(2001, 1, 1));
            assert_eq!(pattern.ever_matches(), found.is_some(), "{day}.{month}. on weekday {weekday}");
        }
    }
}

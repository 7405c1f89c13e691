//! One field of a cron expression as a set of numbers, kept as bits.

use super::ScheduleError;
use std::fmt;

/// A field of a cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 12 or jan to dec.
    Month,
    /// 0 to 7 or sun to sat; 0 and 7 are Sunday.
    DayOfWeek,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Field {
    /// The fields in the order of an expression.
    pub const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// Lowest and highest number that may be written.
    const fn range(self) -> (u8, u8) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    /// Names for numbers, from the lowest one on.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }

    /// What may be written in it.
    pub const fn allowed(self) -> &'static str {
        match self {
            Self::Minute => "0-59, *, and lists, ranges and steps of them (0,30 or 10-20 or */15)",
            Self::Hour => "0-23, *, and lists, ranges and steps of them (0,12 or 1-5 or */6)",
            Self::DayOfMonth => "1-31, *, and lists, ranges and steps of them (1,15 or 1-7 or */2)",
            Self::Month => "1-12 or jan-dec, *, and lists, ranges and steps of them (1,7 or jun-aug or */3)",
            Self::DayOfWeek => {
                "0-7 (0 and 7 are Sunday) or mon-sun, *, and lists, ranges and steps of them (1,4 or mon-fri)"
            }
        }
    }

    /// The numbers of a field as bits; Sunday is bit 0.
    pub(super) fn parse(self, text: &str) -> Result<u64, ScheduleError> {
        let mut bits = 0;
        for item in text.split(',') {
            let mask = self.item(item).map_err(|problem| ScheduleError::Field {
                field: self,
                text: text.to_owned(),
                problem,
            })?;
            bits |= mask;
        }
        if self == Self::DayOfWeek && bits & (1 << 7) != 0 {
            bits = (bits | 1) & !(1 << 7);
        }
        Ok(bits)
    }

    /// One item of a list: `*`, `5`, `1-5`, `*/2`, `1-5/2`.
    fn item(self, item: &str) -> Result<u64, String> {
        if item.is_empty() {
            return Err("an item of the list is empty".to_owned());
        }
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (item, None),
        };
        let (low, high) = if range == "*" {
            // Sunday stands once in the star, as 0: else `*/7` would mean only Sunday by way of 7.
            let (low, high) = self.range();
            (low, if self == Self::DayOfWeek { 6 } else { high })
        } else if let Some((low, high)) = range.split_once('-') {
            self.bounds(range, low, high)?
        } else {
            let number = self.number(range)?;
            if let Some(step) = step {
                let (_, highest) = self.range();
                return Err(format!("a step needs a range before it, like {number}-{highest}/{step}"));
            }
            (number, number)
        };
        Ok((low..=high).step_by(usize::from(step.unwrap_or(1))).fold(0, |bits, n| bits | 1 << n))
    }

    fn bounds(self, range: &str, low: &str, high: &str) -> Result<(u8, u8), String> {
        let (low, mut high) = (self.number(low)?, self.number(high)?);
        if self == Self::DayOfWeek && high == 0 && low > 0 {
            // fri-sun
            high = 7;
        }
        if low <= high {
            return Ok((low, high));
        }
        let (lowest, mut highest) = self.range();
        if self == Self::DayOfWeek {
            highest = 6;
        }
        Err(format!("the range {range} runs backwards; write {low}-{highest},{lowest}-{high}"))
    }

    fn step(self, step: &str) -> Result<u8, String> {
        let (_, highest) = self.range();
        match step.parse::<u8>() {
            Ok(0) => Err("a step of 0 leads nowhere".to_owned()),
            Ok(step) if step <= highest => Ok(step),
            _ if !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()) => {
                Err(format!("the step {step} is longer than the field"))
            }
            _ => Err(format!("the step {step:?} is not a number")),
        }
    }

    fn number(self, text: &str) -> Result<u8, String> {
        let (lowest, highest) = self.range();
        let lower = text.to_ascii_lowercase();
        if let Some(position) = self.names().iter().position(|name| *name == lower) {
            return u8::try_from(position).map(|n| n + lowest).map_err(|e| e.to_string());
        }
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            let what = if self.names().is_empty() { "a number" } else { "a number or a name" };
            return Err(format!("{text:?} is not {what}"));
        }
        match text.parse::<u8>() {
            Ok(number) if number < lowest => Err(format!("{number} is below {lowest}")),
            Ok(number) if number <= highest => Ok(number),
            _ => Err(format!("{text} is above {highest}")),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day of month",
            Self::Month => "month",
            Self::DayOfWeek => "day of week",
        })
    }
}

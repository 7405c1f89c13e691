//! What can be wrong with a schedule: each text names the field, what was written, what is allowed and what to write
//! instead. Where it stands in the config is added by whoever read it.

use super::Field;

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Nothing there.
    #[error(
        "the schedule is empty; write five fields like \"30 0 * * *\" (minute, hour, day of month, month, day of week) or an alias like @daily"
    )]
    Empty,
    /// Not five fields.
    #[error("the schedule {cron:?} has {found} field{s}, not five (minute, hour, day of month, month, day of week){hint}", s = if *.found == 1 { "" } else { "s" })]
    FieldCount {
        /// The whole expression.
        cron: String,
        /// How many fields it has.
        found: usize,
        /// What to do, beginning with its punctuation.
        hint: String,
    },
    /// A field that cannot be.
    #[error("{field} {text:?}: {problem}; allowed is {}", .field.allowed())]
    Field {
        /// Which.
        field: Field,
        /// What was written in it.
        text: String,
        /// What is wrong with that.
        problem: String,
    },
    /// `@often`.
    #[error(
        "{given:?} is no alias that mastmaintd knows; did you mean {nearest}? There are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually"
    )]
    UnknownAlias {
        /// What was written.
        given: String,
        /// The nearest one that exists.
        nearest: &'static str,
    },
    /// `@reboot`.
    #[error(
        "@reboot is no time: a boot cannot be missed, delayed or caught up; for work at each boot use a systemd unit with WantedBy=multi-user.target"
    )]
    Reboot,
    /// 31 February.
    #[error("the schedule {cron:?} never matches: no year has such a day; look at day of month and month")]
    NeverMatches {
        /// The whole expression.
        cron: String,
    },
    /// A zone that the system's time zone database lacks.
    #[error("the time zone {given:?} is unknown{hint}")]
    UnknownZone {
        /// What was written.
        given: String,
        /// The nearest one that exists, if any is near.
        nearest: Option<String>,
        /// What to do, beginning with its punctuation.
        hint: String,
    },
}

impl ScheduleError {
    /// Stable code, for machines.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "schedule-empty",
            Self::FieldCount { .. } => "schedule-field-count",
            Self::Field { .. } => "schedule-field",
            Self::UnknownAlias { .. } => "schedule-unknown-alias",
            Self::Reboot => "schedule-reboot",
            Self::NeverMatches { .. } => "schedule-never-matches",
            Self::UnknownZone { .. } => "unknown-zone",
        }
    }

    /// Whether the time zone is at fault, not the expression.
    pub const fn is_about_zone(&self) -> bool {
        matches!(self, Self::UnknownZone { .. })
    }

    /// The field at fault, if it is one.
    pub const fn field(&self) -> Option<Field> {
        match self {
            Self::Field { field, .. } => Some(*field),
            _ => None,
        }
    }
}

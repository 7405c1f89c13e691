//! When a job is due.
use serde::{Deserialize, Serialize};

/// A five-field cron expression or @alias with its time zone, checked: it has a next slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    cron: String,
    timezone: String,
}

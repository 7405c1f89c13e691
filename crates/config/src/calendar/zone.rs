//! Time zones by name, from the system's own database: apt keeps that one up to date.

use super::ScheduleError;
use crate::zone;
use jiff::tz::{self, TimeZone};

/// The zone of a name, and the name as the database spells it.
pub(super) fn find(given: &str) -> Result<(String, TimeZone), ScheduleError> {
    let name = given.trim();
    match zone::named(name) {
        Ok(zone) => {
            let spelled = zone.iana_name().unwrap_or(name).to_owned();
            Ok((spelled, zone))
        }
        Err(_) => Err(unknown(name)),
    }
}

fn unknown(given: &str) -> ScheduleError {
    let known: Vec<String> = tz::db().available().map(|name| name.as_str().to_owned()).collect();
    let nearest = nearest(given, &known);
    let hint = match &nearest {
        _ if known.is_empty() => {
            "; the system has no time zone database in /usr/share/zoneinfo: install the package tzdata"
                .to_owned()
        }
        Some(name) => format!("; did you mean {name}?"),
        None => "; write a name like Europe/Paris or UTC (timedatectl list-timezones shows them)".to_owned(),
    };
    ScheduleError::UnknownZone { given: given.to_owned(), nearest, hint }
}

/// The known name that is nearest in spelling, if any is near; a bare city finds its region.
fn nearest(given: &str, known: &[String]) -> Option<String> {
    let given = given.to_ascii_lowercase().replace(' ', "_");
    let distance = |name: &str| {
        let name = name.to_ascii_lowercase();
        let city = name.rsplit('/').next().unwrap_or(&name).to_owned();
        strsim::damerau_levenshtein(&name, &given).min(strsim::damerau_levenshtein(&city, &given))
    };
    let limit = (given.len() / 3).max(1);
    let (best, name) = known.iter().map(|name| (distance(name), name)).min()?;
    (best <= limit).then(|| name.clone())
}

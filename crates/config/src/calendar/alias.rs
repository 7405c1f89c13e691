//! The @aliases of Vixie cron. `@reboot` is not one of them here: a boot is no instant that could be missed or
//! caught up.

use super::ScheduleError;

/// Every alias and what it stands for.
const ALIASES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The five fields of an alias; any other text is returned as it is.
pub(super) fn resolve(cron: &str) -> Result<&str, ScheduleError> {
    if !cron.starts_with('@') {
        return Ok(cron);
    }
    let given = cron.to_ascii_lowercase();
    if given == "@reboot" {
        return Err(ScheduleError::Reboot);
    }
    if let Some((_, fields)) = ALIASES.iter().find(|(alias, _)| *alias == given) {
        return Ok(fields);
    }
    let nearest =
        ALIASES.iter().map(|(alias, _)| *alias).min_by_key(|alias| strsim::levenshtein(alias, &given));
    Err(ScheduleError::UnknownAlias { given: cron.to_owned(), nearest: nearest.unwrap_or("@daily") })
}

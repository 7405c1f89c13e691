//! Fresh: how old the newest complete backup is, from what it says of itself.

use crate::finding::{Code, Finding};
use jiff::Timestamp;
use mastmaint_words::human;
use std::time::Duration;

/// How the time of a backup is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// From inside: the creation time that a dump carries.
    Content,
    /// From the stamp that the backup program sets when it is done.
    Stamp,
    /// Only from the file system; a copy or a touch changes it.
    FileTime,
}

/// So much may the clocks of two hosts differ.
const SKEW: Duration = Duration::from_hours(1);
/// The same where a time was written in the zone of another host.
const ZONES: Duration = Duration::from_hours(15);

/// The time of the newest complete backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Age {
    /// Which one: `daily.0`, a file's name.
    pub name: String,
    /// Its time.
    pub at: Timestamp,
    /// How it is known.
    pub known_by: KnownBy,
}

/// Whether the newest is young enough. Overdue is overdue also when nothing ran at all.
pub fn fresh(newest: Option<&Age>, max_age: Option<Duration>, now: Timestamp) -> Vec<Finding> {
    let Some(newest) = newest else {
        return vec![Finding::fail(
            Code::NoBackup,
            "there is no complete backup",
            "See that the backup program runs at all: its cron entry or timer, its log, the disk it writes to.",
        )];
    };
    let mut findings = Vec::new();
    let age = human::between(newest.at, now).unwrap_or_default();
    let slack = if newest.known_by == KnownBy::Content { ZONES } else { SKEW };
    if let Some(ahead) = human::between(now, newest.at).filter(|ahead| max_age.is_some() && *ahead > slack) {
        findings.push(
            Finding::fail(
                Code::Overdue,
                format!("{} is dated {} ahead: how old the newest backup is cannot be told", newest.name, human::span(ahead)),
                "Set its time right (`touch`) or take it away, and look at the clock of the host that made it: until then nothing would be seen to be overdue.",
            )
            .with([newest.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()]),
        );
    }
    if let Some(max_age) = max_age.filter(|max| age > *max) {
        findings.push(
            Finding::fail(
                Code::Overdue,
                format!("the newest complete backup is {} old; at most {} is allowed", human::span(age), human::span(max_age)),
                "Everything since then would be lost. See why the backup program has not run: its timer, its log, the disk it writes to.",
            )
            .with([format!("{} of {}", newest.name, newest.at.strftime("%Y-%m-%d %H:%M:%S UTC"))]),
        );
    }
    if newest.known_by == KnownBy::FileTime {
        findings.push(Finding::info(
            Code::AgeByFileTime,
            format!("the time of {} is only known from the file system", newest.name),
            "A copy or a touch would make it look young. A custom-format dump carries its own time.",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn age(seconds: i64) -> Age {
        Age {
            name: "daily.0".to_owned(),
            at: Timestamp::from_second(seconds).unwrap(),
            known_by: KnownBy::Stamp,
        }
    }

    #[test]
    fn no_backup_is_a_finding_of_its_own() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(fresh(None, None, now)[0].code, Code::NoBackup);
        let by_time = Age { known_by: KnownBy::FileTime, ..age(999_999) };
        assert_eq!(fresh(Some(&by_time), None, now)[0].code, Code::AgeByFileTime);
    }

    #[test]
    fn what_is_dated_ahead_is_not_fresh() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let found = |ahead: i64, known_by, max_age| {
            let newest = Age { known_by, ..age(1_000_000 + ahead) };
            fresh(Some(&newest), max_age, now).iter().any(|f| f.code == Code::Overdue)
        };
        let day = Some(Duration::from_hours(26));
        assert!(!found(1800, KnownBy::FileTime, day) && found(7200, KnownBy::FileTime, day));
        assert!(!found(7200, KnownBy::Content, day), "another zone");
        assert!(found(86_400, KnownBy::Content, day) && found(7200, KnownBy::Stamp, day));
        assert!(!found(86_400, KnownBy::Stamp, None), "its age is not looked at");
    }

    proptest! {
        #[test]
        fn overdue_begins_right_after_max_age(old in 0_i64..200_000, max in 1_u64..200_000) {
            let now = Timestamp::from_second(1_000_000).unwrap();
            let found = fresh(Some(&age(1_000_000 - old)), Some(Duration::from_secs(max)), now);
            prop_assert_eq!(!found.is_empty(), old.unsigned_abs() > max);
        }
    }
}

//! Whether the last verification speaks for a backup.

use jiff::Timestamp;
use mastmaint_words::{
    BackupName,
    backup::{Report, Severity},
    human,
};
use std::{fs, io, path::Path, time::Duration};

/// What is known of a backup as a whole.
#[derive(Debug, Clone)]
pub struct Known {
    /// The report of its last verification.
    pub report: Report,
    /// When that was made.
    pub at: Timestamp,
}

/// Reads the last report, below the state directory of who verifies. One that cannot be understood is as good as none.
pub fn last_report(state: &Path, backup: &BackupName) -> io::Result<Option<Known>> {
    let path = Report::path(state, backup);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let made = fs::metadata(&path).and_then(|m| m.modified()).ok();
    let at = made.and_then(|at| Timestamp::try_from(at).ok());
    Ok(serde_json::from_slice(&text).ok().zip(at).map(|(report, at)| Known { report, at }))
}

/// Why nothing speaks for a backup; `made` is when what comes back was made, if nobody chose it by name.
pub fn doubt(
    max_age: Option<Duration>,
    known: Option<&Known>,
    made: Option<Timestamp>,
    now: Timestamp,
) -> Option<String> {
    let Some(Known { report, at }) = known else {
        return Some("it was never verified".to_owned());
    };
    if let Some(failure) = report.findings.iter().find(|f| f.severity == Severity::Fail) {
        return Some(format!("its last verification failed: {} [{}]", failure.what, failure.code));
    }
    if let Some(age) = older(max_age, *at, now) {
        return Some(format!("it was last verified {} ago", human::span(age)));
    }
    let age = older(max_age, made?, now)?;
    Some(format!("its newest generation was made {} ago", human::span(age)))
}

/// How old something is, if that is too old.
pub fn older(max_age: Option<Duration>, at: Timestamp, now: Timestamp) -> Option<Duration> {
    human::between(at, now).filter(|age| max_age.is_some_and(|most| *age > most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::backup::{Code, Finding};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn known(findings: Vec<Finding>) -> Known {
        let report = Report {
            backup: "files".to_owned(),
            kind: "tree".to_owned(),
            newest: None,
            sentence: String::new(),
            summary: None,
            drill: None,
            findings,
            store_bytes: 0,
        };
        Known { report, at: at("2026-11-26T06:30:00Z") }
    }

    #[test]
    fn a_backup_is_proved_by_a_recent_verification_without_a_failure() {
        let now = at("2026-11-26T20:00:00Z");
        let max_age = Some(Duration::from_hours(26));
        let doubt = |known: Option<&Known>, made: Option<&str>, now| doubt(max_age, known, made.map(at), now);
        assert_eq!(doubt(Some(&known(Vec::new())), Some("2026-11-26T02:00:00Z"), now), None);
        assert!(doubt(None, None, now).unwrap().contains("never"));
        let warned = known(vec![Finding::warn(Code::StaleLock, "a lock", "")]);
        assert_eq!(doubt(Some(&warned), None, now), None);
        let failed = known(vec![Finding::fail(Code::Rot, "3 files are rotten", "")]);
        assert!(doubt(Some(&failed), None, now).unwrap().contains("3 files are rotten [rot]"));
        let old = doubt(Some(&known(Vec::new())), Some("2026-11-20T02:00:00Z"), now).unwrap();
        assert!(old.contains("made 6 d 18 h ago"), "{old}");
        let later = at("2026-11-29T20:00:00Z");
        assert!(doubt(Some(&known(Vec::new())), None, later).unwrap().contains("last verified 3 d 13 h ago"));
    }
}

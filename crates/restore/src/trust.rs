//! Whether the last verification speaks for a backup.

use crate::error::{RestoreError, io_on};
use jiff::Timestamp;
use mastmaint_words::{
    backup::Report,
    human,
    restore::{Generation, RestoreOrder},
};
use std::{fs, io, path::Path};

/// What is known of a backup as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) report: Report,
    /// When it was made.
    pub(crate) at: Timestamp,
}

/// Reads the last report. One that cannot be understood is as good as none.
pub(crate) fn last_report(proofs: &Path, order: &RestoreOrder) -> Result<Option<Known>, RestoreError> {
    let state = proofs.parent().unwrap_or(proofs);
    let path = Report::path(state, &order.name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_on(&path, "read the report of the last verification")(error)),
    };
    let made = fs::metadata(&path).and_then(|m| m.modified()).ok();
    let at = made.and_then(|at| Timestamp::try_from(at).ok());
    Ok(serde_json::from_slice(&text).ok().zip(at).map(|(report, at)| Known { report, at }))
}

/// Why nothing speaks for a backup; `made` is when what comes back was made, if nobody chose it by name.
pub(crate) fn doubt(
    order: &RestoreOrder,
    known: Option<&Known>,
    made: Option<Timestamp>,
    now: Timestamp,
) -> Option<String> {
    let Some(Known { report, at }) = known else {
        return Some("it was never verified".to_owned());
    };
    if let Some(failure) =
        report.findings.iter().find(|f| f.severity == mastmaint_words::backup::Severity::Fail)
    {
        return Some(format!("its last verification failed: {} [{}]", failure.what, failure.code));
    }
    if let Some(age) = older(order, *at, now) {
        return Some(format!("it was last verified {} ago", human::span(age)));
    }
    let age = older(order, made?, now)?;
    Some(format!("its newest generation was made {} ago", human::span(age)))
}

fn older(order: &RestoreOrder, at: Timestamp, now: Timestamp) -> Option<std::time::Duration> {
    let max_age = order.backup.max_age?.get();
    human::between(at, now).filter(|age| *age > max_age)
}

/// Why a generation that another host sends is not to be trusted: its age. Whoever chose one by its name knows that.
pub(crate) fn too_old(order: &RestoreOrder, generation: &Generation, now: Timestamp) -> Option<String> {
    let age = older(order, generation.at, now).filter(|_| order.snapshot.is_none())?;
    Some(format!("it was made {} ago", human::span(age)))
}

/// When a backup was last found good; none if nothing speaks for it and that is what the order wants.
pub(crate) fn trusted(
    order: &RestoreOrder,
    known: Option<Known>,
    generation: &Generation,
    now: Timestamp,
) -> Result<Option<Timestamp>, RestoreError> {
    // Whoever chose one by its name knows how old it is.
    let made = order.snapshot.is_none().then_some(generation.at);
    let doubt = doubt(order, known.as_ref(), made, now);
    let at = known.filter(|_| doubt.is_none()).map(|known| known.at);
    refuse(order, doubt).map(|()| at)
}

/// Refuses what nothing speaks for, unless the order says otherwise.
pub(crate) fn refuse(order: &RestoreOrder, why: Option<String>) -> Result<(), RestoreError> {
    match why.filter(|_| !order.unproved) {
        Some(why) => Err(RestoreError::NotProved { backup: order.name.to_string(), why }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::backup::{Code, Finding};

    fn order() -> RestoreOrder {
        serde_json::from_str(
            r#"{"run":"20261126T200000Z-7k3f9q","name":"files","live":"/home/mastodon/live","user":"mastodon",
            "backup":{"kind":"tree","path":"/b","max_age":"26h","prove_every":"7d","wait":"2h"}}"#,
        )
        .unwrap()
    }

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
        let doubt =
            |known: Option<&Known>, made: Option<&str>, now| doubt(&order(), known, made.map(at), now);
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

    #[test]
    fn who_asks_for_it_gets_it_unproved() {
        let why = || Some("it was never verified".to_owned());
        assert_eq!(refuse(&order(), why()).unwrap_err().code(), "not-proved");
        assert!(refuse(&RestoreOrder { unproved: true, ..order() }, why()).is_ok());
        assert!(refuse(&order(), None).is_ok());
    }
}

//! Whether the change left assets that are whole, and what it changed beside what is kept.

use super::{
    NOT_KEPT, READ, Scene, failed,
    listing::Listing,
    no_record, open,
    record::{Change, Record},
};
use mastmaint_words::{Grade, Looked, Numbers, Outcome, Reason, Verdict};
use std::{io, os::fd::AsFd as _, path::Path};

/// Looks at every built file.
pub(crate) fn check(scene: &mut Scene<'_>) -> Verdict {
    let change = Change::of(scene.state, scene.run);
    let record = match change.record() {
        Ok(Some(record)) => record,
        Ok(None) => return no_record("it is not there"),
        Err(error) => return no_record(error),
    };
    let looked = scene.prover().and_then(|prover| prover.assets(READ));
    let mut verdict = match (looked.as_ref().ok().and_then(Looked::of_assets), looked) {
        (Some(Ok(whole)), _) => {
            scene.say(whole);
            Verdict {
                outcome: Outcome::Ok,
                grade: Grade::Proved,
                reasons: vec![],
                numbers: Numbers::default(),
            }
        }
        (Some(Err(text)), _) => Verdict { grade: Grade::Proved, ..failed("assets-incomplete", text) },
        (None, Ok(Looked::Blind { why, .. }) | Err(why)) => {
            failed("assets-unknown", format!("whether the assets are whole cannot be told: {why}"))
        }
        (None, Ok(_)) => failed("assets-unknown", "the prover answered something else"),
    };
    if record.migrations.as_ref().is_some_and(|before| scene.migrations().is_ok_and(|now| now != *before)) {
        let text = "the database was migrated: from here on files alone are not put back";
        verdict.reasons.push(Reason::new("migrated", text));
    }
    match outside(&record, &change, scene.live) {
        Ok(None) => {}
        Ok(Some(changed)) => {
            let text = format!("changed beside what is kept, so not put back if it must be: {changed}");
            verdict.reasons.push(Reason::new(NOT_KEPT, text));
        }
        Err(error) => scene.say(format!("what else was changed cannot be told: {error}")),
    }
    verdict
}

/// What was changed beside what is kept.
pub(super) fn outside(record: &Record, change: &Change, live: &Path) -> io::Result<Option<String>> {
    let (root, _) = open(live)?;
    let before = Listing::load(&change.listing())?;
    let kept: Vec<&Path> = record.kept.iter().map(|kept| kept.path.as_path()).collect();
    Ok(before.changes(&Listing::take(root.as_fd(), &kept)?))
}

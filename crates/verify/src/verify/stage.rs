//! Staging: the newest dump and the file backup that belongs to it are handed to the boot room, for a person and not for a
//! verdict. Nothing is proved and nothing of it is kept.

use super::{
    Night, Request,
    dumps::{files_of, newest_of},
    handed::{Beside, hand_over},
    live::Sent,
};
use crate::{
    backup::Place,
    drill::Drilled,
    error::VerifyError,
    finding::{Code, Finding},
    prove::Tell,
    wire::Wait,
};
use mastmaint_words::stage::{Chosen, Stage};

/// Has Mastodon started from a backup and kept up until the time is over or nobody waits any longer. What there is to say
/// of it comes back once nothing of it is left; `chosen` hears from what it is staged.
pub fn stage(
    request: &Request<'_>,
    stage: &Stage,
    chosen: &dyn Fn(Chosen),
    tell: &dyn Tell,
) -> Result<Vec<Finding>, VerifyError> {
    let night = Night { request, tell };
    let name = request.name;
    let not = |why: &str| {
        let advice = "See `mastmaintctl verify`, which says more of the backup.";
        Finding::fail(Code::NotChecked, format!("{name} is not staged: {why}"), advice)
    };
    let plan = request.backup.drill.as_ref().filter(|plan| plan.boot);
    let (Place::Postgres { path }, Some(plan), Some(boots)) = (&request.backup.place, plan, request.boots)
    else {
        return Ok(vec![not("it has no drill that starts Mastodon")]);
    };
    let mut findings = Vec::new();
    let pieces = match night.pieces(path, &mut findings)? {
        Ok(pieces) => pieces,
        Err(finding) => return Ok(vec![finding]),
    };
    let contents = pieces.contents(path)?;
    let of = || VerifyError::backup(path);
    let Some(dump) = newest_of(&pieces, &contents).map_err(of())? else {
        return Ok(vec![not("there is no dump")]);
    };
    let Some(files) = files_of(&night, &pieces, &mut findings) else {
        findings.push(not("there is no file backup to start Mastodon from"));
        return Ok(findings);
    };
    let live = request.files.and_then(|files| files.live.as_deref());
    let mastodon = files.mastodon(live).map_err(of())?;
    let sent = if stage.change.is_some() { Sent::ToBuild } else { Sent::ToStart };
    let beside = Beside { source: Some(&files), mastodon: mastodon.as_ref(), sent };
    let mut handed = hand_over(plan, &dump, beside, None).map_err(of())?;
    if let Some(finding) = handed.no_boot.take() {
        return Ok(vec![finding]);
    }
    handed.order.stage = Some(stage.clone());
    chosen(Chosen { dump: dump.age.name.clone(), made: dump.age.at, files: files.name.clone() });
    let drilled: Drilled = boots.ask(&handed.order, &handed.open, Wait::UntilNothingIsLeft, tell)?;
    findings.extend(drilled.findings);
    Ok(findings)
}

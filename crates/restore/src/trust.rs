//! Whether the last verification speaks for a backup.

use crate::error::{RestoreError, io_on};
use jiff::Timestamp;
use mastmaint_verify::trust;
pub(crate) use mastmaint_verify::trust::Known;
use mastmaint_words::{
    Span,
    backup::Report,
    human,
    restore::{Generation, RestoreOrder},
};
use std::path::Path;

/// Reads the last report. One that cannot be understood is as good as none.
pub(crate) fn last_report(proofs: &Path, order: &RestoreOrder) -> Result<Option<Known>, RestoreError> {
    let state = proofs.parent().unwrap_or(proofs);
    let path = Report::path(state, &order.name);
    trust::last_report(state, &order.name).map_err(io_on(&path, "read the report of the last verification"))
}

fn max_age(order: &RestoreOrder) -> Option<std::time::Duration> {
    order.backup.max_age.map(Span::get)
}

/// Why a generation that another host sends is not to be trusted: its age. Whoever chose one by its name knows that.
pub(crate) fn too_old(order: &RestoreOrder, generation: &Generation, now: Timestamp) -> Option<String> {
    let age = trust::older(max_age(order), generation.at, now).filter(|_| order.snapshot.is_none())?;
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
    let doubt = trust::doubt(max_age(order), known.as_ref(), made, now);
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

    #[test]
    fn who_asks_for_it_gets_it_unproved() {
        let order: RestoreOrder = serde_json::from_str(
            r#"{"run":"20261126T200000Z-7k3f9q","name":"files","live":"/home/mastodon/live","user":"mastodon",
            "backup":{"kind":"tree","path":"/b","max_age":"26h","prove_every":"7d","wait":"2h"}}"#,
        )
        .unwrap();
        let why = || Some("it was never verified".to_owned());
        assert_eq!(refuse(&order, why()).unwrap_err().code(), "not-proved");
        assert!(refuse(&RestoreOrder { unproved: true, ..order.clone() }, why()).is_ok());
        assert!(refuse(&order, None).is_ok());
    }
}

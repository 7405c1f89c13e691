//! The marks of the schedule as the ledger keeps them: text of the policy's own, which no other version needs to
//! understand.

use crate::schedule::policy::Mark;
use mastmaint_words::JobName;
use std::collections::BTreeMap;

/// As the ledger keeps it.
pub(super) fn to_ledger(mark: &Mark) -> mastmaint_ledger::Mark {
    // A mark is plain strings and times: writing it cannot fail, and an empty text would only begin the job anew.
    let state = serde_json::to_string(mark).unwrap_or_default();
    mastmaint_ledger::Mark { handled: mark.handled(), state }
}

/// As the policy knows them. One that cannot be read is left out: its job begins anew, as a new one would.
pub(super) fn from_ledger(kept: BTreeMap<JobName, mastmaint_ledger::Mark>) -> BTreeMap<JobName, Mark> {
    kept.into_iter().filter_map(|(job, mark)| Some((job, serde_json::from_str(&mark.state).ok()?))).collect()
}

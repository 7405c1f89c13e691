//! The way back: what was today's database before the switch is it again, and the restored one stays beside.

use crate::{
    error::DatabaseError,
    lock::Lock,
    paused::Paused,
    rename::rename,
    site::{Bench, Did, Site},
    state::State,
    switch::unexpected,
};
use mastmaint_words::RunId;

/// Takes a switch back. Asked again, it says that it is done; of a run that never switched there is nothing to do.
///
/// # Errors
/// Why it was not: then the restored database is today's.
pub fn back(site: &Site<'_>, run: &RunId) -> Result<Did, DatabaseError> {
    let bench = Bench::of(site, run)?;
    let names = &bench.names;
    let _lock = Lock::take(&bench.server, bench.admin, &names.today)?;
    let look = bench.look()?;
    let to_today = (names.before.as_str(), names.today.as_str());
    let renames = match look.state(names) {
        State::Switched => vec![(names.today.as_str(), names.restored.as_str()), to_today],
        State::NoToday => vec![to_today],
        State::Back => {
            Paused::resume(&bench);
            return Ok(Did::Done(format!("{} is the one of before already", names.today)));
        }
        State::Untouched | State::HalfLoaded | State::Loaded => {
            // Killed before it had renamed anything, the switch may have left it paused.
            Paused::resume(&bench);
            return Ok(Did::Nothing(format!("{} was never switched by this run", names.today)));
        }
        State::SwitchedForGood => {
            let what = format!("{} is not there any more: there is nothing to go back to", names.before);
            return Err(DatabaseError::NotNow { code: "no-before", what });
        }
        state => return Err(unexpected(state, &bench)),
    };
    look.may(names, &bench.server.way.at())?;
    bench.reach("back");
    rename(&bench, &look.role, &renames)?;
    bench.reach("backed");
    let is = bench.look()?;
    if is.find(&names.today).is_none() || is.find(&names.before).is_some() {
        return Err(unexpected(is.state(names), &bench));
    }
    let stays = if is.find(&names.restored).is_some() {
        format!("; what was restored stays as {}", names.restored)
    } else {
        String::new()
    };
    Ok(Did::Done(format!("{} is again the database of before{stays}", names.today)))
}

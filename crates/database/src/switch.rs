//! The switch: what was loaded becomes today's database, and today's stays beside.

use crate::{
    error::DatabaseError,
    lock::Lock,
    paused::Paused,
    rename::rename,
    site::{Bench, Did, Site},
    state::State,
};
use mastmaint_words::RunId;

/// Switches a loaded database in. Asked again, it says that it is done.
///
/// # Errors
/// Why it was not: then today's database is as it was.
pub fn switch(site: &Site<'_>, run: &RunId) -> Result<Did, DatabaseError> {
    let bench = Bench::of(site, run)?;
    let names = &bench.names;
    let _lock = Lock::take(&bench.server, bench.admin, &names.today)?;
    let look = bench.look()?;
    look.may(names, &bench.server.way.at())?;
    match look.state(names) {
        State::Loaded => {}
        State::Switched | State::SwitchedForGood => {
            Paused::resume(&bench);
            return Ok(Did::Done(format!("{} is the one of this restore already", names.today)));
        }
        state => return Err(not_now(state, &bench)),
    }
    let has_today = look.find(&names.today).is_some();
    let mut renames = vec![(names.new.as_str(), names.today.as_str())];
    if has_today {
        renames.insert(0, (&names.today, &names.before));
    }
    bench.reach("switch");
    rename(&bench, &look.role, &renames)?;
    bench.reach("switched");
    let is = bench.look()?.state(names);
    if !matches!(is, State::Switched | State::SwitchedForGood) {
        return Err(not_now(is, &bench));
    }
    let stays =
        if has_today { format!("; the one before it stays as {}", names.before) } else { String::new() };
    Ok(Did::Done(format!("{} is the restored database now{stays}", names.today)))
}

/// Why a state is none to switch from.
pub(crate) fn not_now(state: State, bench: &Bench<'_>) -> DatabaseError {
    let names = &bench.names;
    let what = match state {
        State::Untouched | State::HalfLoaded => format!(
            "no database of this run is loaded and checked ({}); load it first. Today's is as it was",
            names.new
        ),
        State::Back => format!(
            "this restore was taken back; what it had restored is {}. Restore again for another try",
            names.restored
        ),
        state => return unexpected(state, bench),
    };
    DatabaseError::NotNow { code: "not-loaded", what }
}

/// What somebody else has made of it.
pub(crate) fn unexpected(state: State, bench: &Bench<'_>) -> DatabaseError {
    let names = &bench.names;
    let what = match state {
        State::NoToday => format!(
            "there is no database {}, but {}: somebody has renamed or dropped it. `back` gives it its name again",
            names.today, names.before
        ),
        State::Superseded => format!(
            "{} is not the database of this restore: another one was switched in since; that one comes first",
            names.today
        ),
        _ => format!(
            "the databases {}, {}, {} and {} are not as a restore leaves them; see psql -l, and rename them by hand",
            names.today, names.new, names.before, names.restored
        ),
    };
    DatabaseError::NotNow { code: "mixed", what }
}

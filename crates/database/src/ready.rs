//! Whether a loaded database could be switched in now: asked before anything is stopped, so that what stands in the way
//! costs no downtime.

use crate::{
    error::DatabaseError,
    sessions::{sessions, some, weigh},
    site::{Bench, Did, Site},
    state::State,
    switch::not_now,
};
use mastmaint_words::RunId;

/// Looks; nothing is changed.
///
/// # Errors
/// What stands in the way: nothing loaded, a right, a pooler, sessions of others.
pub fn ready(site: &Site<'_>, run: &RunId) -> Result<Did, DatabaseError> {
    let bench = Bench::of(site, run)?;
    let names = &bench.names;
    let look = bench.look()?;
    look.may(names, &bench.server.way.at())?;
    match look.state(names) {
        State::Loaded => {}
        State::Switched | State::SwitchedForGood => {
            return Ok(Did::Done(format!("{} is the one of this restore already", names.today)));
        }
        state => return Err(not_now(state, &bench)),
    }
    // Mastodon's own are there as long as it runs.
    let connected = sessions(&bench.server, bench.admin, &[&names.today, &names.new])?;
    let foreign = weigh(&connected, &look.role).foreign;
    if !foreign.is_empty() {
        let sessions = some(&foreign);
        return Err(DatabaseError::ForeignSessions { database: names.today.clone(), sessions });
    }
    Ok(Did::Done(format!("{} can be switched in", names.new)))
}

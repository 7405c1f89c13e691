//! What is beside today's database is dropped, when a person says so.

use crate::{
    error::DatabaseError,
    lock::Lock,
    sessions::{sessions, weigh},
    site::{Bench, Did, Site},
    text::identifier,
};
use mastmaint_words::{RunId, human};

/// Whether somebody lives in it.
const INHABITED: &str = "SELECT EXISTS (SELECT FROM public.users) AND EXISTS (SELECT FROM public.accounts)";

/// Drops what a run has left beside today's database.
///
/// # Errors
/// Why something stays.
pub fn prune(site: &Site<'_>, run: &RunId) -> Result<Did, DatabaseError> {
    let bench = Bench::of(site, run)?;
    let names = &bench.names;
    let _lock = Lock::take(&bench.server, bench.admin, &names.today)?;
    let look = bench.look()?;
    let beside: Vec<_> =
        [&names.before, &names.restored, &names.new].into_iter().filter_map(|name| look.find(name)).collect();
    if beside.is_empty() {
        return Ok(Did::Nothing("nothing of this run is beside today's database".to_owned()));
    }
    look.may(names, &bench.server.way.at())?;
    is_inhabited(&bench)?;
    for database in &beside {
        let connected = sessions(&bench.server, bench.admin, &[&database.name])?;
        let weighed = weigh(&connected, &look.role);
        weighed.refuse(&database.name)?;
    }
    let mut dropped = Vec::new();
    for database in beside {
        bench.reach("prune");
        let drop = format!("DROP DATABASE IF EXISTS {}", identifier(&database.name));
        bench.admin(&format!("dropping {}", database.name), &drop)?;
        bench.reach("pruned");
        let taken = database.bytes.map_or_else(String::new, |bytes| format!(" ({})", human::bytes(bytes)));
        dropped.push(format!("{}{taken}", database.name));
    }
    Ok(Did::Done(format!("dropped {}", dropped.join(" and "))))
}

/// What is beside may be all that there is: today's database must be one that Mastodon can live on.
fn is_inhabited(bench: &Bench<'_>) -> Result<(), DatabaseError> {
    let today = &bench.names.today;
    let refuse = |why: String| {
        let what = format!("{today} {why}; nothing was dropped: what is beside may be all that there is");
        Err(DatabaseError::NotNow { code: "today-unfit", what })
    };
    match bench.server.sql(today, &[INHABITED]) {
        Ok(answer) if answer == "t" => Ok(()),
        Ok(_) => refuse("has no users or no accounts".to_owned()),
        Err(refusal) => refuse(format!("cannot be read ({})", refusal.said)),
    }
}

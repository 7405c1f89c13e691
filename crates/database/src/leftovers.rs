//! What loads of other runs have left half done: it is dropped. What is loaded and checked may be switched in yet; that, what
//! was today's once, and what was restored, only a person drops.

use crate::{
    error::DatabaseError, listing::Look, names::run_of, sessions::sessions, site::Bench, text::identifier,
};

/// Drops them.
pub(crate) fn drop_them(bench: &Bench<'_>, look: &Look) -> Result<(), DatabaseError> {
    for left in look.databases.iter().filter(|d| d.mine && bench.names.is_leftover(&d.name)) {
        if let Some(run) = run_of(left.mark.as_deref()) {
            bench.say(&format!(
                "{} of {run} is loaded too and stays; `mastmaintctl prune {run}` drops it",
                left.name
            ));
            continue;
        }
        if !sessions(&bench.server, bench.admin, &[&left.name])?.is_empty() {
            continue;
        }
        bench.reach("load.leftover");
        let drop = format!("DROP DATABASE IF EXISTS {}", identifier(&left.name));
        match bench.server.sql(bench.admin, &[&drop]) {
            Ok(_) => bench.say(&format!("dropped {}, which another restore has left half loaded", left.name)),
            Err(refusal) => bench.say(&format!("{} of another restore stays: {}", left.name, refusal.said)),
        }
    }
    Ok(())
}

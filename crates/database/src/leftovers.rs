//! What loads of other runs have left and nobody switched in: it is dropped. What was today's once, or was restored,
//! never is.

use crate::{error::DatabaseError, listing::Look, sessions::sessions, site::Bench, text::identifier};

/// Drops them.
pub(crate) fn drop_them(bench: &Bench<'_>, look: &Look) -> Result<(), DatabaseError> {
    for left in look.databases.iter().filter(|d| d.mine && bench.names.is_leftover(&d.name)) {
        if !sessions(&bench.server, bench.admin, &[&left.name])?.is_empty() {
            continue;
        }
        bench.reach("load.leftover");
        let drop = format!("DROP DATABASE IF EXISTS {}", identifier(&left.name));
        match bench.server.sql(bench.admin, &[&drop]) {
            Ok(_) => bench
                .say(&format!("dropped {}, which another restore has loaded and not switched in", left.name)),
            Err(refusal) => bench.say(&format!("{} of another restore stays: {}", left.name, refusal.said)),
        }
    }
    Ok(())
}

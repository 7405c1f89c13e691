//! Whether the instance's database answers and takes writes.

use crate::{Asker, fine, unknown, wrong};
use mastmaint_instance::Database;
use mastmaint_prove::database::Asked;
use mastmaint_runner::probe::Said;

/// Each is `t` or `f`. The transaction that asks is one that only reads, whatever the server's setting.
const QUESTION: &str = "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'";

pub(crate) fn ask(asker: &Asker) -> Said {
    let database = match asker.variables().and_then(|variables| Database::of(&variables)) {
        Ok(database) => database,
        Err(why) => return unknown(why),
    };
    let rows = match Asked::open(&database).and_then(|mut open| open.rows(QUESTION)) {
        Ok(rows) => rows,
        Err(blind) => return wrong(blind.to_string()),
    };
    let is = |column: usize| rows.first().and_then(|row| row.get(column)) == Some("t");
    match (rows.is_empty(), is(0), is(1)) {
        (true, _, _) => wrong(format!("the database at {database} gives no answer to a question")),
        (_, true, _) => wrong(format!("the database at {database} is a standby and takes no writes")),
        (_, _, true) => {
            wrong(format!("the database at {database} takes no writes: default_transaction_read_only is on"))
        }
        _ => fine(format!("the database at {database} answers")),
    }
}

//! Which migrations the database has seen: code and database belong together only while these are the same.

use crate::{Blind, Instance, before};
use mastmaint_words::Looked;

/// Asks the database.
///
/// # Errors
/// If it does not answer.
pub fn look(instance: &Instance) -> Result<Looked, Blind> {
    let variables = before::variables(instance)?;
    let rows = before::open(&variables)?.rows("SELECT version FROM schema_migrations")?;
    let versions = rows.iter().filter_map(|row| row.get("version")).map(str::to_owned).collect();
    Ok(Looked::Migrations { versions })
}

//! Before the command: some of the rows that it must remove, with the files of them that are there.

use crate::{
    Blind, Instance,
    database::Asked,
    key,
    scope::{self, Attachment, Scope},
    store::Store,
};
use mastmaint_instance::{Database, Variables};
use mastmaint_words::{Sample, SampledItem};
use postgres::SimpleQueryRow;

/// Of so many rows that fit the sample is drawn; a table of millions is not shuffled for twenty rows.
const DRAWN_FROM: u32 = 100_000;

/// The variables of the instance.
///
/// # Errors
/// If a file of them cannot be read.
pub(crate) fn variables(instance: &Instance) -> Result<Variables, Blind> {
    Variables::read(&instance.live, &instance.environment).map_err(|e| Blind::Settings(e.to_string()))
}

/// The database of the instance.
///
/// # Errors
/// If it is not named well or does not let us in.
pub(crate) fn open(variables: &Variables) -> Result<Asked, Blind> {
    Asked::open(&Database::of(variables).map_err(Blind::Settings)?)
}

/// Takes a sample of at most `most` rows.
///
/// # Errors
/// If nothing can be said about the command's effect.
pub fn sample(instance: &Instance, args: &[String], most: u16) -> Result<Sample, Blind> {
    let scope = scope::of(args).map_err(Blind::NoScope)?;
    let variables = variables(instance)?;
    let mut store = Store::of(&variables, &instance.live)?;
    let rows = open(&variables)?.rows(&select(&scope, most))?;
    let mut items = Vec::new();
    for row in rows {
        items.extend(item(&scope, &row, &mut store)?);
    }
    Ok(Sample { table: scope.table.to_owned(), items })
}

fn select(scope: &Scope, most: u16) -> String {
    let columns: Vec<String> = scope
        .attachments
        .iter()
        .map(|a| {
            format!("r.{0}_file_name, coalesce(r.{0}_storage_schema_version, 0) AS {0}_version", a.column)
        })
        .collect();
    format!(
        "SELECT * FROM (SELECT r.id, {} FROM {} r WHERE {} LIMIT {DRAWN_FROM}) fitting ORDER BY random() LIMIT {most}",
        columns.join(", "),
        scope.table,
        scope.conditions
    )
}

/// The row as an item; `None` for one that makes no sense.
fn item(scope: &Scope, row: &SimpleQueryRow, store: &mut Store) -> Result<Option<SampledItem>, Blind> {
    let Some(id) = row.get("id").and_then(|id| id.parse().ok()) else { return Ok(None) };
    let (mut names, mut files) = (Vec::new(), Vec::new());
    for Attachment { column, folder } in &scope.attachments {
        let file_name = format!("{column}_file_name");
        let Some(name) = row.get(file_name.as_str()).filter(|name| is_plain(name)) else { continue };
        // Rows from before the cache had a folder of its own keep their place.
        let cached = row.get(format!("{column}_version").as_str()) != Some("0");
        let folder = key::folder(scope.table, folder, id, cached);
        files.extend(store.files_of(&folder, name)?);
        names.push((file_name.clone(), name.to_owned()));
    }
    Ok((!names.is_empty()).then_some(SampledItem { id, names, files }))
}

/// A name that is no path: it becomes part of one.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        assert!(is_plain("b16a337d76ce03a4.png"));
        for name in ["", "..", ".", "../../etc/passwd", "a/b"] {
            assert!(!is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn the_question_is_bounded() {
        let args: Vec<String> = ["media", "remove", "--days", "7"].map(str::to_owned).into();
        let select = select(&scope::of(&args).unwrap(), 20);
        assert!(select.contains("LIMIT 100000") && select.ends_with("LIMIT 20"), "{select}");
    }
}

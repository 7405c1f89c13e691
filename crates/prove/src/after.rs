//! After the command: are the rows of the sample cleared and their files gone?

use crate::{Blind, Instance, before, store::Store};
use mastmaint_instance::Variables;
use mastmaint_words::{Looked, Sample, SampledItem};
use std::collections::{BTreeMap, BTreeSet};

/// What the rows of the sample name now: per id the columns with a file name. A row that is gone names nothing.
type Named = BTreeMap<i64, BTreeMap<String, String>>;

/// Looks at a sample again.
///
/// # Errors
/// If rows or files cannot be looked at any more.
pub fn look(instance: &Instance, before: &Sample) -> Result<Looked, Blind> {
    if before.items.is_empty() {
        return Ok(Looked::Gone { items: 0, files: 0 });
    }
    let variables = before::variables(instance)?;
    let mut store = Store::of(&variables, &instance.live)?;
    let named = named(before, &variables)?;
    let mut there = BTreeSet::new();
    for key in before.items.iter().flat_map(|item| &item.files) {
        if store.is_there(key)? {
            there.insert(key.as_str());
        }
    }
    Ok(compare(&before.items, &named, &there))
}

fn named(before: &Sample, variables: &Variables) -> Result<Named, Blind> {
    let columns: BTreeSet<&str> =
        before.items.iter().flat_map(|i| &i.names).map(|(column, _)| column.as_str()).collect();
    // Both come back from the runner, which had them from here; they are still only used if they are plain words.
    let is_word = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if !is_word(&before.table) || !columns.iter().all(|column| is_word(column)) {
        return Err(Blind::Settings("the sample names no table".to_owned()));
    }
    let list: Vec<&str> = columns.iter().copied().collect();
    let ids: Vec<String> = before.items.iter().map(|item| item.id.to_string()).collect();
    let select =
        format!("SELECT id, {} FROM {} WHERE id IN ({})", list.join(", "), before.table, ids.join(", "));
    let mut named = Named::new();
    for row in before::open(variables)?.rows(&select)? {
        let Some(id) = row.get("id").and_then(|id| id.parse().ok()) else { continue };
        let of_row = named.entry(id).or_default();
        for column in &columns {
            if let Some(name) = row.get(*column).filter(|name| !name.is_empty()) {
                of_row.insert((*column).to_owned(), name.to_owned());
            }
        }
    }
    Ok(named)
}

/// Pure: what is left of the items. A row that names another file now was fetched again; its old files count.
fn compare(items: &[SampledItem], named: &Named, there: &BTreeSet<&str>) -> Looked {
    let (mut rows, mut files, mut dangling) = (0, 0, 0);
    let mut example = None;
    for item in items {
        let names_it = item.names.iter().any(|(column, name)| {
            named.get(&item.id).and_then(|of_row| of_row.get(column)).is_some_and(|now| now == name)
        });
        let left: Vec<&String> = item.files.iter().filter(|key| there.contains(key.as_str())).collect();
        rows += usize::from(names_it);
        files += usize::from(!left.is_empty());
        dangling += usize::from(names_it && left.is_empty() && !item.files.is_empty());
        example = example.or(left.first().map(|key| (*key).clone()));
    }
    if rows == 0 && files == 0 {
        let files = items.iter().map(|item| item.files.len()).sum();
        return Looked::Gone { items: items.len(), files };
    }
    Looked::Left { items: items.len(), rows, files, dangling, example }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: i64) -> SampledItem {
        let files = vec![format!("{id}/original/a.png"), format!("{id}/small/a.png")];
        SampledItem { id, names: vec![("file_file_name".into(), "a.png".into())], files }
    }

    fn names(id: i64, name: &str) -> Named {
        [(id, [("file_file_name".to_owned(), name.to_owned())].into())].into()
    }

    #[test]
    fn rows_and_files_are_told_apart() {
        let items = [item(1), item(2)];
        let none = BTreeSet::new();
        assert_eq!(compare(&items, &Named::new(), &none), Looked::Gone { items: 2, files: 4 });
        let left = compare(&items, &Named::new(), &["2/small/a.png"].into());
        assert_eq!(
            left,
            Looked::Left { items: 2, rows: 0, files: 1, dangling: 0, example: Some("2/small/a.png".into()) }
        );
        let dangling = compare(&items, &names(1, "a.png"), &none);
        assert_eq!(dangling, Looked::Left { items: 2, rows: 1, files: 0, dangling: 1, example: None });
    }

    #[test]
    fn a_row_that_was_fetched_again_was_removed() {
        let none = BTreeSet::new();
        assert_eq!(compare(&[item(1)], &names(1, "b.png"), &none), Looked::Gone { items: 1, files: 2 });
    }
}

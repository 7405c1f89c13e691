//! The migrations of the code that is there.

use crate::error::DatabaseError;
use std::{collections::BTreeSet, fs, io, path::Path};

/// Their versions; none where there is no code.
pub(crate) fn migrations(live: &Path) -> Result<BTreeSet<u64>, DatabaseError> {
    Ok(&versions(live, "db/migrate")? | &post_deployment(live)?)
}

/// The versions of those that may be run after the code was started.
pub(crate) fn post_deployment(live: &Path) -> Result<BTreeSet<u64>, DatabaseError> {
    versions(live, "db/post_migrate")
}

fn versions(live: &Path, directory: &str) -> Result<BTreeSet<u64>, DatabaseError> {
    let path = live.join(directory);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(DatabaseError::io(path.display().to_string())(error)),
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|n| n.to_str()?.split_once('_')?.0.parse::<u64>().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_beginnings_of_names() {
        let live = tempfile::tempdir().unwrap();
        assert!(migrations(live.path()).unwrap().is_empty());
        for name in ["migrate/20260101000000_a.rb", "post_migrate/20260202000000_b.rb", "migrate/README"] {
            let path = live.path().join("db").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found: Vec<u64> = migrations(live.path()).unwrap().into_iter().collect();
        assert_eq!(found, [20_260_101_000_000, 20_260_202_000_000]);
        assert_eq!(post_deployment(live.path()).unwrap().into_iter().collect::<Vec<_>>(), found[1..]);
    }
}

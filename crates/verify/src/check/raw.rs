//! The data directory of a PostgreSQL, copied file by file: while the server runs it is of no use.

use crate::{
    finding::{Code, Finding},
    listing::Listing,
    look::Tree,
};
use std::io;

/// Where Debian and others keep their clusters; below it come a version and a name, or nothing.
const PLACES: [&str; 2] = ["var/lib/postgresql", "var/lib/pgsql"];

/// What is found of such directories in a listing.
pub(crate) fn raw_copies(listing: &Listing) -> Vec<Finding> {
    let each = |directory| judged(directory, |name| listing.thing(&format!("{directory}/{name}")).is_some());
    listing.data_directories().map(each).collect()
}

/// The same in a tree, where the places of the distributions are looked at.
pub(crate) fn raw_copies_in(tree: &dyn Tree, below: &[String]) -> io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let tops = below.iter().map(|b| format!("{b}/")).chain([String::new()]);
    for place in tops.flat_map(|top| PLACES.map(|place| format!("{top}{place}"))) {
        for version in tree.list(&place)? {
            let version = format!("{place}/{version}");
            let clusters = tree.list(&version)?.into_iter().map(|name| format!("{version}/{name}"));
            for directory in clusters.chain([version.clone()]) {
                let there = |name: &str| tree.thing(&format!("{directory}/{name}")).map(|t| t.is_some());
                if !(there("PG_VERSION")? && there("global/pg_control")?) {
                    continue;
                }
                let (pid, label) = (there("postmaster.pid")?, there("backup_label")?);
                let has = |name: &str| if name == "postmaster.pid" { pid } else { label };
                findings.push(judged(&directory, has));
            }
        }
    }
    Ok(findings)
}

/// What such a copy is worth, by what lies in it.
fn judged(directory: &str, has: impl Fn(&str) -> bool) -> Finding {
    if has("backup_label") {
        return Finding::info(
            Code::NotChecked,
            format!("{directory} is a base backup of PostgreSQL: not checked"),
            "Whether it starts, and whether the WAL that it needs is there, is not known. A dump of pg_dump is checked.",
        );
    }
    if has("postmaster.pid") {
        return Finding::warn(
            Code::RawDataDirectory,
            format!("{directory} was copied while PostgreSQL ran: it does not come back"),
            "Nothing in it can be relied on. Leave it out, and back up dumps of pg_dump -Fc, or base backups of pg_basebackup.",
        )
        .with(["postmaster.pid is in it, and no backup_label".to_owned()]);
    }
    Finding::info(
        Code::NotChecked,
        format!("{directory} is a data directory of PostgreSQL: not checked"),
        "It is of use only if the server was stopped before. A dump of pg_dump is checked.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{listing::Told, look::DirectoryTree};
    use std::fs;

    fn codes(more: &str) -> (Vec<Code>, Vec<Code>) {
        let place = tempfile::tempdir().unwrap();
        let mut listing = Listing::default();
        for name in ["PG_VERSION", "global/pg_control", "base/1/PG_VERSION", more] {
            let path = format!("host/var/lib/postgresql/17/main/{name}");
            listing.add(&path, Told::File(3), None);
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "17").unwrap();
        }
        let tree = DirectoryTree::new(fs::File::open(place.path()).unwrap().into(), None);
        let codes = |found: Vec<Finding>| found.into_iter().map(|f| f.code).collect();
        (codes(raw_copies(&listing)), codes(raw_copies_in(&tree, &["host".to_owned()]).unwrap()))
    }

    #[test]
    fn a_copy_of_a_running_server_is_told_from_a_base_backup() {
        for (more, code) in [
            ("postmaster.pid", Code::RawDataDirectory),
            ("backup_label", Code::NotChecked),
            ("postgresql.conf", Code::NotChecked),
        ] {
            assert_eq!(codes(more), (vec![code], vec![code]), "{more}");
        }
    }
}

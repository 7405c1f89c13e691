//! Where a path leads in a backup, through the links in it. They are looked up in the backup only: followed on this
//! host they would lead into the running instance.

use crate::{
    check::candidates,
    listing::plain,
    look::{Thing, Tree},
};
use std::io;

/// Links that lead to links, but not for ever.
const MOST: usize = 40;

/// What is at the end of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lead {
    /// This, and where it lies.
    Here(String, Thing),
    /// Nothing.
    Nowhere,
    /// A link to something that is not in the backup.
    Out {
        /// The link.
        link: String,
        /// Where it leads.
        target: String,
    },
}

/// Goes along a path. `below` are directories in which the target of a link may lie too.
pub(crate) fn follow(tree: &dyn Tree, below: &[String], path: &str) -> io::Result<Lead> {
    let mut path = plain(path).to_owned();
    let mut out = Lead::Nowhere;
    for _ in 0..MOST {
        match tree.thing(&path)? {
            Some(Thing::Other) | None => {}
            Some(thing) => return Ok(Lead::Here(path, thing)),
        }
        let Some((link, target)) = first_link(tree, &path)? else {
            // Nothing behind a link: that is where it went wrong.
            return Ok(tree.thing(&path)?.map_or(out, |thing| Lead::Here(path, thing)));
        };
        let rest = path[link.len()..].to_owned();
        out = Lead::Out { link: link.clone(), target: target.clone() };
        let Some(next) = target_of(tree, below, &link, &target)? else { return Ok(out) };
        path = format!("{next}{rest}");
    }
    Ok(out)
}

/// The first link on a path and what is written in it.
fn first_link(tree: &dyn Tree, path: &str) -> io::Result<Option<(String, String)>> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for link in ends.map(|end| &path[..end]) {
        if let Some(target) = tree.link(link)? {
            return Ok(Some((link.to_owned(), target)));
        }
    }
    Ok(None)
}

/// Where a link leads, as a path in the backup; `None` if it leads out of it.
fn target_of(tree: &dyn Tree, below: &[String], link: &str, target: &str) -> io::Result<Option<String>> {
    if target.starts_with('/') {
        for at in candidates(target, below) {
            if tree.thing(&at)?.is_some() {
                return Ok(Some(at));
            }
        }
        return Ok(None);
    }
    let mut names: Vec<&str> = link.split('/').collect();
    names.pop();
    for name in target.split('/') {
        match name {
            ".." if names.pop().is_none() => return Ok(None),
            "" | "." | ".." => {}
            name => names.push(name),
        }
    }
    Ok(Some(names.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::DirectoryTree;
    use std::{
        fs::{self, File},
        os::unix::fs::symlink,
    };

    #[test]
    fn links_lead_through_the_backup_and_never_out_of_it() {
        let place = tempfile::tempdir().unwrap();
        let host = place.path().join("host");
        fs::create_dir_all(host.join("srv/media")).unwrap();
        fs::create_dir_all(host.join("live/public")).unwrap();
        fs::write(host.join("srv/media/a"), "abc").unwrap();
        let link = |target: &str, name: &str| symlink(target, host.join(name)).unwrap();
        link("/srv/media", "live/public/system");
        link("../../srv", "live/public/relative");
        link("/etc", "live/public/out");
        link("../../../../etc", "live/public/above");
        link("turn", "live/turn");
        link("none", "live/broken");
        let tree = DirectoryTree::new(File::open(place.path()).unwrap().into(), None);
        let lead = |path: &str| follow(&tree, &["host".to_owned()], &format!("host/live/{path}")).unwrap();
        let file = Lead::Here("host/srv/media/a".to_owned(), Thing::File(3));
        assert_eq!(lead("public/system/a"), file);
        assert_eq!(lead("public/relative/media/a"), file);
        assert_eq!(lead("public/none"), Lead::Nowhere);
        for out in ["public/out", "public/out/hostname", "public/above", "turn", "broken"] {
            assert!(matches!(lead(out), Lead::Out { .. }), "{out}: {:?}", lead(out));
        }
    }
}

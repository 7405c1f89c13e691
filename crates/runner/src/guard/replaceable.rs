//! Whether a path could be put back once it was changed. Mastodon's user does that, and need not own all of its Rails root.

use super::{
    exchange,
    tree::{self, Named, Rights},
};
use nix::unistd::User;
use rustix::{
    fs::{AtFlags, FileType, StatxAttributes, StatxFlags, fstat, statx},
    io::Errno,
    process::geteuid,
};
use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    path::Path,
};

/// Whether something is at a path below the Rails root, which is at `root`; why it could not be put back.
pub(super) fn is_there(live: BorrowedFd<'_>, path: &Path, root: &Path) -> Result<bool, String> {
    let link =
        || "is, or lies behind, a symbolic link: what is behind it cannot be put back in one step".to_owned();
    let (parent, name) = match exchange::parent(live, path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => return Err(link()),
        Err(error) => return Err(format!("cannot be reached: {error}")),
    };
    let named = Named { at: parent.as_fd(), name };
    let Some(stat) = named.stat().map_err(|error| error.to_string())? else { return Ok(false) };
    if tree::kind(&stat) == FileType::Symlink {
        return Err(link());
    }
    let attributes = statx(&parent, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS);
    if attributes.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)) {
        return Err("is a mount point: it cannot be put back in one step".to_owned());
    }
    match of_others(named, path, root, geteuid().as_raw()) {
        Ok(None) => Ok(true),
        Ok(Some(why)) => Err(why),
        Err(error) => Err(format!("cannot be looked through: {error}")),
    }
}

/// What belongs to others than `me` and keeps a path from being put back. What `me` cannot change need not be.
fn of_others(named: Named<'_>, path: &Path, root: &Path, me: u32) -> io::Result<Option<String>> {
    let rights = Rights::of(named, me)?;
    if !rights.changeable {
        return Ok(None);
    }
    if !tree::may_write_in(named.at) {
        let parent = root.join(path.parent().unwrap_or_else(|| Path::new("")));
        let (parent, owner) = (parent.display(), fstat(named.at)?.st_uid);
        let remedy = if owner == me { "chmod u+wx".to_owned() } else { format!("chown {}", name_of(me)) };
        return Ok(Some(format!(
            "could not be put back, because {parent} belongs to {} and nothing in it can be replaced: {remedy} {parent}",
            name_of(owner),
        )));
    }
    Ok(rights.stuck.map(|stuck| {
        let (at, whole) = (root.join(path).join(stuck.at), root.join(path));
        let (owner, me, whole) = (name_of(stuck.owner), name_of(me), whole.display());
        format!(
            "could not be put back, because {} belongs to {owner} and nothing in it can be removed: chown -R {me} {whole}",
            at.display()
        )
    }))
}

fn name_of(user: u32) -> String {
    let known = User::from_uid(user.into()).ok().flatten();
    known.map_or_else(|| user.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tree::tests::{NOBODY, as_nobody};
    use std::{fs, fs::File, os::unix::fs::chown};

    /// Why `path` below a Rails root could not be put back by somebody who owns only these of its paths.
    fn refused(path: &'static str, own: &[&str]) -> Option<String> {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir_all(scratch.path().join("public/packs/intl/empty")).unwrap();
        fs::create_dir_all(scratch.path().join("config")).unwrap();
        fs::write(scratch.path().join("public/packs/intl/en.js"), "").unwrap();
        fs::write(scratch.path().join("config/themes.yml"), "").unwrap();
        for path in own {
            chown(scratch.path().join(path), Some(NOBODY), None).unwrap();
        }
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = File::open(scratch.path().join(parent)).unwrap();
        let named = Named { at: parent.as_fd(), name: name.as_ref() };
        as_nobody(|| of_others(named, Path::new(path), Path::new("/live"), NOBODY)).unwrap()
    }

    #[test]
    fn what_belongs_to_others_is_refused_if_it_would_be_in_the_way() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let (packs, intl) = ("public/packs", "public/packs/intl");
        let said = refused(packs, &[packs, intl]).unwrap();
        let nobody = name_of(NOBODY);
        assert_eq!(
            said,
            format!(
                "could not be put back, because /live/public belongs to root and nothing in it can be replaced: \
                 chown {nobody} /live/public"
            )
        );
        assert!(
            refused("config/themes.yml", &["config/themes.yml"]).unwrap().contains("/live/config belongs")
        );
        let said = refused(packs, &["public", packs]).unwrap();
        assert_eq!(
            said,
            format!(
                "could not be put back, because /live/public/packs/intl belongs to root and nothing in it can be \
                 removed: chown -R {nobody} /live/public/packs"
            )
        );
        // A directory of another in which nothing is goes, and what cannot be changed need not be put back.
        assert_eq!(refused(packs, &["public", packs, intl]), None);
        assert_eq!(refused(packs, &["public"]), None);
        assert_eq!(refused("config/themes.yml", &[]), None);
    }
}

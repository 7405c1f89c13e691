//! What is mounted below live. A rename takes a mount along, to the tree that is put aside: it is found beforehand.

use crate::{
    error::{RestoreError, io_on},
    inode::{Seen, seen, seen_at},
    names::UPLOADS,
    open::directory_below,
};
use mastmaint_verify::rsnapshot::names;
use std::{
    ffi::OsStr,
    fs,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
};

/// Directories of which only the first level is looked at: they have as many below as there are uploads or packages.
const LARGE: [&[u8]; 3] = [UPLOADS, b"node_modules", b".git"];
const DEEPEST: usize = 40;

/// Refuses if something is mounted below live. The list of mounts is asked first; a room may not show it, or show
/// others, and so each directory is looked at, too.
pub(crate) fn none_below(live: &OwnedFd, at: &Path) -> Result<(), RestoreError> {
    let text = fs::read("/proc/self/mountinfo").unwrap_or_default();
    if let Some(mount) = points(&text).find(|point| point.starts_with(at) && point != at) {
        return Err(refused(&mount));
    }
    let above = seen(live).map_err(io_on(at, "look at"))?;
    look(live, &above, at, &mut Vec::new(), 0)
}

fn refused(at: &Path) -> RestoreError {
    let what = "something is mounted here, below live, and a restore would move it away with the old tree. Mount it elsewhere \
                for good and let live hold a link to there; merely unmounted, uploads would be taken for lost"
        .to_owned();
    RestoreError::Unfit { code: "mount-below", at: at.to_owned(), what }
}

/// Refuses if today's uploads are empty because what is mounted there is not: they would be taken for lost, and those of the
/// backup would lie hidden below it one day.
pub(crate) fn none_missing(uploads: &OwnedFd, at: &Path) -> Result<(), RestoreError> {
    let is_empty = names(uploads.as_fd()).map_err(io_on(at, "list"))?.is_empty();
    if !is_empty || !has_mount(&fs::read(FSTAB).unwrap_or_default(), at) {
        return Ok(());
    }
    let what = "it is empty, and /etc/fstab mounts something here that is not mounted. Mount it elsewhere for good and let \
                live hold a link to there"
        .to_owned();
    Err(RestoreError::Unfit { code: "mount-missing", at: at.to_owned(), what })
}

const FSTAB: &str = "/etc/fstab";

/// Whether a line of `fstab` mounts something at this place.
fn has_mount(fstab: &[u8], at: &Path) -> bool {
    let lines = fstab.split(|b| *b == b'\n');
    let points = lines.filter_map(|line| {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let is_comment = fields.next()?.starts_with(b"#");
        fields.next().filter(|_| !is_comment)
    });
    points.map(unescaped).any(|point| Path::new(OsStr::from_bytes(&point)) == at)
}

fn look(
    directory: &OwnedFd,
    above: &Seen,
    at: &Path,
    path: &mut Vec<u8>,
    depth: usize,
) -> Result<(), RestoreError> {
    let is_large = LARGE.contains(&path.as_slice());
    let length = path.len();
    for name in names(directory.as_fd()).map_err(io_on(at, "list"))? {
        let Some(found) = seen_at(directory.as_fd(), &name).map_err(io_on(at, "look into"))? else {
            continue;
        };
        let here = || at.join(OsStr::from_bytes(name.to_bytes()));
        if found.is_apart_from(above) {
            return Err(refused(&here()));
        }
        if !found.is_directory() || is_large || depth > DEEPEST {
            continue;
        }
        if length > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(name.to_bytes());
        // Gone, or exchanged, since it was looked at: what is there then is seen when it is moved.
        if let Ok(opened) = directory_below(directory, name.as_c_str()) {
            look(&opened, above, &here(), path, depth + 1)?;
        }
        path.truncate(length);
    }
    Ok(())
}

/// Where something is mounted, by the text of `mountinfo`.
fn points(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    text.split(|b| *b == b'\n').filter_map(|line| {
        let point = line.split(|b| *b == b' ').nth(4)?;
        Some(PathBuf::from(OsStr::from_bytes(&unescaped(point))))
    })
}

/// Blanks and the like are three octal digits.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..3).filter(|d| *first == b'\\' && d.iter().all(|d| (b'0'..=b'7').contains(d)));
        if let Some(digits) = digits {
            plain.push(digits.iter().fold(0_u8, |sum, d| sum.wrapping_mul(8).wrapping_add(d - b'0')));
            rest = &after[3..];
        } else {
            plain.push(*first);
            rest = after;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_mounts_is_understood() {
        let text = b"22 1 254:1 / / rw - ext4 /dev/vda1 rw\n30 22 0:25 /a /home/mastodon/li\\040ve/public rw - zfs t rw\n";
        let found: Vec<PathBuf> = points(text).collect();
        assert_eq!(found, [Path::new("/"), Path::new("/home/mastodon/li ve/public")]);
    }

    #[test]
    fn what_would_be_mounted_is_known() {
        let fstab =
            b"# /dev/vdc /srv/no ext4\n\n/dev/vdb\t/srv/li\\040ve/public/system/ ext4 defaults 0 2\nproc\n";
        let has = |at: &str| has_mount(fstab, Path::new(at));
        assert!(has("/srv/li ve/public/system"));
        assert!(!has("/srv/no") && !has("/srv/li ve/public") && !has(""));
    }
}

//! Whose settings count for what a restore works on: those of live, or those of the backup.

use mastmaint_words::{
    RunId,
    restore::{Inode, Restoring},
};
use nix::sys::stat::{major, minor};
use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// The directory whose environment files count for what the restore of a run works on. Where the copy was made it was
/// decided whether those of the backup do; they are kept beside the copy then, and as soon as it is live it is live that
/// is asked, because people may have changed something since.
pub fn settings_of(live: &Path, run: &RunId) -> PathBuf {
    let kept = Restoring::settings(live, run);
    let of = match fs::read(kept.join(Restoring::TREE)) {
        Ok(text) => serde_json::from_slice::<Inode>(&text).ok(),
        Err(error) if error.kind() == ErrorKind::NotFound => return live.to_owned(),
        // They count, and whoever reads them says that they cannot be read.
        Err(_) => None,
    };
    let is_live = fs::metadata(live).is_ok_and(|found| of.is_some_and(|tree| tree.is(&inode(&found))));
    if is_live { live.to_owned() } else { kept }
}

/// As the journal of a restore writes it.
fn inode(found: &Metadata) -> Inode {
    let born = found.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let born = born.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or_default();
    let device = found.dev();
    Inode { device: major(device) << 32 | minor(device), number: found.ino(), born }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_the_backup_count_until_its_tree_is_live_and_again_when_it_is_not() {
        let place = tempfile::tempdir().unwrap();
        let live = place.path().join("live");
        let run = "20261126T200000Z-7k3f9q".parse().unwrap();
        assert_eq!(settings_of(&live, &run), live, "nothing was decided");
        let (kept, copy) = (Restoring::settings(&live, &run), Restoring::copy(&live, &run));
        fs::create_dir_all(&kept).unwrap();
        fs::create_dir(&copy).unwrap();
        let tree = inode(&fs::metadata(&copy).unwrap());
        fs::write(kept.join(Restoring::TREE), serde_json::to_string(&tree).unwrap()).unwrap();
        assert_eq!(settings_of(&live, &run), kept, "nothing is live");
        fs::create_dir(&live).unwrap();
        assert_eq!(settings_of(&live, &run), kept, "another tree is live");
        let old = place.path().join("old");
        fs::rename(&live, &old).unwrap();
        fs::rename(&copy, &live).unwrap();
        assert_eq!(settings_of(&live, &run), live);
        fs::rename(&live, place.path().join("restored")).unwrap();
        fs::rename(&old, &live).unwrap();
        assert_eq!(settings_of(&live, &run), kept);
        fs::write(kept.join(Restoring::TREE), "{").unwrap();
        assert_eq!(settings_of(&live, &run), kept);
    }
}

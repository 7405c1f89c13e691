//! Whether there is room for the copy, with something left for the instance, which goes on meanwhile.

use crate::error::RestoreError;
use mastmaint_words::human;

/// So much stays free at most: a twentieth of the file system, and no more than this.
const RESERVE: u64 = 1024 * 1024 * 1024;
const RESERVED_INODES: u64 = 10_000;

/// What a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) bytes: u64,
    pub(crate) free: u64,
    /// Zero where the file system makes them as it needs them.
    pub(crate) inodes: u64,
    pub(crate) free_inodes: u64,
}

/// What a copy takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Whole blocks.
    pub(crate) bytes: u64,
    pub(crate) inodes: u64,
}

impl Needs {
    /// Each thing takes an inode and whole blocks.
    pub(crate) const fn add(&mut self, bytes: u64) {
        const BLOCK: u64 = 4096;
        let whole = match bytes.checked_next_multiple_of(BLOCK) {
            Some(whole) => whole,
            // Nobody has so much, and somebody may say so all the same.
            None => u64::MAX,
        };
        self.bytes = self.bytes.saturating_add(whole);
        self.inodes = self.inodes.saturating_add(1);
    }
}

/// Whether it fits.
pub(crate) fn fits(needs: Needs, room: Room, at: &str) -> Result<(), RestoreError> {
    let usable = room.free.saturating_sub((room.bytes / 20).min(RESERVE));
    let refused = |needs, free| Err(RestoreError::NoSpace { at: at.to_owned(), needs, free });
    if needs.bytes > usable {
        return refused(human::bytes(needs.bytes), human::bytes(usable));
    }
    let inodes = room.free_inodes.saturating_sub((room.inodes / 20).min(RESERVED_INODES));
    if room.inodes > 0 && needs.inodes > inodes {
        return refused(format!("{} inodes", needs.inodes), inodes.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_left_for_the_instance() {
        let room = Room { bytes: 1000 << 30, free: 10 << 30, inodes: 0, free_inodes: 0 };
        let fits = |bytes, room| fits(Needs { bytes, inodes: 50_000 }, room, "/home");
        assert!(fits(9 << 30, room).is_ok());
        let error = fits((9 << 30) + 1, room).unwrap_err();
        assert_eq!(error.code(), "no-space");
        assert!(error.to_string().starts_with("/home: the restore takes 9 GB and 9 GB"), "{error}");
        let few = Room { inodes: 60_000, free_inodes: 52_000, ..room };
        assert!(fits(1, few).unwrap_err().to_string().contains("50000 inodes and 49000"));
    }

    #[test]
    fn small_files_take_whole_blocks() {
        let mut needs = Needs::default();
        needs.add(1);
        needs.add(4096);
        needs.add(0);
        assert_eq!(needs, Needs { bytes: 8192, inodes: 3 });
        needs.add(u64::MAX);
        assert_eq!(needs, Needs { bytes: u64::MAX, inodes: 4 });
    }
}

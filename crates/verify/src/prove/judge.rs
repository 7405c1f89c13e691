//! What became of a file since its last proof. Pure: two descriptions in, a word out.

use super::store::Proof;
use crate::stamp::Nanos;

/// A file as it was met tonight, before anything of it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// Bytes.
    pub size: u64,
    /// Last change of its content, by the file system.
    pub mtime: Nanos,
    /// When the inode was made; zero where the file system keeps none.
    pub birth: Nanos,
}

/// What a file is to its last proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Never proved.
    New,
    /// Its number belonged to another file before, which is gone: proved as a new one.
    Replaced,
    /// The same file with another size or time: somebody wrote to it.
    Changed,
    /// As it was proved: if its content differs now, that is rot.
    Same,
}

/// Compares a file with its last proof.
pub fn judge(proof: Option<&Proof>, met: &Met) -> Judged {
    match proof {
        None => Judged::New,
        Some(p) if p.birth != met.birth => Judged::Replaced,
        Some(p) if (p.size, p.mtime) != (met.size, met.mtime) => {
            // Without a birth time nobody can tell a reused number from a file that was written to.
            if met.birth == Nanos::default() { Judged::Replaced } else { Judged::Changed }
        }
        Some(_) => Judged::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn proof(size: u64, mtime: i64, birth: i64) -> Proof {
        Proof { size, mtime: Nanos(mtime), birth: Nanos(birth), ..Proof::default() }
    }

    #[test]
    fn rot_change_and_replacement_are_different_words() {
        let old = proof(10, 5, 3);
        let met = |size, mtime, birth| Met { size, mtime: Nanos(mtime), birth: Nanos(birth) };
        assert_eq!(judge(None, &met(10, 5, 3)), Judged::New);
        assert_eq!(judge(Some(&old), &met(10, 5, 3)), Judged::Same);
        assert_eq!(judge(Some(&old), &met(10, 6, 3)), Judged::Changed);
        assert_eq!(judge(Some(&old), &met(11, 5, 3)), Judged::Changed);
        assert_eq!(judge(Some(&old), &met(10, 5, 4)), Judged::Replaced);
        assert_eq!(judge(Some(&proof(10, 5, 0)), &met(10, 6, 0)), Judged::Replaced);
    }

    proptest! {
        #[test]
        fn only_what_is_the_same_in_everything_can_rot(
            a in (0_u64..3, 0_i64..3, 0_i64..3), b in (0_u64..3, 0_i64..3, 0_i64..3)
        ) {
            let same = judge(
                Some(&proof(a.0, a.1, a.2)),
                &Met { size: b.0, mtime: Nanos(b.1), birth: Nanos(b.2) },
            ) == Judged::Same;
            prop_assert_eq!(same, a == b);
        }
    }
}

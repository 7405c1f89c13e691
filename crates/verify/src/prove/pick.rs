//! Which files are read tonight when not all can be. Pure, and always the same for the same candidates: a night that
//! is taken up again after a crash picks what it had picked.

use crate::stamp::Stamp;

/// A file that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// When it was last read; never for a new one.
    pub tried: Stamp,
    /// Its inode number: what makes the order among equals.
    pub ino: u64,
    /// Bytes to read.
    pub size: u64,
}

/// Takes the candidates with the oldest proofs until `bytes` are used up, of which `spent` are already; gives their
/// positions.
///
/// Among files of the same age the order is scattered, so that what was read is a fair sample of all. The first one
/// of a night is always taken: a file larger than the budget would never be proved otherwise.
pub fn pick(candidates: &[Candidate], bytes: Option<u64>, spent: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|&i| {
        let c = &candidates[i];
        (c.tried, scattered(c.ino), c.ino, c.size)
    });
    let Some(bytes) = bytes else { return order };
    let mut left = bytes.saturating_sub(spent);
    let mut taken = 0;
    for &i in &order {
        let size = candidates[i].size;
        if size > left && (taken > 0 || spent > 0 || bytes == 0) {
            break;
        }
        left = left.saturating_sub(size);
        taken += 1;
    }
    order.truncate(taken);
    order
}

/// Spreads inode numbers evenly (the finisher of `SplitMix64`).
const fn scattered(ino: u64) -> u64 {
    let mut x = ino.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        proptest::collection::vec((0_u32..5, 0_u64..1000, 0_u64..50), 0..60).prop_map(|all| {
            let each = |(tried, ino, size)| Candidate { tried: Stamp(tried), ino, size };
            all.into_iter().map(each).collect()
        })
    }

    proptest! {
        #[test]
        fn oldest_first_and_never_over_the_budget(all in candidates(), bytes in 0_u64..600) {
            let taken = pick(&all, Some(bytes), 0);
            let read: u64 = taken.iter().map(|&i| all[i].size).sum();
            // Empty files cost nothing, beside one that is larger than the budget too.
            let costly = taken.iter().filter(|&&i| all[i].size > 0).count();
            prop_assert!(read <= bytes || costly == 1);
            let newest = taken.iter().map(|&i| all[i].tried).max();
            for (i, candidate) in all.iter().enumerate() {
                if !taken.contains(&i) {
                    prop_assert!(newest.is_none_or(|n| candidate.tried >= n), "an older one was left out");
                }
            }
        }

        #[test]
        fn a_night_taken_up_again_picks_what_it_had_picked(
            all in candidates(), bytes in 0_u64..600, cut in any::<proptest::sample::Index>()
        ) {
            let whole = pick(&all, Some(bytes), 0);
            let done: Vec<usize> = whole.iter().copied().take(cut.index(whole.len() + 1)).collect();
            let spent = done.iter().map(|&i| all[i].size).sum();
            // A night that has spent nothing yet is not told from one that has not begun.
            prop_assume!(spent > 0 || done.is_empty());
            let rest: Vec<usize> = (0..all.len()).filter(|i| !done.contains(i)).collect();
            let left: Vec<Candidate> = rest.iter().map(|&i| all[i]).collect();
            let again = pick(&left, Some(bytes), spent).into_iter().map(|i| rest[i]);
            let mut both: Vec<usize> = done.into_iter().chain(again).collect();
            let mut whole = whole;
            both.sort_unstable();
            whole.sort_unstable();
            prop_assert_eq!(both, whole);
        }

        #[test]
        fn every_file_has_its_turn(all in candidates(), bytes in 1_u64..100) {
            let mut all = all;
            let mut read = vec![false; all.len()];
            // One a night at least.
            for night in 10..10 + u32::try_from(all.len()).unwrap() {
                for i in pick(&all, Some(bytes), 0) {
                    all[i].tried = Stamp(night);
                    read[i] = true;
                }
            }
            prop_assert!(read.iter().all(|r| *r));
        }
    }
}

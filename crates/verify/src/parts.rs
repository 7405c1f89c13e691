//! In how many parts something is read that is too large for a night, and what is in each. Parts are made by the first
//! byte of a hash: that is how restic makes them.

use std::time::Duration;

const DAY: u64 = 86_400;

/// The part of `of`, from 1, in which everything of this first byte is.
pub(crate) const fn part_of(byte: u8, of: u8) -> u8 {
    let of = if of == 0 { 1 } else { of };
    byte % of + 1
}

/// How much there is of each first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weights([u64; 256]);

impl Default for Weights {
    fn default() -> Self {
        Self([0; 256])
    }
}

/// No part is small enough for the bytes of a night; the smallest that the largest can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge(pub(crate) u64);

impl Weights {
    pub(crate) fn add(&mut self, byte: u8, bytes: u64) {
        self.0[usize::from(byte)] += bytes;
    }

    /// So many that each part fits the bytes of a night, and no fewer than there are nights in the time that a proof is
    /// good for.
    pub(crate) fn parts(&self, budget: Option<u64>, prove_every: Duration) -> Result<u8, TooLarge> {
        let nights = u8::try_from(prove_every.as_secs().div_ceil(DAY).max(1)).unwrap_or(u8::MAX);
        let Some(budget) = budget else { return Ok(nights) };
        let fitting = (nights..=u8::MAX).find(|of| self.largest(*of) <= budget);
        let smallest = || (nights..=u8::MAX).map(|of| self.largest(of)).min();
        fitting.ok_or_else(|| TooLarge(smallest().unwrap_or_default()))
    }

    fn largest(&self, of: u8) -> u64 {
        let mut parts = [0; 256];
        for (byte, bytes) in (0..=u8::MAX).zip(self.0) {
            parts[usize::from(part_of(byte, of))] += bytes;
        }
        parts.into_iter().max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WEEK: Duration = Duration::from_secs(7 * DAY);

    #[test]
    fn a_part_fits_the_night_and_its_proofs_their_time() {
        let mut even = Weights::default();
        for byte in 0..=u8::MAX {
            even.add(byte, 200);
        }
        assert_eq!(even.parts(None, WEEK), Ok(7));
        assert_eq!(even.parts(Some(1_000), WEEK), Ok(52), "five first bytes a night");
        assert_eq!(even.parts(Some(1_000_000), WEEK), Ok(7));
        assert_eq!(even.parts(Some(399), WEEK), Err(TooLarge(400)), "two of them are the least");
        let mut one = Weights::default();
        one.add(7, 5_000);
        assert_eq!(one.parts(Some(4_999), WEEK), Err(TooLarge(5_000)), "it cannot be read in pieces");
        assert_eq!(one.parts(Some(5_000), WEEK), Ok(7));
        assert_eq!(Weights::default().parts(Some(0), Duration::ZERO), Ok(1));
    }

    proptest! {
        /// Whatever there is: a night reads no more than it may, and all parts together are everything.
        #[test]
        fn no_night_reads_more_than_it_may(
            things in proptest::collection::vec((any::<u8>(), 0_u64..1000), 0..60), budget in 0_u64..5000
        ) {
            let mut weights = Weights::default();
            for (byte, bytes) in &things {
                weights.add(*byte, *bytes);
            }
            let of_part = |part: u8, of: u8| -> u64 {
                things.iter().filter(|(byte, _)| part_of(*byte, of) == part).map(|(_, bytes)| bytes).sum()
            };
            match weights.parts(Some(budget), WEEK) {
                Ok(of) => {
                    let parts: Vec<u64> = (1..=of).map(|part| of_part(part, of)).collect();
                    prop_assert!(parts.iter().all(|bytes| *bytes <= budget));
                    prop_assert_eq!(parts.iter().sum::<u64>(), things.iter().map(|(_, bytes)| bytes).sum::<u64>());
                }
                Err(TooLarge(least)) => prop_assert!(least > budget),
            }
        }
    }
}

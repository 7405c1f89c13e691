//! In how many parts something is read that is too large for a night.

use std::time::Duration;

const DAY: u64 = 86_400;

/// So many that a part fits the bytes of a night, and no fewer than there are nights in the time that a proof is good
/// for.
pub(crate) fn parts(bytes: u64, budget: Option<u64>, prove_every: Duration) -> u8 {
    let nights = prove_every.as_secs().div_ceil(DAY);
    let fitting = budget.map_or(1, |budget| bytes.div_ceil(budget.max(1)));
    // restic parts packs by the first byte of their names: more than that it cannot.
    u8::try_from(nights.max(fitting).max(1)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_fits_the_night_and_its_proofs_their_time() {
        let week = Duration::from_secs(7 * DAY);
        assert_eq!(parts(50_000, None, week), 7);
        assert_eq!(parts(50_000, Some(1_000), week), 50);
        assert_eq!(parts(50_000, Some(1_000_000), week), 7);
        assert_eq!(parts(50_000, Some(0), week), 255);
        assert_eq!(parts(0, None, Duration::ZERO), 1);
    }
}

//! What one night may take and what is due in it.

use crate::stamp::Stamp;
use mastmaint_words::{Bytes, Span, backup::Budget};
use std::time::Duration;

/// What decides on the files of one night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nightly {
    /// Now.
    pub now: Stamp,
    /// A proof is good for this long.
    pub prove_every: Duration,
    /// Read everything, however young its proof, and without a budget.
    pub full: bool,
    /// Limits; not looked at if `full`.
    pub budget: Budget,
}

/// A night that was cut off is taken up again within this time; later it is another night.
pub(crate) const SAME_NIGHT: Duration = Duration::from_hours(20);

impl Nightly {
    /// Whether a file is due in the night that began at `began`.
    pub(crate) fn is_due(&self, began: Stamp, proved: Stamp, tried: Stamp) -> bool {
        // What was read in this night already, before it was cut off, is not read again.
        if tried >= began {
            return false;
        }
        self.full || proved <= began.before(self.prove_every)
    }

    pub(crate) fn bytes(&self) -> Option<u64> {
        if self.full { None } else { self.budget.bytes.map(Bytes::get) }
    }

    pub(crate) fn time(&self) -> Option<Duration> {
        if self.full { None } else { self.budget.time.map(Span::get) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_a_while_and_a_night_reads_nothing_twice() {
        let day = Duration::from_hours(24);
        let night =
            |full| Nightly { now: Stamp(10 * 86_400), prove_every: 7 * day, full, budget: Budget::default() };
        let (began, young, old) = (Stamp(10 * 86_400), Stamp(9 * 86_400), Stamp(2 * 86_400));
        assert!(!night(false).is_due(began, young, young));
        assert!(night(true).is_due(began, young, young));
        assert!(night(false).is_due(began, old, old));
        assert!(night(false).is_due(began, Stamp::NEVER, Stamp::NEVER));
        assert!(!night(true).is_due(began, began, began));
        // Read in this night and found bad: not proved, and still not read again.
        assert!(!night(true).is_due(began, old, began));
    }
}

//! Durations and what is said of them.

use std::time::Duration;

/// Measured durations, sorted.
pub(super) struct Sample(Vec<Duration>);

impl Sample {
    pub(super) fn new(mut values: Vec<Duration>) -> Self {
        values.sort_unstable();
        Self(values)
    }

    /// The value below which this share of the others lies (nearest rank).
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1000.0;
        write!(f, "median {:.1} ms, p99 {:.1} ms (of {})", ms(50), ms(99), self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_percentile_of_a_hundred_is_the_last_but_one() {
        let sample = Sample::new((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(sample.to_string(), "median 50.0 ms, p99 99.0 ms (of 100)");
        assert_eq!(Sample::new(vec![Duration::from_millis(7)]).percentile(99), Duration::from_millis(7));
    }
}

//! How the disk of the media fares, in one sentence. Pure.

use jiff::Timestamp;
use mastmaint_ledger::SpaceTrend;
use mastmaint_words::human;
use std::time::Duration;

/// What was used at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Used {
    /// When.
    at: Timestamp,
    /// How many bytes.
    bytes: u64,
}

/// The sentence for what steps have seen.
pub(super) fn of(space: &SpaceTrend) -> String {
    let used = |at: Timestamp, free: u64| Used { at, bytes: space.total.saturating_sub(free) };
    let earlier = space.earlier.map(|(at, free)| used(at, free));
    sentence(earlier, used(space.at, space.free))
}

/// A change of less than a fiftieth is none: others write there, too.
const STABLE: u64 = 50;

/// `The disk of the media is stable at about 30 GB (7 d).`, `… grew by 4 GB in 7 d, to about 34 GB.`
fn sentence(earlier: Option<Used>, now: Used) -> String {
    let about = human::bytes(now.bytes);
    let Some(earlier) = earlier else {
        return format!("The disk of the media holds about {about}.");
    };
    let past = human::between(earlier.at, now.at).map_or(Duration::ZERO, |past| past);
    let change = now.bytes.abs_diff(earlier.bytes);
    let (past, by) = (human::span(past), human::bytes(change));
    if change <= now.bytes.max(earlier.bytes) / STABLE {
        format!("The disk of the media is stable at about {about} (for {past}).")
    } else if now.bytes > earlier.bytes {
        format!("The disk of the media grew by {by} in {past}, to about {about}.")
    } else {
        format!("The disk of the media shrank by {by} in {past}, to about {about}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn used(day: i64, bytes: u64) -> Used {
        Used { at: Timestamp::from_second(1_764_000_000 + day * 86_400).unwrap(), bytes }
    }

    #[test]
    fn the_trend_is_said_as_a_person_would() {
        let now = used(7, 30 * GB);
        let said = |earlier| sentence(earlier, now);
        assert_eq!(said(None), "The disk of the media holds about 30 GB.");
        for steady in [30 * GB, 30 * GB - GB / 2, 30 * GB + GB / 2] {
            let text = said(Some(used(0, steady)));
            assert_eq!(text, "The disk of the media is stable at about 30 GB (for 7 d).");
        }
        let grew = said(Some(used(0, 26 * GB)));
        assert_eq!(grew, "The disk of the media grew by 4 GB in 7 d, to about 30 GB.");
        let shrank = said(Some(used(5, 60 * GB)));
        assert_eq!(shrank, "The disk of the media shrank by 30 GB in 2 d, to about 30 GB.");
    }
}

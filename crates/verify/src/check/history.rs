//! Whether there is much less in a backup than there was.

use crate::{
    finding::{Code, Finding},
    prove::{History, grouped},
};
use mastmaint_words::human;

/// So many nights before make the measure.
const NIGHTS: usize = 7;

/// Compares the newest with the middle of the nights before. `counted` says of what there is a number.
pub fn shrunk(before: &[History], now: &History, counted: &str) -> Option<Finding> {
    let nights = &before[before.len().saturating_sub(NIGHTS)..];
    let middle = |value: fn(&History) -> u64| {
        let mut values: Vec<u64> = nights.iter().map(value).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    let (paths, bytes) = (middle(|h| h.paths)?, middle(|h| h.bytes)?);
    let share = |now: u64, before: u64| (before > 0).then(|| u128::from(now) * 100 / u128::from(before));
    let least = [share(now.paths, paths), share(now.bytes, bytes)].into_iter().flatten().min()?;
    let advice =
        "If nothing was cleaned up on purpose, compare it with an older one before that is rotated away.";
    let what = format!("the newest backup has {least} % of what the ones before had");
    let finding = match least {
        0..50 => Finding::fail(Code::Shrunk, what, advice),
        50..80 => Finding::warn(Code::Shrunk, what, advice),
        _ => return None,
    };
    Some(finding.with([
        format!("{counted}: {} now, {} before", grouped(now.paths), grouped(paths)),
        format!("size: {} now, {} before", human::bytes(now.bytes), human::bytes(bytes)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::Severity, stamp::Stamp};

    fn night(paths: u64, bytes: u64) -> History {
        History { at: Stamp(1), paths, bytes }
    }

    #[test]
    fn a_loss_is_told_and_growth_is_not() {
        let before: Vec<History> = (0..10).map(|n| night(1000 + n, 50_000)).collect();
        assert_eq!(shrunk(&before, &night(1010, 51_000), "names"), None);
        assert_eq!(shrunk(&before, &night(5000, 90_000), "names"), None);
        assert_eq!(shrunk(&before, &night(700, 50_000), "names").unwrap().severity, Severity::Warn);
        assert_eq!(shrunk(&before, &night(1010, 10), "names").unwrap().severity, Severity::Fail);
        assert_eq!(shrunk(&before, &night(0, 0), "names").unwrap().severity, Severity::Fail);
        assert_eq!(shrunk(&[], &night(0, 0), "names"), None, "the first night has nothing to compare with");
    }
}

//! Whether a bracket is nobody's any more. Pure: what is known of the daemon and of the rooms in, a decision out.

use mastmaint_words::RunId;
use std::{collections::BTreeSet, time::Duration};

/// A daemon that is down this long is not being restarted or upgraded. The kill matrix has no time for that.
const DOWN: Duration = Duration::from_secs(if cfg!(feature = "failpoints") { 1 } else { 15 });
/// One that comes up takes no longer, unless it never gets up at all.
const COMING_OR_GOING: Duration = Duration::from_mins(1);
/// One that is up and silent is ended by its watchdog (3 min) before this.
const STUCK: Duration = Duration::from_mins(4);

/// What is known of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Daemon {
    /// It answers, and works on these runs.
    Holds(BTreeSet<RunId>),
    /// It does not answer.
    Silent {
        /// State of its unit, as systemd says: `active`, `activating`, `inactive`.
        unit: String,
        /// For how long, or since it last took up the run.
        since: Duration,
    },
}

/// What to do about a bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Somebody works on it, or may come back to it.
    Leave,
    /// Start what it owes.
    Close,
}

/// Decides. `works` finds out whether a step of the run goes on in a room; it is asked only if all else is said.
pub(crate) fn decide(run: &RunId, daemon: &Daemon, works: impl FnOnce() -> bool) -> Decision {
    let is_theirs = match daemon {
        Daemon::Holds(runs) => runs.contains(run),
        Daemon::Silent { unit, since } => {
            *since
                < match unit.as_str() {
                    "active" | "reloading" => STUCK,
                    "inactive" | "failed" | "maintenance" => DOWN,
                    _ => COMING_OR_GOING,
                }
        }
    };
    // A step that goes on relies on the stop; it is over some day, its room sees to that.
    if is_theirs || works() { Decision::Leave } else { Decision::Close }
}

/// The wait after a try in vain: doubled from half a minute to a quarter of an hour.
pub(crate) fn backoff(tries: u32) -> Duration {
    Duration::from_secs(30)
        .saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1).min(8)))
        .min(Duration::from_mins(15))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunId {
        "20261123T003000Z-7k3f9q".parse().unwrap()
    }

    fn silent(unit: &str, seconds: u64) -> Daemon {
        Daemon::Silent { unit: unit.into(), since: Duration::from_secs(seconds) }
    }

    #[test]
    fn what_somebody_works_on_is_left() {
        let nobody_asks = || panic!("rooms are opened for nothing");
        assert_eq!(decide(&run(), &Daemon::Holds([run()].into()), nobody_asks), Decision::Leave);
        assert_eq!(decide(&run(), &silent("inactive", 9999), || true), Decision::Leave);
        assert_eq!(decide(&run(), &Daemon::Holds(BTreeSet::new()), || true), Decision::Leave);
    }

    #[test]
    fn what_nobody_works_on_is_closed() {
        assert_eq!(decide(&run(), &Daemon::Holds(BTreeSet::new()), || false), Decision::Close);
        for (unit, restart, gone) in [
            ("inactive", 14, 15),
            ("failed", 14, 15),
            ("activating", 59, 60),
            ("deactivating", 59, 60),
            ("active", 239, 240),
            ("", 59, 60),
        ] {
            assert_eq!(decide(&run(), &silent(unit, restart), || false), Decision::Leave, "{unit}");
            assert_eq!(decide(&run(), &silent(unit, gone), || false), Decision::Close, "{unit}");
        }
    }

    #[test]
    fn it_is_tried_for_ever_but_not_all_the_time() {
        let waits: Vec<u64> = (1..=8).map(|tries| backoff(tries).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(backoff(u32::MAX).as_secs(), 900);
    }
}

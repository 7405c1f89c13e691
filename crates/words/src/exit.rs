//! Exit statuses of `mastmaintd` and `mastmaintctl`: a contract with scripts and unit files, so each has one name and
//! one place.

use crate::Outcome;

/// All is well: `ok`, `skipped`, done as asked; for `run` without `--follow`: queued.
pub const FINE: u8 = 0;
/// Any other outcome, a check failed, or what was asked for was not done.
pub const NOT_FINE: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// `mastmaintctl status`: a job should have begun and has not.
pub const OVERDUE: u8 = 3;
/// The daemon cannot be reached.
pub const UNREACHABLE: u8 = 4;
/// The configuration has mistakes; also a refused reload: `EX_CONFIG` of sysexits.h. The unit does not restart after it.
pub const BAD_CONFIG: u8 = 78;
/// Ctrl-C while following: the run goes on and its outcome is not known. 128 + SIGINT, as shells count.
pub const DETACHED: u8 = 130;

/// The exit status for a run that ended like this.
pub const fn of(outcome: Outcome) -> u8 {
    if outcome.is_fine() { FINE } else { NOT_FINE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_and_skipped_are_fine() {
        let fine: Vec<_> = Outcome::ALL.into_iter().filter(|o| of(*o) == FINE).collect();
        assert_eq!(fine, [Outcome::Ok, Outcome::Skipped]);
    }
}

//! Exit statuses of `mastmaintd` and `mastmaintctl`: a contract with scripts and unit files.

/// Fine: `ok`, `skipped`; `run` without `--follow`: queued.
pub const OK: u8 = 0;
/// Any other outcome, or a check failed.
pub const FAILED: u8 = 1;
/// The command line was wrong.
pub const USAGE: u8 = 2;
/// Something is overdue.
pub const OVERDUE: u8 = 3;
/// The daemon cannot be reached.
pub const UNREACHABLE: u8 = 4;
/// Bad configuration, also a refused reload: `EX_CONFIG` of sysexits.h. The unit does not restart after it.
pub const CONFIG: u8 = 78;

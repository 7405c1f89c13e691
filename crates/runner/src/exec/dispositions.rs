//! Signals that the runner ignores would be ignored by the step, too: `exec` keeps that, and Ruby keeps it again. A
//! signal with a handler falls back to its default at `exec`, so each ignored one gets a handler that does nothing.
//! The mask needs no care: the standard library clears it in the child, and gives SIGPIPE its default back.

use std::sync::{Arc, atomic::AtomicBool};

/// Makes sure that a child ignores nothing.
pub(super) fn reset() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    for signal in ignored(&status) {
        // Ignoring KILL, STOP, SEGV, ILL or FPE is not possible or not ours to change: those are refused here.
        let is_changeable =
            !signal_hook::consts::FORBIDDEN.contains(&signal) && signal != signal_hook::consts::SIGPIPE;
        if is_changeable {
            // A refusal leaves the signal ignored, which is how it was.
            let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
        }
    }
}

/// The signals that the mask `SigIgn` of `/proc/PID/status` holds. The C library keeps 32 and 33 for itself.
fn ignored(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:")).map(str::trim);
    let mask = mask.and_then(|m| u64::from_str_radix(m, 16).ok()).unwrap_or(0);
    (1..32).chain(34..=64).filter(|signal| mask & (1_u64 << (signal - 1)) != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_mask() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t8000000180001003\n"), [1, 2, 13, 64]);
        assert_eq!(ignored("nothing"), Vec::<i32>::new());
    }
}

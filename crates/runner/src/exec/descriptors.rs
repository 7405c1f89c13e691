//! Descriptors that the runner inherited would reach the step, too. Every one that the runner itself opens is closed at
//! `exec` by the standard library, so one that is not came from outside and is closed here.

use std::fs;

/// `O_CLOEXEC` in `/proc/self/fdinfo`.
const CLOSED_AT_EXEC: u32 = 0o2_000_000;

/// Closes what came from outside, but for the three standard streams, which the step gets anew.
pub(super) fn close_inherited() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|n| *n > 2) {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        if is_inheritable(&info) {
            // A failure means that it is closed.
            let _ = nix::unistd::close(number);
        }
    }
}

fn is_inheritable(info: &str) -> bool {
    let flags = info.lines().find_map(|l| l.strip_prefix("flags:"));
    flags.and_then(|f| u32::from_str_radix(f.trim(), 8).ok()).is_some_and(|f| f & CLOSED_AT_EXEC == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_a_child_would_get() {
        assert!(is_inheritable("pos:\t0\nflags:\t0100001\nmnt_id:\t15\n"));
        assert!(!is_inheritable("pos:\t0\nflags:\t02100001\nmnt_id:\t15\n"));
        assert!(!is_inheritable(""));
    }
}
